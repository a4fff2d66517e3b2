import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Hash, ZERO_HASH } from '../../../src/core/base/ids.ts';
import { isReject } from '../../../src/core/base/reject.ts';
import { type MapNodes, mapProve, mapUpdate } from '../../../src/core/merkle/map.ts';
import {
  changedKeys,
  followStep,
  hasValue,
  type MapView,
  mergeViews,
  stepProof,
  viewOfProof,
} from '../../../src/core/merkle/map-view.ts';

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex') as Hash;
const seed = Number(process.env.PHASELINE_SEED ?? Date.now() % 1_000_000);
console.log(`map-view.test seed ${seed} (PHASELINE_SEED repeats it)`);

const hashOf = (text: string) => createHash('sha256').update(text).digest('hex') as Hash;
/** Few bits differ, so that keys share long paths. */
const keyOf = (number: number) => `${number.toString(16).padStart(2, '0')}${'5'.repeat(62)}` as Hash;

/** Nodes of every map that was. */
class Maps {
  readonly nodes = new Map<Hash, Uint8Array>();
  readonly get: MapNodes = hash => this.nodes.get(hash) ?? null;
  readonly roots: Hash[] = [ZERO_HASH];
  readonly values: ReadonlyMap<Hash, Hash>[] = [new Map()];

  get root(): Hash {
    return this.roots.at(-1)!;
  }

  update(changes: ReadonlyMap<Hash, Hash>): void {
    const { root, added } = mapUpdate(sha256, this.get, this.root, changes);
    for (const [hash, node] of added) this.nodes.set(hash, node);
    this.roots.push(root);
    this.values.push(new Map([...this.values.at(-1)!, ...changes]));
  }

  view(keys: readonly Hash[], root = this.root): MapView {
    const views = keys.map(key => viewOfProof(sha256, key, mapProve(sha256, this.get, root, key)));
    return views.reduce(mergeViews);
  }
}

const changesOf = (numbers: readonly number[], round: number) =>
  new Map(numbers.map(number => [keyOf(number), hashOf(`${number} in ${round}`)]));
const number = fc.integer({ min: 0, max: 255 });

describe('view of a map', () => {
  it('[77] follows any changes from one map to the next, knows which of its keys changed, and believes nothing else', () => {
    const rounds = fc.array(fc.uniqueArray(number, { minLength: 1, maxLength: 8 }), {
      minLength: 2,
      maxLength: 8,
    });
    const property = fc.property(
      rounds,
      fc.uniqueArray(number, { minLength: 1, maxLength: 40 }),
      fc.nat(),
      (all, own, flip) => {
        const maps = new Maps();
        const keys = own.map(keyOf).sort();
        maps.update(changesOf(own, 0));
        let view = maps.view(keys);
        for (const [round, numbers] of all.entries()) {
          const before = maps.root;
          const earlier = maps.values.at(-1)!;
          maps.update(changesOf(numbers, round % 3));
          const now = maps.values.at(-1)!;
          const changed = keys.filter(key => earlier.get(key) !== now.get(key));
          expect(changedKeys(maps.get, before, maps.root, keys).sort()).toEqual(changed);
          for (const key of keys) expect(hasValue(maps.get, before, key, earlier.get(key)!)).toBe(true);
          const same = keys.filter(key => !changed.includes(key));
          const step = stepProof(maps.get, before, maps.root, same);
          const next = followStep(sha256, view, same, step);
          if (isReject(next)) throw new Error(next.detail);
          expect(next.hash).toBe(maps.root);
          const forged = step.slice();
          forged[flip % step.length]! ^= 1 << (flip % 8);
          // one step may be written in two ways, but none says of a changed key that it is as it was
          for (const key of changed) {
            for (const bytes of [step, forged]) {
              const claimed = followStep(sha256, view, [...same, key].sort(), bytes);
              expect(isReject(claimed) || claimed.hash !== maps.root).toBe(true);
            }
          }
          view = changed.length === 0 ? next : mergeViews(next, maps.view(changed));
          expect(view.hash).toBe(maps.root);
        }
      },
    );
    fc.assert(property, { seed, numRuns: 300 });
  });

  it('takes bytes in proportion to what changed near its keys, not to their number', () => {
    const maps = new Maps();
    const logs = Array.from({ length: 2_000 }, (_, index) => hashOf(`log ${index}`));
    maps.update(new Map(logs.map(key => [key, hashOf(`first ${key}`)])));
    const own = logs.slice(0, 1_000).sort();
    const view = maps.view(own);
    const before = maps.root;
    maps.update(new Map(logs.slice(1_000, 1_003).map(key => [key, hashOf(`second ${key}`)])));
    const step = stepProof(maps.get, before, maps.root, own);
    const next = followStep(sha256, view, own, step);
    expect(isReject(next) ? next : next.hash).toBe(maps.root);
    expect(step.length).toBeLessThan(3 * 64);
  });

  it('says that all keys changed where the earlier map is no longer stored', () => {
    const maps = new Maps();
    maps.update(changesOf([1, 2, 3], 0));
    const before = maps.root;
    maps.update(changesOf([9], 1));
    maps.nodes.delete(before);
    const keys = [1, 2, 3].map(keyOf);
    expect(changedKeys(maps.get, before, maps.root, keys)).toEqual(keys);
    expect(hasValue(maps.get, before, keys[0]!, maps.values[1]!.get(keys[0]!)!)).toBe(false);
  });
});
