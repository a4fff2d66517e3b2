import type { Mutant } from './mutant.ts';

const PACE = 'services/consensus/pace.ts';
const SUPERVISOR = 'services/consensus/supervisor.ts';
const CAUGHT_BY_PACE = ['test/unit/services-consensus/pace.test.ts'];
const CAUGHT_BY_SUPERVISOR = ['test/unit/services-consensus/supervisor.test.ts'];

/** A primary that is slow, or leaves somebody out, and what the others must be told of. */
export const supervisionMutants: readonly Mutant[] = [
  {
    name: 'slow-primary-never-complained-of',
    file: PACE,
    find: 'const slow = this.roomy && this.lateLooks * 2 > this.looks;',
    replace: 'const slow = this.lateLooks < 0;',
    caughtBy: CAUGHT_BY_PACE,
  },
  {
    name: 'primary-with-full-blocks-taken-for-slow',
    file: PACE,
    find: 'const slow = this.roomy && this.lateLooks * 2 > this.looks;',
    replace: 'const slow = this.lateLooks * 2 > this.looks;',
    caughtBy: CAUGHT_BY_PACE,
  },
  {
    name: 'slow-on-a-loaded-machine-taken-for-late',
    file: PACE,
    find: 'return isUnderWay ? null : Math.max(sinceMs, this.commitsAtMs.at(-1) ?? sinceMs);',
    replace: 'return sinceMs;',
    caughtBy: CAUGHT_BY_PACE,
  },
  {
    name: 'patience-never-grows',
    file: PACE,
    find: 'slow ? Math.min(this.patience * 2, PATIENCE_MAX)',
    replace: 'slow ? this.patience',
    caughtBy: CAUGHT_BY_PACE,
  },
  {
    name: 'views-judged-together',
    file: PACE,
    find: 'if (view !== this.view) this.begin(view);',
    replace: '',
    caughtBy: CAUGHT_BY_PACE,
  },
  {
    name: 'left-out-transaction-never-complained-of',
    file: SUPERVISOR,
    find: "if (this.leavesOut(sight, viewTimeoutMs)) this.config.complain('the primary leaves transactions out');",
    replace: '',
    caughtBy: CAUGHT_BY_SUPERVISOR,
  },
  {
    name: 'member-passed-over-never-complained-of',
    file: 'services/consensus/turns.ts',
    find: 'if (passed.length === 0) return false;',
    replace: 'return false;',
    caughtBy: CAUGHT_BY_SUPERVISOR,
  },
  {
    name: 'turns-not-counted-in-blocks',
    file: 'services/consensus/turns.ts',
    find: 'if (senders.has(member)) this.waiting.delete(member);',
    replace: '',
    caughtBy: CAUGHT_BY_SUPERVISOR,
  },
  {
    name: 'primary-charged-with-the-wait-before-its-view',
    file: SUPERVISOR,
    find: 'const sinceMs = Math.max(unproposedSinceMs, this.viewSinceMs);',
    replace: 'const sinceMs = unproposedSinceMs;',
    caughtBy: CAUGHT_BY_SUPERVISOR,
  },
  {
    name: 'proposed-transaction-taken-for-left-out',
    file: SUPERVISOR,
    find: 'for (const { entries } of blocks) for (const { id } of entries) named.add(id);',
    replace: '',
    caughtBy: CAUGHT_BY_SUPERVISOR,
  },
  {
    name: 'others-reminded-at-every-look',
    file: SUPERVISOR,
    find: 'reminders(nowMs - sinceMs, viewTimeoutMs) > reminders(lookedAtMs - sinceMs, viewTimeoutMs);',
    replace: 'nowMs - sinceMs > Math.min(viewTimeoutMs, lookedAtMs);',
    caughtBy: CAUGHT_BY_SUPERVISOR,
  },
  {
    name: 'others-never-reminded',
    file: SUPERVISOR,
    find: 'for (const peer of chain.connectedValidators()) pool.announce(peer, ids);',
    replace: '',
    caughtBy: CAUGHT_BY_SUPERVISOR,
  },
];
