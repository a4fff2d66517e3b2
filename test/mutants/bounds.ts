import type { Mutant } from './mutant.ts';

const RECONFIGURATION = 'core/pbft/reconfiguration.ts';
const STATUS = 'core/pbft/status.ts';

/** Windows and buffers, changes of the set, and what brings nodes together again. */
export const boundsMutants: readonly Mutant[] = [
  {
    name: 'future-buffer-unbounded',
    file: 'core/pbft/future.ts',
    find: 'if (share.messages.length >= countMax || engine.future.count >= ENGINE_LIMITS.futureMessagesTotal) return;',
    replace: '',
    caughtBy: 'transcripts',
  },
  {
    name: 'window-beyond-the-high-watermark',
    file: 'core/pbft/future.ts',
    find: 'if (view > engine.view || !engine.active || height > highestHeight(engine)) {',
    replace: 'if (view > engine.view || !engine.active || height > highestHeight(engine) * 1e6) {',
    caughtBy: 'transcripts',
  },
  {
    name: 'proposes-beyond-the-high-watermark',
    file: 'core/pbft/pre-prepare.ts',
    find: 'if (height > engine.stableHeight + engine.parameters.windowBlocks) return;',
    replace: '',
    caughtBy: 'transcripts',
  },
  {
    name: 'set-change-does-not-drain',
    file: 'core/pbft/pre-prepare.ts',
    find: 'if (height > headHeight(engine) && changesSet(header)) return null;',
    replace: '',
    caughtBy: 'transcripts',
  },
  {
    name: 'proposal-above-a-set-change-taken',
    file: 'core/pbft/execution.ts',
    find: '(parent.isHead || !changesSet(parent.header))',
    replace: '(parent.isHead || parent.header.height > 0)',
    caughtBy: 'transcripts',
  },
  {
    name: 'view-survives-a-set-change',
    file: RECONFIGURATION,
    find: 'engine.view = 0;',
    replace: '',
    caughtBy: 'transcripts',
  },
  {
    name: 'seat-of-the-old-set-kept',
    file: RECONFIGURATION,
    find: 'engine.seat = engine.config.findSeat(reign.set);',
    replace: '',
    caughtBy: 'transcripts',
  },
  {
    name: 'view-changes-of-the-old-set-counted',
    file: RECONFIGURATION,
    find: 'engine.viewChanges.clear();',
    replace: '',
    caughtBy: 'transcripts',
  },
  {
    name: 'future-messages-of-the-old-set-kept',
    file: RECONFIGURATION,
    find: 'engine.future.bySigner.clear();',
    replace: '',
    caughtBy: 'transcripts',
  },
  {
    name: 'signed-values-of-the-old-set-kept',
    file: RECONFIGURATION,
    find: 'engine.signedValues.clear();',
    replace: '',
    caughtBy: 'transcripts',
  },
  {
    name: 'own-log-of-the-old-set-replayed',
    file: 'core/pbft/restore.ts',
    find: 'if (signed.validatorSetId !== engine.reign.set.id) return;',
    replace: '',
    caughtBy: 'transcripts',
  },
  {
    name: 'lost-commits-never-sent-again',
    file: STATUS,
    find: 'resend(engine, { peerId }, slot.ownCommit);',
    replace: '',
    caughtBy: 'transcripts',
  },
  {
    name: 'lost-view-changes-never-sent-again',
    file: STATUS,
    find: "if (!engine.active) resend(engine, 'all', engine.ownViewChange);",
    replace: '',
    caughtBy: 'transcripts',
  },
  {
    name: 'new-view-never-sent-again',
    file: STATUS,
    find: 'if (behind && engine.active) resend(engine, { peerId }, engine.newView);',
    replace: '',
    caughtBy: 'transcripts',
  },
  {
    name: 'asks-while-idle',
    file: 'core/pbft/supervision.ts',
    find: '(!engine.active && engine.resendStreak < ENGINE_LIMITS.idleResends) ||',
    replace: 'engine.started ||',
    caughtBy: 'transcripts',
  },
];
