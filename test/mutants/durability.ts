import type { Mutant } from './mutant.ts';

const VIEW_CHANGE = 'core/pbft/view-change.ts';
const NEW_VIEW = 'core/pbft/new-view.ts';
const CHECKPOINT = 'core/pbft/checkpoint.ts';
const RESTORE = 'core/pbft/restore.ts';
const FILE_WAL = 'store/file-wal.ts';
const WAL_RECORD = 'store/wal-record.ts';
const WAL = ['test/unit/store/wal.test.ts'];

/** What is on disk before what is sent, and what a restart brings back. */
export const durabilityMutants: readonly Mutant[] = [
  {
    name: 'prepare-sent-before-durable',
    file: 'core/pbft/prepare.ts',
    find: 'own ? [toAll(proposal), toAll(vote)] : [toAll(vote)],',
    replace: '(engine.out.push(toAll(vote)), own ? [toAll(proposal)] : []),',
    caughtBy: 'simulation',
    quick: true,
  },
  {
    name: 'commit-sent-before-durable',
    file: 'core/pbft/commit.ts',
    find: 'persist(engine, [prepared, encodeWalMessage(vote.signed)], [toAll(vote)], [vote]);',
    replace:
      'engine.out.push(toAll(vote)); persist(engine, [prepared, encodeWalMessage(vote.signed)], [], [vote]);',
    caughtBy: 'simulation',
  },
  {
    name: 'view-change-sent-before-durable',
    file: VIEW_CHANGE,
    find: 'persist(engine, [encodeWalMessage(message.signed)], [toAll(message)], [message]);',
    replace:
      'engine.out.push(toAll(message)); persist(engine, [encodeWalMessage(message.signed)], [], [message]);',
    caughtBy: 'simulation',
  },
  {
    name: 'new-view-sent-before-durable',
    file: NEW_VIEW,
    find: 'persist(engine, [encodeWalMessage(message.signed)], [toAll(message)], [message]);',
    replace:
      'engine.out.push(toAll(message)); persist(engine, [encodeWalMessage(message.signed)], [], [message]);',
    caughtBy: 'simulation',
  },
  {
    name: 'resent-before-durable',
    file: 'core/pbft/emit.ts',
    find: 'if (message !== null && engine.durable.has(message.signed))',
    replace: 'if (message !== null)',
    caughtBy: 'transcripts',
  },
  {
    name: 'view-not-persisted',
    file: VIEW_CHANGE,
    find: 'persist(engine, [encodeWalMessage(message.signed)], [toAll(message)], [message]);',
    replace: 'persist(engine, [], [toAll(message)], [message]);',
    caughtBy: 'simulation',
    quick: true,
  },
  {
    name: 'proposal-not-persisted',
    file: 'core/pbft/prepare.ts',
    find: 'if (proposal !== null) records.unshift(encodeWalMessage(proposal.signed));',
    replace: 'if (proposal !== null) records.slice();',
    caughtBy: 'simulation',
  },
  {
    name: 'prepare-not-persisted',
    file: 'core/pbft/prepare.ts',
    find: 'const records = [encodeWalMessage(vote.signed)];',
    replace: 'const records: Uint8Array[] = [];',
    caughtBy: 'simulation',
  },
  {
    name: 'commit-not-persisted',
    file: 'core/pbft/commit.ts',
    find: '[prepared, encodeWalMessage(vote.signed)]',
    replace: '[prepared]',
    caughtBy: 'simulation',
  },
  {
    name: 'prepared-certificate-not-persisted',
    file: 'core/pbft/commit.ts',
    find: '[prepared, encodeWalMessage(vote.signed)]',
    replace: '[encodeWalMessage(vote.signed)]',
    caughtBy: 'simulation',
  },
  {
    name: 'block-proposed-again-not-persisted',
    file: 'core/pbft/prepare.ts',
    find: "else if (!slot.blockLogged) records.unshift(encodeWalRecord({ type: 'block', block }));",
    replace: '',
    caughtBy: 'transcripts',
  },
  {
    name: 'followed-new-view-not-persisted',
    file: NEW_VIEW,
    find: 'persist(engine, [encodeWalMessage(message.signed)], [], []);',
    replace: 'persist(engine, [], [], []);',
    caughtBy: 'transcripts',
  },
  {
    name: 'view-not-restored',
    file: RESTORE,
    find: 'enterView(engine, content.view);',
    replace: '',
    caughtBy: 'transcripts',
  },
  {
    name: 'new-view-not-restored',
    file: RESTORE,
    find: 'installNewView(engine, { signed, content });',
    replace: '',
    caughtBy: 'transcripts',
  },
  {
    name: 'signed-values-not-restored',
    file: RESTORE,
    find: 'if (signed.signer === engine.seat?.index) recordSigned(engine, content, signed);',
    replace: '',
    caughtBy: 'transcripts',
  },
  {
    name: 'prepared-proofs-not-restored',
    file: RESTORE,
    find: 'slot.preparedProof = proof;',
    replace: '',
    caughtBy: 'transcripts',
  },
  {
    name: 'unreadable-record-skipped',
    file: RESTORE,
    find: 'if (isReject(record)) return record;',
    replace: 'if (isReject(record)) continue;',
    caughtBy: ['test/unit/pbft/restore.test.ts'],
  },
  {
    name: 'stable-with-one-signer',
    file: CHECKPOINT,
    find: 'tally.count >= quorum(engine)',
    replace: 'tally.count >= 1',
    caughtBy: 'transcripts',
  },
  {
    name: 'stable-never',
    file: CHECKPOINT,
    find: 'tally.count >= quorum(engine)',
    replace: 'tally.count > engine.reign.set.validators.length',
    caughtBy: 'transcripts',
  },
  {
    name: 'stable-above-the-head',
    file: CHECKPOINT,
    find: 'if (stable.height > headHeight(engine)) {',
    replace: 'if (stable.height < 0) {',
    caughtBy: 'transcripts',
  },
  {
    name: 'log-never-trimmed',
    file: CHECKPOINT,
    find: "emit(engine, { type: 'trim', records: neededRecords(engine) });",
    replace: 'neededRecords(engine);',
    caughtBy: 'transcripts',
  },
  {
    name: 'trimming-loses-the-view',
    file: CHECKPOINT,
    find: 'if (engine.newView !== null) records.push(encodeWalMessage(engine.newView.signed));',
    replace: '',
    caughtBy: 'transcripts',
  },
  {
    name: 'trimming-loses-own-prepares',
    file: CHECKPOINT,
    find: 'if (ownPrepare !== null) records.push(encodeWalMessage(ownPrepare.signed));',
    replace: '',
    caughtBy: 'transcripts',
  },
  {
    name: 'trimming-loses-prepared-proofs',
    file: CHECKPOINT,
    find: "if (preparedProof !== null) records.push(encodeWalRecord({ type: 'prepared', proof: preparedProof }));",
    replace: '',
    caughtBy: 'transcripts',
  },
  {
    name: 'log-damage-taken-for-a-torn-tail',
    file: WAL_RECORD,
    find: 'corruptAt: torn ? null : offset',
    replace: 'corruptAt: null',
    caughtBy: WAL,
  },
  {
    name: 'corrupt-middle-of-the-log-skipped',
    file: WAL_RECORD,
    find: "if ('fault' in step) {",
    replace:
      "if ('fault' in step && step.fault === 'bad' && step.end < file.length) { offset = step.end; continue; } if ('fault' in step) {",
    caughtBy: WAL,
  },
  {
    name: 'checksum-of-a-record-unchecked',
    file: WAL_RECORD,
    find: 'return view.getUint32(4) === checksum(payload)',
    replace: 'return length >= 0',
    caughtBy: WAL,
  },
  {
    name: 'torn-tail-not-cut',
    file: FILE_WAL,
    find: 'if (scan.validBytes < bytes.length) await file.truncate(scan.validBytes);',
    replace: '',
    caughtBy: WAL,
  },
  {
    name: 'log-not-flushed',
    file: FILE_WAL,
    find: 'await file.write(bytes, this.endBytes);\n    await file.sync();',
    replace: 'await file.write(bytes, this.endBytes);',
    caughtBy: WAL,
  },
  {
    name: 'log-goes-on-after-a-failed-write',
    file: FILE_WAL,
    find: 'this.failure = failure;\n    const lost',
    replace: 'const lost',
    caughtBy: WAL,
  },
  {
    name: 'answers-before-the-flush',
    file: 'services/consensus/wal-writer.ts',
    find: 'await this.meter.flushed(this.log.append(records));',
    replace: 'this.meter.flushed(this.log.append(records)).catch(() => {});',
    caughtBy: ['test/unit/services-consensus/wal-writer.test.ts'],
  },
  {
    name: 'votes-of-a-lost-seat-leave-unwritten',
    file: 'services/consensus/wal-writer.ts',
    find: '(kept ? effect.records : [])',
    replace: '(this.log.keeps() ? effect.records : [])',
    caughtBy: ['test/unit/services-consensus/wal-writer.test.ts'],
  },
  {
    name: 'key-votes-with-the-log-of-another',
    file: 'services/consensus/signing-log.ts',
    find: 'if (content.identity !== record.logIdentity)',
    replace: 'if (content.identity.length === 0)',
    caughtBy: ['test/unit/services-consensus/signing-state.test.ts'],
  },
];
