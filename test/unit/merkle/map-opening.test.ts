import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type Hash, ZERO_HASH } from '../../../src/core/base/ids.ts';
import { isReject } from '../../../src/core/base/reject.ts';
import { Reader } from '../../../src/core/codec/reader.ts';
import { Writer } from '../../../src/core/codec/writer.ts';
import { treeRoot } from '../../../src/core/merkle/log.ts';
import { mapProve, mapUpdate } from '../../../src/core/merkle/map.ts';
import {
  openMap,
  readOpening,
  siblingsIn,
  viewOfOpening,
  writeOpening,
} from '../../../src/core/merkle/map-opening.ts';
import { mergeViews, viewOfProof } from '../../../src/core/merkle/map-view.ts';
import { hashesBeside, rootWithBeside } from '../../../src/core/merkle/range.ts';
import { nodeSuite } from '../../../src/crypto/suite.ts';

const { sha256 } = nodeSuite;
const hashOf = (text: string) => createHash('sha256').update(text).digest('hex') as Hash;

/** A map of so many logs, and the opening of some of them. */
function opened(count: number, shown: readonly number[]) {
  const all = Array.from({ length: count }, (_, at) => [hashOf(`key ${at}`), hashOf(`value ${at}`)] as const);
  const map = mapUpdate(sha256, () => null, ZERO_HASH, new Map(all));
  const prove = (key: Hash) => mapProve(sha256, hash => map.added.get(hash) ?? null, map.root, key);
  const leaves = shown
    .map(at => ({ key: all[at]![0], value: all[at]![1] }))
    .sort((a, b) => (a.key < b.key ? -1 : 1));
  const view = leaves.map(({ key }) => viewOfProof(sha256, key, prove(key))).reduce(mergeViews);
  const opening = openMap(
    view,
    leaves.map(({ key }) => key),
  );
  return { root: map.root, leaves, opening, prove };
}

describe('the opening of a map', () => {
  it('gives the root for any number of keys, with no more hashes than the proofs one by one', () => {
    for (const count of [1, 2, 3, 10, 200]) {
      for (const shown of [1, 2, 3, count].filter(size => size <= count)) {
        const { root, leaves, opening, prove } = opened(
          count,
          Array.from({ length: shown }, (_, at) => at),
        );
        const view = viewOfOpening(sha256, opening, leaves);
        expect(view?.hash, `${shown} of ${count}`).toBe(root);
        const single = leaves.map(({ key }) => prove(key).siblings.filter(hash => hash !== ZERO_HASH).length);
        const most = single.reduce((sum, each) => sum + each, 0);
        // where two paths part, each has the hash of the other, which the opening leaves out
        expect(opening.hashes.length).toBeLessThanOrEqual(most - 2 * (shown - 1));
        for (const { key } of leaves) expect(siblingsIn(view!, key)).toEqual(prove(key).siblings);
        if (shown === count) expect(opening.hashes).toEqual([]);
      }
    }
  });

  it('gives another root, or none, for a changed value, key, bit or hash', () => {
    const { root, leaves, opening } = opened(50, [3, 7]);
    const rootOf = (changed: Partial<typeof opening>, of = leaves) =>
      viewOfOpening(sha256, { ...opening, ...changed }, of)?.hash;
    expect(rootOf({}, [leaves[0]!, { ...leaves[1]!, value: hashOf('other') }])).not.toBe(root);
    expect(rootOf({}, leaves.slice(0, 1))).not.toBe(root);
    for (const at of opening.bits.keys()) {
      expect(rootOf({ bits: opening.bits.with(at, !opening.bits[at]) }), `bit ${at}`).not.toBe(root);
    }
    for (const at of opening.hashes.keys()) {
      expect(rootOf({ hashes: opening.hashes.with(at, hashOf('x')) }), `hash ${at}`).not.toBe(root);
    }
    expect(rootOf({ hashes: [...opening.hashes, hashOf('x')] })).toBeUndefined();
    expect(rootOf({ bits: [...opening.bits, false] })).toBeUndefined();
    expect(rootOf({ bits: [], hashes: [] })).toBeUndefined();
    const endless = { bits: Array.from({ length: 1000 }, (_, at) => at % 2 === 0), hashes: [] };
    expect(rootOf(endless, leaves.slice(0, 1))).toBeUndefined();
  });

  it('has one form in bytes, and refuses a count that the bytes do not have', () => {
    const { opening } = opened(20, [0, 5, 9]);
    const writer = new Writer();
    writeOpening(writer, opening);
    const bytes = writer.finish();
    const read = (given: Uint8Array) => {
      const reader = new Reader(given);
      return reader.finish(readOpening(reader), 'opening');
    };
    expect(read(bytes)).toEqual(opening);
    const lastBit = 3 + Math.ceil(opening.bits.length / 8);
    const padded = bytes.slice();
    padded[lastBit]! |= 1;
    expect(opening.bits.length % 8 === 0 || isReject(read(padded))).toBe(true);
    expect(isReject(read(new Uint8Array([255, 255, 255, 255, 0])))).toBe(true);
  });
});

describe('some leaves of a tree', () => {
  it('give the root with the hashes beside them, for every choice of leaves of trees up to 7', () => {
    for (let size = 1; size <= 7; size += 1) {
      const hashes = Array.from({ length: size }, (_, at) => hashOf(`leaf ${at}`));
      const rootOf = (from: number, to: number) => treeRoot(sha256, hashes.slice(from, to));
      for (let choice = 0; choice < 2 ** size; choice += 1) {
        const positions = hashes.flatMap((_, at) => ((choice >> at) & 1 ? [at] : []));
        const beside = hashesBeside(rootOf, positions, size);
        const shown = positions.map(position => ({ position, hash: hashes[position]! }));
        const root = (given: readonly Hash[], of = shown) => rootWithBeside(sha256, of, given, size);
        expect(root(beside), `${positions} of ${size}`).toBe(rootOf(0, size));
        expect(root([...beside, hashOf('more')])).toBeNull();
        if (beside.length > 0) expect(root(beside.slice(1))).toBeNull();
        if (shown.length > 1) expect(root(beside, shown.toReversed())).toBeNull();
        expect(root(beside, [...shown, { position: size, hash: hashOf('x') }])).toBeNull();
      }
    }
  });
});
