import { expect, it } from 'vitest';
import type { Clock } from '../../../src/ports/clock.ts';
import { SYNC_LIMITS } from '../../../src/services/sync/limits.ts';
import { Sources } from '../../../src/services/sync/sources.ts';

it('a source that was left out stays so when it connects again, for as long as its penalty takes', () => {
  let nowMs = 0;
  const clock = { monotonicMs: () => nowMs } as Clock;
  const sources = new Sources(clock, { ...SYNC_LIMITS, penaltyMs: 100 });
  sources.claim('liar', 50);
  sources.penalise('liar');
  sources.keepOnly([]);
  sources.keepOnly(['liar', 'other']);
  expect(sources.next(['liar', 'other'], 0, true, new Set())).toBe('other');
  nowMs = 101;
  sources.keepOnly([]);
  expect(sources.next(['liar'], 0, true, new Set())).toBe('liar');
  sources.penalise('liar');
  nowMs = 202;
  expect(sources.isUsable('liar')).toBe(true);
});
