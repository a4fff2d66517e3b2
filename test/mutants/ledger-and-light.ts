import type { Mutant } from './mutant.ts';

const ADMISSION = 'core/ledger/admission.ts';
const CERTIFICATE = 'core/light/certificate.ts';
const TRUST = 'core/light/trust.ts';
const LOG_UPDATE = 'core/light/log-update.ts';
const LEDGER = ['test/unit/ledger/block.test.ts'];
const LIGHT_TRUST = ['test/unit/light/trust.test.ts'];
const LIGHT_LOG = ['test/unit/light/log-update.test.ts'];

/** Execution, state transfer, and what a light node takes for true. */
export const ledgerAndLightMutants: readonly Mutant[] = [
  {
    name: 'executed-transaction-accepted-again',
    file: ADMISSION,
    find: 'if (seen !== null)',
    replace: 'if (seen !== null && seen < 0)',
    caughtBy: LEDGER,
  },
  {
    name: 'transaction-twice-in-one-block',
    file: 'core/ledger/execute.ts',
    find: 'if (this.ids.has(id))',
    replace: 'if (this.ids.has(id) && id.length < 0)',
    caughtBy: LEDGER,
  },
  {
    name: 'transaction-in-flight-accepted-again',
    file: 'core/ledger/overlay.ts',
    find: 'for (const diff of newestFirst) if (indexOf(diff).ids.has(id)) return diff.height;',
    replace: '',
    caughtBy: LEDGER,
  },
  {
    name: 'replay-window-unchecked',
    file: ADMISSION,
    find: 'if (lastValid > state.headHeight + replayWindowBlocks) {',
    replace: 'if (lastValid < 0) {',
    caughtBy: LEDGER,
  },
  {
    name: 'expired-transaction-accepted',
    file: ADMISSION,
    find: 'if (lastValid <= state.headHeight) {',
    replace: 'if (lastValid < 0) {',
    caughtBy: LEDGER,
  },
  {
    name: 'transaction-of-another-chain-accepted',
    file: ADMISSION,
    find: 'if (body.chainId !== state.chainId)',
    replace: 'if (body.chainId.length < 0)',
    caughtBy: LEDGER,
  },
  {
    name: 'old-key-accepted',
    file: ADMISSION,
    find: 'if (key.untilHeight !== 0)',
    replace: 'if (keyId < 0)',
    caughtBy: ['test/unit/ledger/members.test.ts'],
  },
  {
    name: 'suspended-member-writes-on',
    file: ADMISSION,
    find: 'if (member.suspendedHeight > 0) {',
    replace: 'if (member.suspendedHeight < 0) {',
    caughtBy: ['test/unit/ledger/member-standing.test.ts'],
  },
  {
    name: 'user-speaks-in-the-system-log',
    file: ADMISSION,
    find: 'if (key.user !== null && transaction',
    replace: 'if (keyId < 0 && transaction',
    caughtBy: ['test/unit/ledger/member-standing.test.ts'],
  },
  {
    name: 'ballots-revoke-without-freezing',
    file: 'core/access/members.ts',
    find: 'KINDS.proposalVote,',
    replace: '',
    caughtBy: ['test/unit/ledger/member-standing.test.ts'],
  },
  {
    name: 'light-client-accepts-quorum-less-one',
    file: CERTIFICATE,
    find: 'return count >= needed ? null',
    replace: 'return count >= needed - 1 ? null',
    caughtBy: LIGHT_TRUST,
    quick: true,
  },
  {
    name: 'light-client-counts-a-signer-twice',
    file: CERTIFICATE,
    find: 'if (signer === previous)',
    replace: 'if (signer === previous && signer < 0)',
    caughtBy: LIGHT_TRUST,
  },
  {
    name: 'light-client-checks-under-any-set',
    file: CERTIFICATE,
    find: 'if (header.validatorSetId !== set.id || header.validatorSetHash !== setHash) {',
    replace: 'if (setHash.length < 0) {',
    caughtBy: LIGHT_TRUST,
  },
  {
    name: 'light-client-believes-signatures',
    file: CERTIFICATE,
    find: 'if (!suite.verify(set.validators[signer]!.publicKey, bytes, signature)) {',
    replace: 'if (signature.length === bytes.length) {',
    caughtBy: LIGHT_TRUST,
  },
  {
    name: 'light-client-misses-a-withheld-set-change',
    file: TRUST,
    find: 'if (header.previousSetChangeHeight !== lastSetChange(trust.header)) {',
    replace: 'if (header.previousSetChangeHeight < 0) {',
    caughtBy: LIGHT_TRUST,
  },
  {
    name: 'light-client-goes-back',
    file: TRUST,
    find: 'if (header.height <= trust.header.height) {',
    replace: 'if (header.height < 0) {',
    caughtBy: LIGHT_TRUST,
  },
  {
    name: 'light-client-misses-a-fork',
    file: TRUST,
    find: 'if (headerHash(suite.sha256, certified.header) === trust.hash) return null;',
    replace: 'if (trust.hash.length > 0) return null;',
    caughtBy: LIGHT_TRUST,
  },
  {
    name: 'fresh-head-of-f-validators',
    file: 'core/light/fresh-head.ts',
    find: 'const needed = honestWitnesses(head.set.validators.length);',
    replace: 'const needed = honestWitnesses(head.set.validators.length) - 1;',
    caughtBy: LIGHT_TRUST,
  },
  {
    name: 'light-client-accepts-a-missing-leaf',
    file: LOG_UPDATE,
    find: 'if (missing > 0)',
    replace: 'if (missing > 0) return null; if (missing > 0)',
    caughtBy: LIGHT_LOG,
  },
  {
    name: 'light-client-skips-the-map-proof',
    file: LOG_UPDATE,
    find: 'if (verifyMapProof(sha256, header.mapRoot, mapKeyOf(sha256, logId), value, proof)) return null;',
    replace:
      'if (value.length > 0 || verifyMapProof(sha256, header.mapRoot, logId, value, proof)) return null;',
    caughtBy: LIGHT_LOG,
  },
  {
    name: 'light-client-skips-the-root-of-the-log',
    file: LOG_UPDATE,
    find: 'if (isReject(log) || frontierRoot(sha256, log.frontier) === entry.root) return log;',
    replace: 'if (isReject(log) || log.frontier.size > 0) return log;',
    caughtBy: LIGHT_LOG,
  },
  {
    name: 'light-client-takes-leaves-of-another-log',
    file: LOG_UPDATE,
    find: 'if (leaf.logId !== logId)',
    replace: 'if (leaf.logId.length !== logId.length)',
    caughtBy: LIGHT_LOG,
  },
  {
    name: 'state-transfer-accepts-an-uncertified-block',
    file: 'services/consensus/committer.ts',
    find: 'return checkCertificate(suite, this.chain.chainId(), { header, certificate }, this.chain.validatorSet());',
    replace:
      'return certificate === null ? checkCertificate(suite, header.chainId, { header, certificate }, this.chain.validatorSet()) : null;',
    caughtBy: ['test/unit/services-consensus/committer.test.ts'],
  },
  {
    name: 'executed-result-not-compared-by-the-node',
    file: 'services/consensus/executor.ts',
    find: 'if (executed.hash !== hash) {',
    replace: 'if (executed.hash.length < 0) {',
    caughtBy: ['test/unit/services-consensus/committer.test.ts'],
  },
];
