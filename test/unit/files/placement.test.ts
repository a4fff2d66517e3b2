import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { MemberId } from '../../../src/core/base/ids.ts';
import { placeFile, rankHolders, sourceOrder } from '../../../src/core/placement/placement.ts';
import { nodeSuite } from '../../../src/crypto/suite.ts';

const { sha256 } = nodeSuite;
const names = ['ann', 'bob', 'cem', 'dee', 'eve', 'fay'] as MemberId[];
const place = (copiesTarget: number, receipts: readonly MemberId[] = [], participants = names) =>
  placeFile(sha256, {
    cid: 'cid',
    author: 'eve' as MemberId,
    policy: { copiesTarget, copiesMinimum: 2 },
    participants,
    receipts,
  });

describe('placement', () => {
  it('wants every participant with a target of 0, and never more than there are', () => {
    expect([...place(0).desired].sort()).toEqual(names);
    expect(place(0).wanted).toBe(6);
    expect(place(3).desired).toHaveLength(3);
    expect(place(9).wanted).toBe(6);
  });

  it('ranks the same whatever the order of the list, and differently for each file', () => {
    expect(rankHolders(sha256, 'cid', [...names].reverse())).toEqual(rankHolders(sha256, 'cid', names));
    const firsts = new Set(Array.from({ length: 50 }, (_, file) => rankHolders(sha256, `${file}`, names)[0]));
    expect([...firsts].sort()).toEqual(names);
  });

  it('counts signed copies of current participants only', () => {
    const gone = 'gil' as MemberId;
    expect(place(3, [gone])).toMatchObject({ holders: [], condition: 'short' });
    expect(place(3, ['ann', gone] as MemberId[])).toMatchObject({ holders: ['ann'], condition: 'short' });
    expect(place(3, ['ann', 'bob'] as MemberId[]).condition).toBe('filling');
    expect(place(3, ['ann', 'bob', 'fay'] as MemberId[]).condition).toBe('complete');
    expect(place(3, ['ann'] as MemberId[], ['ann'] as MemberId[]).condition).toBe('complete');
  });

  it('counts on the author from the first moment, and on no author that is not in the phase', () => {
    for (const target of [1, 2, 3]) expect(place(target).desired[0]).toBe('eve');
    expect(place(2, ['eve'] as MemberId[]).desired).toEqual(place(2).desired);
    const rest = names.filter(name => name !== 'eve');
    expect(place(2, [], rest).desired).toEqual(rankHolders(sha256, 'cid', rest).slice(0, 2));
  });

  it('counts on nobody who is gone while there are others, and on all when there are not', () => {
    const gone = ['eve', 'ann'] as MemberId[];
    const without = (copiesTarget: number, receipts: readonly MemberId[] = []) =>
      placeFile(sha256, {
        ...{ cid: 'cid', author: 'eve' as MemberId, policy: { copiesTarget, copiesMinimum: 2 } },
        ...{ participants: names, receipts, gone },
      });
    const held = without(2, ['eve', 'ann'] as MemberId[]);
    expect(held).toMatchObject({ wanted: 2, condition: 'short' });
    expect([...held.holders].sort()).toEqual(['ann', 'eve']);
    expect(held.desired.filter(member => gone.includes(member))).toEqual([]);
    expect(without(2, ['eve', 'bob'] as MemberId[]).desired).toContain('bob');
    expect(without(4, ['bob', 'cem'] as MemberId[]).desired).not.toContain('eve');
    expect(without(5, ['ann'] as MemberId[]).desired.at(-1)).toBe('ann');
    expect([...without(0).desired].sort()).toEqual(names);
  });

  it('never moves a copy that is there, and asks no one new while enough have signed', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.constantFrom(...names), { minLength: 1 }),
        fc.subarray(names),
        fc.integer({ min: 0, max: 7 }),
        (participants, receipts, target) => {
          const { desired, holders, wanted } = place(target, receipts, participants);
          expect(desired).toHaveLength(wanted);
          expect(new Set(desired).size).toBe(desired.length);
          expect(desired.every(member => participants.includes(member))).toBe(true);
          expect(holders.every(member => participants.includes(member) && receipts.includes(member))).toBe(
            true,
          );
          const kept = desired.filter(member => holders.includes(member)).length;
          expect(kept).toBe(Math.min(wanted, holders.length));
        },
      ),
      { seed: 7 },
    );
  });

  it('gives a leaver’s files to one other and leaves the rest where they are', () => {
    const rest = names.filter(name => name !== 'cem');
    for (let file = 0; file < 50; file += 1) {
      const before = rankHolders(sha256, `${file}`, names).slice(0, 2);
      const after = rankHolders(sha256, `${file}`, rest).slice(0, 2);
      for (const member of before) if (member !== 'cem') expect(after).toContain(member);
    }
  });

  it('sends the nodes of a phase to different holders', () => {
    const holders = names.slice(0, 3);
    const firsts = new Set(names.map(self => sourceOrder(sha256, 'cid', self, holders)[0]));
    expect(firsts.size).toBeGreaterThan(1);
    expect(sourceOrder(sha256, 'cid', 'ann' as MemberId, holders)).not.toContain('ann');
  });
});
