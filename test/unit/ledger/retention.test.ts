import { describe, expect, it } from 'vitest';
import { isDue, isRetained, retentionOf } from '../../../src/core/access/retention.ts';
import { decodePhaseState, encodePhaseState } from '../../../src/core/codec/state.ts';
import { LIFECYCLE } from '../../../src/core/types/operation.ts';
import { alice, bob, INTAKE, REVIEW, runningProject } from './fixture.ts';

const DAY_MS = 86_400_000;

/** A record of a phase that keeps files for two days after its end. */
function kept() {
  const { ledger, act } = runningProject();
  ledger.commit(act.policy(alice, INTAKE, { retentionDays: 2 }));
  const position = ledger.leavesOf('phase', INTAKE).length;
  ledger.commit(act.put(bob, INTAKE, 'with a file'));
  const purge = () => act.purge(alice, INTAKE, position);
  return { ledger, act, purge, now: () => ledger.head.header.timeMs };
}

describe('retention', () => {
  it('refuses a purge while the phase is open, and until its days after the end are over', () => {
    const { ledger, act, purge } = kept();
    expect(ledger.commit(purge())).toEqual(['retained']);
    expect(ledger.commit(act.close(alice, INTAKE))).toEqual(['committed']);
    const { closedMs, lifecycleHeight } = act.phase(INTAKE);
    expect([closedMs, lifecycleHeight]).toEqual([ledger.head.header.timeMs, ledger.height]);
    expect(retentionOf(act.phase(INTAKE))).toEqual({ days: 2, dueMs: closedMs + 2 * DAY_MS });
    expect(ledger.commitAt(closedMs + 2 * DAY_MS - 1, purge())).toEqual(['retained']);
    expect(ledger.commitAt(closedMs + 2 * DAY_MS, purge())).toEqual(['committed']);
  });

  it('counts from the end: archiving does not begin it anew, reopening ends it', () => {
    const { ledger, act, purge, now } = kept();
    ledger.commit(act.close(alice, INTAKE));
    const { closedMs } = act.phase(INTAKE);
    expect(ledger.commitAt(closedMs + DAY_MS, act.archivePhase(alice, INTAKE))).toEqual(['committed']);
    expect(act.phase(INTAKE)).toMatchObject({ closedMs, lifecycleHeight: ledger.height });
    expect(ledger.commitAt(closedMs + 2 * DAY_MS, purge())).toEqual(['committed']);

    const again = kept();
    again.ledger.commit(again.act.close(alice, INTAKE));
    again.ledger.commitAt(again.now() + DAY_MS, again.act.reopen(alice, INTAKE));
    expect(again.act.phase(INTAKE)).toMatchObject({ closedMs: 0, lifecycle: LIFECYCLE.open });
    expect(again.ledger.commitAt(again.now() + 9 * DAY_MS, again.purge())).toEqual(['retained']);
    again.ledger.commit(again.act.close(alice, INTAKE));
    expect(again.act.phase(INTAKE).closedMs).toBe(again.now());
    expect(now()).toBeGreaterThan(0);
  });

  it('a skipped phase has ended too, and without days files are never due and never held back', () => {
    const { ledger, act } = runningProject();
    ledger.commit(act.policy(alice, REVIEW, { retentionDays: 1 }));
    ledger.commit(act.skip(alice, REVIEW));
    const skipped = act.phase(REVIEW);
    expect(skipped.closedMs).toBe(ledger.head.header.timeMs);
    expect(isRetained(skipped, skipped.closedMs)).toBe(true);
    expect(isDue(skipped, skipped.closedMs + DAY_MS)).toBe(true);
    const intake = act.phase(INTAKE);
    expect([isDue(intake, Number.MAX_SAFE_INTEGER), isRetained(intake, 0)]).toEqual([false, false]);
    expect(retentionOf(intake)).toBeNull();
  });

  it('a shorter time set by the owner holds at once, and stands in the log', () => {
    const { ledger, act, purge } = kept();
    ledger.commit(act.close(alice, INTAKE));
    expect(ledger.commit(purge())).toEqual(['retained']);
    expect(ledger.commit(act.policy(alice, INTAKE, { retentionDays: 0 }), purge())).toEqual([
      'committed',
      'committed',
    ]);
  });

  it('is part of the certified state, and its end stays a time that programs can show', () => {
    const { act } = kept();
    const phase = { ...act.phase(INTAKE), closedMs: 5, lifecycleHeight: 7 };
    expect(decodePhaseState(encodePhaseState(phase))).toEqual(phase);
    const long = { ...phase, policy: { ...phase.policy, retentionDays: 0xffff_ffff } };
    expect(new Date(retentionOf(long)!.dueMs!).getTime()).toBe(8_640_000_000_000_000);
  });
});
