import { describe, expect, it } from 'vitest';
import type { MemberId } from '../../../src/core/base/ids.ts';
import { type PlanInput, planFile } from '../../../src/core/placement/plan.ts';
import { BlockCache } from '../../../src/services/files/block-cache.ts';
import { TaskQueue } from '../../../src/services/files/task-queue.ts';

const ann = 'ann' as MemberId;
const bob = 'bob' as MemberId;
const placement = (condition: 'complete' | 'filling' | 'short', ...desired: MemberId[]) => ({
  ...{ desired, holders: [], wanted: 2, condition },
});

const rows: readonly [string, Partial<PlanInput>, object][] = [
  ['a file that is others’ to hold', { placement: placement('filling', bob) }, { deed: 'nothing' }],
  ['one to hold, with too few copies', {}, { deed: 'fetch', urgency: 'short' }],
  [
    'one to hold, with enough copies',
    { placement: placement('filling', ann) },
    { deed: 'fetch', urgency: 'filling' },
  ],
  ['a part of it', { local: 'partial' }, { deed: 'fetch', urgency: 'short' }],
  ['a whole copy', { local: 'whole' }, { deed: 'sign' }],
  ['a whole copy that is signed for', { local: 'whole', signed: true }, { deed: 'nothing' }],
  [
    'a copy that was signed for and lost',
    { signed: true, placement: placement('complete', bob) },
    { deed: 'fetch', urgency: 'lost' },
  ],
  [
    'a pinned file that is others’ to hold',
    { pinned: true, placement: placement('complete', bob) },
    { deed: 'fetch', urgency: 'filling' },
  ],
  [
    'a purged file that is here',
    { purged: true, local: 'whole', signed: true, pinned: true },
    { deed: 'drop' },
  ],
  ['a part of a purged file', { purged: true, local: 'partial' }, { deed: 'drop' }],
  ['a purged file that is not here', { purged: true }, { deed: 'nothing' }],
];

describe('what a node does about a file', () => {
  it.each(rows)('%s', (_, changes, plan) => {
    const input = { self: ann, placement: placement('short', ann), local: 'none' as const };
    const flags = { signed: false, pinned: false, purged: false };
    expect(planFile({ ...input, ...flags, ...changes })).toEqual(plan);
  });
});

describe('the cache of served blocks', () => {
  const found = (cache: BlockCache, names: string) =>
    [...names].filter(name => cache.get(name) !== null).join('');

  it('holds at most its bytes, and forgets the oldest first: what one reader had already is no use to it', () => {
    const cache = new BlockCache(30);
    for (const name of ['a', 'b', 'c']) cache.put(name, new Uint8Array(10));
    expect(cache.get('a')).toHaveLength(10);
    cache.put('d', new Uint8Array(10));
    expect(found(cache, 'abcd')).toBe('bcd');
    cache.put('e', new Uint8Array(31));
    expect(found(cache, 'bcde')).toBe('bcd');
    cache.put('f', new Uint8Array(30));
    expect(found(cache, 'bcdf')).toBe('f');
  });

  it('takes no empty block, which would stay for ever where the memory ends', () => {
    const cache = new BlockCache(30);
    cache.put('a', new Uint8Array(30));
    cache.put('none', new Uint8Array(0));
    cache.put('b', new Uint8Array(20));
    cache.put('c', new Uint8Array(20));
    expect(found(cache, 'abc')).toBe('c');
  });

  it('gives out what was put, of any lengths and as often as it goes round, and copies of it', () => {
    const cache = new BlockCache(1000);
    for (let turn = 0; turn < 500; turn += 1) {
      const bytes = new Uint8Array(1 + ((turn * 37) % 400)).fill(turn % 251);
      cache.put(`block ${turn}`, bytes);
      for (let back = turn; back >= 0 && back > turn - 20; back -= 1) {
        const copy = cache.get(`block ${back}`);
        if (copy === null) continue;
        const sound = new Uint8Array(1 + ((back * 37) % 400)).fill(back % 251);
        expect(Buffer.compare(copy, sound)).toBe(0);
        copy.fill(255);
      }
      expect(cache.get(`block ${turn}`)).toHaveLength(bytes.length);
    }
  });

  it('holds nothing when it may not', () => {
    const cache = new BlockCache(0);
    cache.put('a', new Uint8Array(1));
    expect(cache.get('a')).toBeNull();
  });
});

describe('the queue of files to fetch', () => {
  it('gives the most urgent first, and within one urgency the first that came', () => {
    const queue = new TaskQueue<string>();
    queue.add('a', 'filling');
    queue.add('b', 'short');
    queue.add('c', 'short');
    queue.add('d', 'asked');
    queue.add('a', 'lost');
    queue.add('a', 'filling');
    const order: (string | null)[] = [];
    for (let turn = 0; turn < 5; turn += 1) order.push(queue.take(() => true));
    expect(order).toEqual(['d', 'a', 'b', 'c', null]);
  });

  it('passes over what does not fit now, and takes along what stands beside it', () => {
    const queue = new TaskQueue<number>();
    for (const task of [1, 2, 3, 4, 5]) queue.add(task, 'short');
    expect(queue.take(task => task > 1)).toBe(2);
    expect(queue.takeAlong('short', task => task < 4)).toEqual([1, 3]);
    queue.remove(4);
    expect(queue.take(() => true)).toBe(5);
  });
});
