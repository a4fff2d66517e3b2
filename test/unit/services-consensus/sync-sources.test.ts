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

it('believes a head that more claim than may lie, and as little as anybody claims where few do', () => {
  const sources = new Sources({ monotonicMs: () => 0 } as Clock, SYNC_LIMITS);
  expect(sources.claimed(['a', 'b', 'liar'], 1)).toBe(0);
  sources.claim('liar', 2 ** 40);
  expect(sources.claimed(['a', 'b', 'liar'], 1)).toBe(2 ** 40);
  sources.claim('a', 7);
  expect(sources.claimed(['a', 'b', 'liar'], 1)).toBe(7);
  sources.claim('b', 9);
  expect(sources.claimed(['a', 'b', 'liar'], 1)).toBe(9);
  expect(sources.claimed(['a', 'b', 'liar'], 0)).toBe(2 ** 40);
  sources.penalise('liar');
  expect(sources.claimed(['a', 'b', 'liar'], 0)).toBe(9);
});

it('a source that is silent is left out for longer each time, and its claim is worth nothing, until it helps', () => {
  let nowMs = 0;
  const clock = { monotonicMs: () => nowMs } as Clock;
  const sources = new Sources(clock, { ...SYNC_LIMITS, silenceMs: 100, silenceMsMax: 200 });
  const usableAfter = () => {
    const from = nowMs;
    while (!sources.isUsable('slow')) nowMs += 1;
    return nowMs - from;
  };
  sources.claim('slow', 50);
  sources.silent('slow');
  expect(usableAfter()).toBe(100);
  expect(sources.claimed(['slow'], 0)).toBe(0);
  for (const ms of [200, 200]) {
    sources.silent('slow');
    expect(usableAfter()).toBe(ms);
  }
  sources.helped('slow');
  sources.silent('slow');
  expect(usableAfter()).toBe(100);
});
