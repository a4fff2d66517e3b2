import { describe, expect, it } from 'vitest';
import { Pace } from '../../../src/services/consensus/pace.ts';

const VIEW_TIMEOUT_MS = 600;
const LOOK_MS = VIEW_TIMEOUT_MS / 4;

/** When a primary that commits whatever waits every so often, under a steady load, is complained of; null: not in time. */
function watch(
  pace: Pace,
  intervalMs: number,
  durationMs: number,
  { view = 0, roomy = true } = {},
): number | null {
  for (let nowMs = LOOK_MS; nowMs <= durationMs; nowMs += LOOK_MS) {
    if (roomy) pace.hadRoom();
    if (pace.look(view, nowMs % intervalMs, VIEW_TIMEOUT_MS)) return nowMs;
  }
  return null;
}

describe('[25] the throughput floor', () => {
  it('complains of a primary just below the view timeout after four timeouts', () => {
    expect(watch(new Pace(), 0.95 * VIEW_TIMEOUT_MS, 2400)).toBe(2400);
  });

  it('leaves a primary alone that is fast, or whose blocks are full', () => {
    expect(watch(new Pace(), 50, 60_000)).toBeNull();
    expect(watch(new Pace(), 0.95 * VIEW_TIMEOUT_MS, 60_000, { roomy: false })).toBeNull();
  });

  it('is more patient each time that nobody is better, up to a limit, and less once somebody is', () => {
    const pace = new Pace();
    const slow = 0.95 * VIEW_TIMEOUT_MS;
    const took = Array.from({ length: 8 }, (_, view) => watch(pace, slow, 200_000, { view }));
    expect(took).toEqual([2400, 4800, 9600, 19_200, 38_400, 76_800, 76_800, 76_800]);
    watch(pace, 50, 400_000, { view: 9 });
    expect(watch(pace, slow, 2400, { view: 10 })).toBe(2400);
  });

  it('judges each view for itself', () => {
    const pace = new Pace();
    expect(watch(pace, 0.95 * VIEW_TIMEOUT_MS, 2250)).toBeNull();
    expect(watch(pace, 0.95 * VIEW_TIMEOUT_MS, 2250, { view: 1 })).toBeNull();
  });
});
