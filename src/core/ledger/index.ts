export { applyToScope, type ScopeValue } from '../access/apply.ts';
export { keyholders } from '../access/epochs.ts';
export { hasRole, isAdministrator, partakersOf, participantOf, WHO_MAY } from '../access/standing.ts';
export { type ReadableRange, readableRanges } from '../access/visibility.ts';
export { chainIdOf } from '../codec/genesis.ts';
export {
  decodePhaseState,
  decodeProjectState,
  decodeSystemState,
  encodeScopeState,
  type LogRow,
  mapKeyOf,
  mapValueOf,
  type ScopeKind,
  type ScopeRef,
  scopeDigest,
} from '../codec/state.ts';
export { checkAdmission } from './admission.ts';
export {
  type BlockInput,
  buildBlock,
  type Execution,
  type ExecutionOptions,
  executeBlock,
  type ParentBlock,
  type Selection,
  type Skipped,
  selectTransactions,
} from './execute.ts';
export { foldLeaf } from './fold.ts';
export { checkGenesis, genesisBlock } from './genesis.ts';
export { overlayView } from './overlay.ts';
export {
  findMember,
  memberOfPeer,
  readChainId,
  readLog,
  readLogScope,
  readMemberScopes,
  readPhase,
  readProject,
  readScopeBytes,
  readSystem,
} from './read.ts';
export {
  type Difference,
  type ReplayStep,
  type ReplayTarget,
  replayChain,
  type StoredChain,
} from './replay.ts';
export {
  batchRoot,
  createTransactionVerifier,
  type VerifyTransaction,
  verifyTransactionSignature,
} from './signature.ts';
