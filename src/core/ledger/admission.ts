import { checkEvidence, EVIDENCE_SENDER } from '../access/evidence.ts';
import type { Hash, Suite } from '../base/ids.ts';
import { isReject, type Reject, reject } from '../base/reject.ts';
import { decodeOperation } from '../codec/operation.ts';
import { logIdOf } from '../codec/transaction.ts';
import { VERSIONS } from '../types/limits.ts';
import { KINDS } from '../types/operation.ts';
import { OUTCOMES } from '../types/outcome.ts';
import type { StateView, SystemState } from '../types/state.ts';
import type { Transaction } from '../types/transaction.ts';
import { findMember, readChainId, readSystem } from './read.ts';
import { type VerifyTransaction, verifyTransactionSignature } from './signature.ts';

/** The state that admission is judged by: that of the block before. */
export interface AdmissionState {
  readonly suite: Suite;
  readonly chainId: Hash;
  readonly system: SystemState;
  readonly headHeight: number;
  readonly view: StateView;
  readonly verify: VerifyTransaction;
}

/** Window and size: what needs no look at the sender. `headHeight + 1` is the next block that could contain it. */
function checkWrapper(state: AdmissionState, transaction: Transaction): Reject | null {
  const { body, bytes, signed } = transaction;
  const { transactionBytesMax, replayWindowBlocks } = state.system.parameters;
  const lastValid = body.lastValidHeight;
  if (body.chainId !== state.chainId) return reject('wrong_chain', `chain ${body.chainId}`);
  if (body.version !== VERSIONS.transaction) return reject('unsupported_version', `version ${body.version}`);
  if (bytes > transactionBytesMax) {
    return reject('transaction_too_large', `${bytes} bytes, at most ${transactionBytesMax}`);
  }
  if (signed.parts.includes(null)) return reject('parts_missing', transaction.id);
  if (lastValid <= state.headHeight) {
    return reject('expired', `valid to height ${lastValid}, head ${state.headHeight}`, 'ignore');
  }
  if (lastValid > state.headHeight + replayWindowBlocks) {
    const limit = `at most ${replayWindowBlocks} above head ${state.headHeight}`;
    return reject('too_far_ahead', `valid to height ${lastValid}, ${limit}`, 'ignore');
  }
  return null;
}

function systemLogId({ suite, chainId }: AdmissionState) {
  return logIdOf(suite.sha256, chainId, 'system', chainId);
}

function checkSender(state: AdmissionState, transaction: Transaction): Reject | null {
  const { sender, keyId } = transaction.body;
  const member = findMember(state.system, sender);
  if (member === null) return reject('unknown_sender', sender, 'ignore');
  if (member.revoked) return reject('sender_revoked', sender, 'ignore');
  if (member.suspendedHeight > 0) {
    return reject('sender_suspended', `${sender}, since height ${member.suspendedHeight}`, 'ignore');
  }
  const key = member.keys[keyId];
  if (key === undefined) return reject('unknown_key', `key ${keyId} of ${sender}`, 'ignore');
  if (key.untilHeight !== 0) return reject('revoked_key', `key ${keyId} of ${sender}`, 'ignore');
  if (key.user !== null && transaction.body.scopes.includes(systemLogId(state))) {
    return reject('user_key', `key ${keyId} of ${sender} is a user's: it signs in projects and phases only`);
  }
  return state.verify(transaction, key.signingKey) ? null : reject('bad_signature', transaction.id);
}

/** Evidence proves itself: it has no sender and no signature, and stands in the system log only. */
function checkEvidenceTransaction(state: AdmissionState, transaction: Transaction): Reject | null {
  const { chainId, suite, system } = state;
  const { body, signed } = transaction;
  const unsigned =
    body.sender === EVIDENCE_SENDER.id &&
    body.keyId === 0 &&
    signed.batch.treeSize === 1 &&
    signed.batch.path.length === 0 &&
    signed.signature.every(byte => byte === 0);
  if (!unsigned) return reject('bad_evidence', 'evidence has no sender and no signature');
  if (body.scopes.length !== 1 || body.scopes[0] !== systemLogId(state)) {
    return reject('bad_evidence', 'evidence belongs to the system log only');
  }
  const operation = decodeOperation(body.kind, signed.parts);
  if (isReject(operation)) return operation;
  if (operation.kind !== 'evidence') return reject('bad_evidence', transaction.id);
  const [proof] = operation.contents;
  const outcome = checkEvidence(suite, chainId, system, proof);
  if (outcome === OUTCOMES.committed) return null;
  const known = outcome === OUTCOMES.evidenceKnown || outcome === OUTCOMES.limitReached;
  return reject(
    known ? 'evidence_known' : 'bad_evidence',
    `validator ${proof.signer} of set ${proof.validatorSetId}`,
    known ? 'ignore' : 'penalise',
  );
}

/** Why no block on top of this state may contain the transaction; cheap checks first, the signature last. */
export function checkAdmissible(state: AdmissionState, transaction: Transaction): Reject | null {
  const fault = checkWrapper(state, transaction);
  if (fault !== null) return fault;
  const seen = state.view.seen(transaction.id);
  if (seen !== null) return reject('duplicate', `in block ${seen}`, 'ignore');
  if (transaction.body.kind === KINDS.evidence) return checkEvidenceTransaction(state, transaction);
  return checkSender(state, transaction);
}

/**
 * What the pool asks before it takes a transaction; execution applies the same rules.
 * @param headHeight height of the block that `view` is the state of
 * @param verify the signature's verdict; by default it is computed here
 */
export function checkAdmission(
  suite: Suite,
  view: StateView,
  headHeight: number,
  transaction: Transaction,
  verify?: VerifyTransaction,
): Reject | null {
  const state: AdmissionState = {
    suite,
    chainId: readChainId(view),
    system: readSystem(view),
    headHeight,
    view,
    verify: verify ?? ((candidate, key) => verifyTransactionSignature(suite, candidate, key)),
  };
  return checkAdmissible(state, transaction);
}
