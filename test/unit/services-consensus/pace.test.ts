import { describe, expect, it } from 'vitest';
import { Pace, type Sight } from '../../../src/services/consensus/pace.ts';

const VIEW_TIMEOUT_MS = 600;
const LOOK_MS = VIEW_TIMEOUT_MS / 4;
const STEP_MS = 10;

type Seen = Omit<Sight, 'nowMs'>;

/**
 * When the primary is complained of; null: not in time.
 * @param see what a replica sees at a time, under a steady load
 * @param intervalMs between two commits
 */
function watch(
  pace: Pace,
  see: (nowMs: number) => Seen,
  intervalMs: number,
  durationMs: number,
  { view = 0, roomy = true } = {},
): number | null {
  for (let nowMs = STEP_MS; nowMs <= durationMs; nowMs += STEP_MS) {
    if (nowMs % intervalMs === 0) pace.committed(nowMs, roomy);
    if (nowMs % LOOK_MS === 0 && pace.look(view, { nowMs, ...see(nowMs) }, VIEW_TIMEOUT_MS)) return nowMs;
  }
  return null;
}

/** Proposes whatever waits every so often; that is committed at once. */
function lazy(intervalMs: number): (nowMs: number) => Seen {
  return nowMs => {
    const sinceMs = nowMs - (nowMs % intervalMs);
    return { oldestSinceMs: sinceMs, unproposedSinceMs: sinceMs, isUnderWay: false };
  };
}

/** Proposes at each commit what came before, as `Builder` does; a commit takes that long because of all nodes. */
function diligent(intervalMs: number): (nowMs: number) => Seen {
  return nowMs => {
    const commitMs = nowMs - (nowMs % intervalMs);
    return { oldestSinceMs: commitMs - intervalMs, unproposedSinceMs: commitMs, isUnderWay: true };
  };
}

const SLOW_MS = 0.95 * VIEW_TIMEOUT_MS;
const FAST_MS = 50;

describe('[25] the throughput floor', () => {
  it('complains of a primary just below the view timeout after four timeouts', () => {
    expect(watch(new Pace(), lazy(SLOW_MS), SLOW_MS, 2400)).toBe(2400);
  });

  it('leaves a primary alone that is fast, or whose blocks are full', () => {
    expect(watch(new Pace(), lazy(FAST_MS), FAST_MS, 60_000)).toBeNull();
    expect(watch(new Pace(), lazy(SLOW_MS), SLOW_MS, 60_000, { roomy: false })).toBeNull();
  });

  it('leaves a primary alone that proposes in time though commits take long, as on a loaded machine', () => {
    expect(watch(new Pace(), diligent(380), 380, 60_000)).toBeNull();
  });

  it('forgives one that hears of a transaction only after the commit at which it proposed', () => {
    const late = (nowMs: number) => {
      const seen = diligent(280)(nowMs);
      return { ...seen, unproposedSinceMs: seen.unproposedSinceMs! - LOOK_MS + STEP_MS };
    };
    expect(watch(new Pace(), late, 280, 60_000)).toBeNull();
  });

  it('complains of one that always has something small under way and leaves the rest waiting', () => {
    const trickle = (nowMs: number) => {
      const sinceMs = nowMs - (nowMs % 580);
      return { oldestSinceMs: sinceMs, unproposedSinceMs: sinceMs, isUnderWay: true };
    };
    expect(watch(new Pace(), trickle, FAST_MS, 2400)).toBeNull();
    const steady = (nowMs: number) => ({
      oldestSinceMs: nowMs - SLOW_MS,
      unproposedSinceMs: nowMs - SLOW_MS,
      isUnderWay: true,
    });
    expect(watch(new Pace(), steady, FAST_MS, 2400)).toBe(2400);
  });

  it('complains of one that proposes at once and keeps the commit back for more than a view timeout', () => {
    const keeping = (nowMs: number) => ({
      oldestSinceMs: nowMs - VIEW_TIMEOUT_MS - STEP_MS,
      unproposedSinceMs: null,
      isUnderWay: true,
    });
    expect(watch(new Pace(), keeping, SLOW_MS, 2400)).toBe(2400);
  });

  it('is more patient each time that nobody is better, up to a limit, and less once somebody is', () => {
    const pace = new Pace();
    let nowMs = 0;
    const next = (intervalMs: number, durationMs: number, view: number) => {
      const fromMs = nowMs;
      while (nowMs < fromMs + durationMs) {
        nowMs += STEP_MS;
        if (nowMs % intervalMs === 0) pace.committed(nowMs, true);
        const sight = { nowMs, ...lazy(intervalMs)(nowMs) };
        if (nowMs % LOOK_MS === 0 && pace.look(view, sight, VIEW_TIMEOUT_MS)) return nowMs - fromMs;
      }
      return null;
    };
    const took = Array.from({ length: 8 }, (_, view) => next(SLOW_MS, 200_000, view));
    expect(took).toEqual([2400, 4800, 9600, 19_200, 38_400, 76_800, 76_800, 76_800]);
    next(FAST_MS, 399_900, 9);
    expect(next(SLOW_MS, 2400, 10)).toBe(2400);
  });

  it('judges each view for itself', () => {
    const pace = new Pace();
    expect(watch(pace, lazy(SLOW_MS), SLOW_MS, 2250)).toBeNull();
    expect(watch(pace, lazy(SLOW_MS), SLOW_MS, 2250, { view: 1 })).toBeNull();
  });
});
