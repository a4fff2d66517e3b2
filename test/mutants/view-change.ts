import type { Mutant } from './mutant.ts';

const VERIFY = 'core/pbft/verify.ts';
const WINDOW = 'core/pbft/new-view-window.ts';
const VIEW_CHANGE = 'core/pbft/view-change.ts';
const NEW_VIEW = 'core/pbft/new-view.ts';
const COMPLAINTS = 'core/pbft/complaints.ts';
const SUPERVISION = 'core/pbft/supervision.ts';
const STATE = 'core/pbft/state.ts';
const BLOCKS = 'core/pbft/blocks.ts';
const UNIT = ['test/unit/pbft/view-change.test.ts'];

/** How a view ends, what the next one starts with, and who may ask for it. */
export const viewChangeMutants: readonly Mutant[] = [
  {
    name: 'lowest-prepared-view-chosen',
    file: WINDOW,
    find: 'proof.certificate.view > known.certificate.view',
    replace: 'proof.certificate.view < known.certificate.view',
    caughtBy: 'simulation',
    quick: true,
  },
  {
    name: 'lowest-head-taken-for-the-base',
    file: WINDOW,
    find: 'if (head.header.height > base.header.height) base = head;',
    replace: 'if (head.header.height < base.header.height) base = head;',
    caughtBy: 'simulation',
  },
  {
    name: 'hole-not-cut',
    file: WINDOW,
    find: 'if (proof === undefined || proof.header.parentHash !== parentHash) return { base, blocks };',
    replace:
      'if (proof === undefined && height < base.header.height + 256) continue; if (proof === undefined || (candidates.has(height - 1) && proof.header.parentHash !== parentHash)) return { base, blocks };',
    caughtBy: UNIT,
  },
  {
    name: 'parent-mismatch-not-cut',
    file: WINDOW,
    find: 'if (proof === undefined || proof.header.parentHash !== parentHash) return { base, blocks };',
    replace: 'if (proof === undefined) return { base, blocks };',
    caughtBy: UNIT,
  },
  {
    name: 'prepared-proof-unchecked',
    file: VERIFY,
    find: "if (!certifiesHeader(suite, reign, 'prepare', header, certificate)) return false;",
    replace: '',
    caughtBy: 'transcripts',
  },
  {
    name: 'prepared-proof-of-the-asked-view',
    file: VERIFY,
    find: 'if (certificate.view >= viewChange.view) return false;',
    replace: '',
    caughtBy: 'transcripts',
  },
  {
    name: 'shown-head-unchecked',
    file: VERIFY,
    find: 'verifyShownHead(suite, reign, viewChange.head) &&',
    replace: '',
    caughtBy: 'transcripts',
  },
  {
    name: 'new-view-not-recomputed',
    file: VERIFY,
    find: 'chosen.blocks.length === newView.window.length &&',
    replace: 'chosen.blocks.length >= 0 ||',
    caughtBy: 'transcripts',
  },
  {
    name: 'new-view-of-anyone',
    file: VERIFY,
    find: 'newView.view === 0 || signed.signer !== primaryIndex(validators.length, newView.view)',
    replace: 'newView.view === 0',
    caughtBy: 'transcripts',
  },
  {
    name: 'short-new-view-accepted',
    file: VERIFY,
    find: 'if (newView.viewChanges.length < quorumSize(validators.length)) return false;',
    replace: '',
    caughtBy: 'transcripts',
  },
  {
    name: 'view-changes-in-new-view-unverified',
    file: VERIFY,
    find: 'if (!verifyConsensusMessage(suite, reign, { signed: nested, content })) return false;',
    replace: '',
    caughtBy: 'transcripts',
  },
  {
    name: 'duplicate-signers-in-new-view',
    file: VERIFY,
    find: 'nested.signer <= previous',
    replace: 'nested.signer < previous',
    caughtBy: 'transcripts',
  },
  {
    name: 'new-view-from-one-too-few',
    file: NEW_VIEW,
    find: 'if (fitting.length < quorum(engine)) return null;',
    replace: 'if (fitting.length < quorum(engine) - 1) return null;',
    caughtBy: 'simulation',
    quick: true,
  },
  {
    name: 'view-changes-for-other-views-counted',
    file: 'core/pbft/new-view.ts',
    find: '.filter(({ content }) => content.view === engine.view)',
    replace: '',
    caughtBy: 'simulation',
  },
  {
    name: 'prepared-log-dropped-in-view-change',
    file: STATE,
    find: 'slot.preparedHere = false;',
    replace: 'slot.preparedHere = false; slot.preparedProof = null;',
    caughtBy: 'simulation',
  },
  {
    name: 'prepared-proofs-not-shown',
    file: VIEW_CHANGE,
    find: 'slot.preparedProof === null ? [] : [slot.preparedProof]',
    replace: 'slot.preparedProof === null ? [] : []',
    caughtBy: 'simulation',
  },
  {
    name: 'prepares-of-the-old-view-kept',
    file: STATE,
    find: 'slot.prepares.clear();',
    replace: '',
    caughtBy: 'simulation',
  },
  {
    name: 'commits-of-the-old-view-kept',
    file: STATE,
    find: 'slot.commits.clear();',
    replace: '',
    caughtBy: 'simulation',
  },
  {
    name: 'nothing-cut-above-the-window',
    file: NEW_VIEW,
    find: 'cutAbove(engine, engine.viewTop);',
    replace: '',
    caughtBy: 'transcripts',
  },
  {
    name: 'primary-may-propose-in-the-window-again',
    file: 'core/pbft/pre-prepare.ts',
    find: 'if (slot.proposed || slot.decided !== null || height <= engine.viewTop) return;',
    replace: 'if (slot.decided !== null) return; slot.reproposed = false;',
    caughtBy: 'transcripts',
  },
  {
    name: 'old-new-view-followed',
    file: NEW_VIEW,
    find: 'if (view < engine.view) return;',
    replace: '',
    caughtBy: 'simulation',
  },
  {
    name: 'jump-on-one-view-change',
    file: VIEW_CHANGE,
    find: 'views[witnesses(engine) - 1] ?? 0',
    replace: 'views[0] ?? 0',
    caughtBy: 'transcripts',
  },
  {
    name: 'jump-on-one-complaint',
    file: COMPLAINTS,
    find: 'return against.size >= witnesses(engine);',
    replace: 'return against.size >= 1;',
    caughtBy: 'transcripts',
  },
  {
    name: 'complaint-counted-twice',
    file: COMPLAINTS,
    find: 'if (view > engine.view || counts) against.add(signer);',
    replace: 'if (view > engine.view || counts) against.add(signer + 1000);',
    caughtBy: 'transcripts',
  },
  {
    name: 'lasting-complaint-answered-by-progress',
    file: COMPLAINTS,
    find: 'lasting || height >= headHeight(engine) :',
    replace: 'height >= headHeight(engine) :',
    caughtBy: 'transcripts',
  },
  {
    name: 'timer-never-backs-off',
    file: SUPERVISION,
    find: 'return Math.min(base * 2 ** exponent, viewTimeoutMsMax);',
    replace: 'return Math.min(base * 2 ** Math.min(exponent, 0), viewTimeoutMsMax);',
    caughtBy: 'transcripts',
  },
  {
    name: 'timer-without-a-cap',
    file: SUPERVISION,
    find: 'return Math.min(base * 2 ** exponent, viewTimeoutMsMax);',
    replace: 'return Math.max(base * 2 ** exponent, Math.min(base, viewTimeoutMsMax));',
    caughtBy: 'transcripts',
  },
  {
    name: 'timer-never-resets',
    file: 'core/pbft/head.ts',
    find: 'if (engine.active) engine.fruitlessViews = 0;',
    replace: '',
    caughtBy: 'transcripts',
  },
  {
    name: 'wait-for-a-new-view-not-timed',
    file: SUPERVISION,
    find: 'return viewChangesFrom(engine, engine.view) >= quorum(engine) ?',
    replace: 'return viewChangesFrom(engine, engine.view) > 1e9 ?',
    caughtBy: 'simulation',
  },
  {
    name: 'primary-not-supervised',
    file: SUPERVISION,
    find: 'if (isPrimary(engine) || !(engine.waiting || hasUndecided(engine))) return null;',
    replace: 'if (engine.started) return null;',
    caughtBy: 'simulation',
  },
  {
    name: 'overlay-kept-after-view-change',
    file: BLOCKS,
    find: "emit(engine, { type: 'discard', blockHashes: gone.map(({ hash }) => hash) });",
    replace: '',
    caughtBy: 'transcripts',
  },
  {
    name: 'cut-transactions-lost',
    file: BLOCKS,
    find: "emit(engine, { type: 'returnToPool', blocks: gone.map(({ block }) => block) });",
    replace: '',
    caughtBy: 'transcripts',
  },
];
