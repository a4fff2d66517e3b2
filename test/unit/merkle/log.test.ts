import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { fromHex, toHex, utf8 } from '../../../src/core/base/bytes.ts';
import type { Hash } from '../../../src/core/base/ids.ts';
import { isReject } from '../../../src/core/base/reject.ts';
import { Reader } from '../../../src/core/codec/reader.ts';
import { Writer } from '../../../src/core/codec/writer.ts';
import {
  appendLeaf,
  appendLeaves,
  consistencyProof,
  EMPTY_FRONTIER,
  encodeFrontier,
  type Frontier,
  frontierRoot,
  inclusionProof,
  leafHash,
  readFrontier,
  treeRoot,
  verifyConsistency,
  verifyInclusion,
} from '../../../src/core/merkle/log.ts';

interface Vectors {
  readonly leaves: readonly string[];
  readonly roots: readonly string[];
  readonly inclusion: readonly { readonly index: number; readonly size: number; readonly path: string[] }[];
  readonly consistency: readonly {
    readonly first: number;
    readonly second: number;
    readonly path: string[];
  }[];
}

const vectors = JSON.parse(
  readFileSync(new URL('../../vectors/rfc9162.json', import.meta.url), 'utf8'),
) as Vectors;

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex') as Hash;
const digest = (...parts: Uint8Array[]) =>
  parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest();

/** MTH, PATH and SUBPROOF of RFC 9162, word for word over inputs: shares no code with the module under test. */
function naiveRoot(inputs: readonly Uint8Array[]): Uint8Array {
  if (inputs.length === 0) return digest();
  if (inputs.length === 1) return digest(new Uint8Array([0]), inputs[0]!);
  const k = 2 ** Math.floor(Math.log2(inputs.length - 1));
  return digest(new Uint8Array([1]), naiveRoot(inputs.slice(0, k)), naiveRoot(inputs.slice(k)));
}

function naivePath(m: number, inputs: readonly Uint8Array[]): string[] {
  if (inputs.length === 1) return [];
  const k = 2 ** Math.floor(Math.log2(inputs.length - 1));
  return m < k
    ? [...naivePath(m, inputs.slice(0, k)), toHex(naiveRoot(inputs.slice(k)))]
    : [...naivePath(m - k, inputs.slice(k)), toHex(naiveRoot(inputs.slice(0, k)))];
}

function naiveSubproof(m: number, inputs: readonly Uint8Array[], whole: boolean): string[] {
  if (m === inputs.length) return whole ? [] : [toHex(naiveRoot(inputs))];
  const k = 2 ** Math.floor(Math.log2(inputs.length - 1));
  return m <= k
    ? [...naiveSubproof(m, inputs.slice(0, k), whole), toHex(naiveRoot(inputs.slice(k)))]
    : [...naiveSubproof(m - k, inputs.slice(k), false), toHex(naiveRoot(inputs.slice(0, k)))];
}

const inputs = Array.from({ length: 70 }, (_, index) => utf8(`entry ${index}`));
const leaves = inputs.map(input => leafHash(sha256, input));
const at = (position: number) => leaves[position]!;
const root = (size: number) => treeRoot(sha256, leaves.slice(0, size));

function flip(hash: Hash, byte: number): Hash {
  const bytes = fromHex(hash)!;
  bytes[byte]! ^= 1;
  return toHex(bytes) as Hash;
}

describe('published vectors (the eight leaves of the Certificate Transparency reference tests)', () => {
  const published = vectors.leaves.map(hex => leafHash(sha256, fromHex(hex)!));

  it('has their root at every size, the empty tree included', () => {
    vectors.roots.forEach((expected, size) => {
      expect(treeRoot(sha256, published.slice(0, size))).toBe(expected);
    });
  });

  it('makes and accepts their inclusion proofs', () => {
    for (const { index, size, path } of vectors.inclusion) {
      expect(inclusionProof(sha256, position => published[position]!, index, size)).toEqual(path);
      const claim = { leaf: published[index]!, index, size, path: path as Hash[] };
      expect(verifyInclusion(sha256, { ...claim, root: vectors.roots[size] as Hash })).toBe(true);
    }
  });

  it('makes and accepts their consistency proofs', () => {
    for (const { first, second, path } of vectors.consistency) {
      expect(consistencyProof(sha256, position => published[position]!, first, second)).toEqual(path);
      const firstRoot = vectors.roots[first] as Hash;
      const secondRoot = vectors.roots[second] as Hash;
      expect(verifyConsistency(sha256, { first, firstRoot, second, secondRoot, path: path as Hash[] })).toBe(
        true,
      );
    }
  });
});

describe('log tree against the recursive definition', () => {
  it('gives the same roots, one leaf at a time and in batches', () => {
    let frontier: Frontier = EMPTY_FRONTIER;
    for (let size = 0; size <= inputs.length; size += 1) {
      const expected = toHex(naiveRoot(inputs.slice(0, size)));
      expect(frontierRoot(sha256, frontier)).toBe(expected);
      const split = appendLeaves(sha256, EMPTY_FRONTIER, leaves.slice(0, size >> 1));
      expect(appendLeaves(sha256, split, leaves.slice(size >> 1, size))).toEqual(frontier);
      if (size < inputs.length) frontier = appendLeaf(sha256, frontier, at(size));
    }
  });

  it('gives the same inclusion and consistency paths', () => {
    for (let size = 1; size <= 40; size += 1) {
      for (let index = 0; index < size; index += 1) {
        expect(inclusionProof(sha256, at, index, size)).toEqual(naivePath(index, inputs.slice(0, size)));
      }
      for (let first = 1; first <= size; first += 1) {
        const expected = naiveSubproof(first, inputs.slice(0, size), true);
        expect(consistencyProof(sha256, at, first, size)).toEqual(expected);
      }
    }
  });
});

describe('log proofs that are not exactly right', () => {
  it('refuses each byte of an inclusion path changed, the path longer, shorter, or for another place', () => {
    for (const [index, size] of [
      [0, 1],
      [5, 7],
      [6, 7],
      [33, 70],
      [69, 70],
    ] as const) {
      const path = inclusionProof(sha256, at, index, size);
      const claim = { leaf: at(index), index, size, path, root: root(size) };
      expect(verifyInclusion(sha256, claim)).toBe(true);
      for (const [level, hash] of path.entries()) {
        for (let byte = 0; byte < 32; byte += 1) {
          expect(verifyInclusion(sha256, { ...claim, path: path.with(level, flip(hash, byte)) })).toBe(false);
        }
      }
      expect(verifyInclusion(sha256, { ...claim, path: [...path, at(0)] })).toBe(false);
      if (path.length > 0) expect(verifyInclusion(sha256, { ...claim, path: path.slice(1) })).toBe(false);
      expect(verifyInclusion(sha256, { ...claim, index: index + 1 })).toBe(false);
      expect(verifyInclusion(sha256, { ...claim, leaf: at((index + 1) % 70) })).toBe(false);
      for (const wrong of [-1, 0.5, Number.NaN, 2 ** 53]) {
        expect(verifyInclusion(sha256, { ...claim, index: wrong })).toBe(false);
        expect(verifyInclusion(sha256, { ...claim, size: wrong })).toBe(false);
      }
    }
  });

  it('refuses each byte of a consistency path or root changed, and going back', () => {
    for (const [first, second] of [
      [1, 2],
      [4, 9],
      [6, 7],
      [33, 70],
      [64, 70],
    ] as const) {
      const path = consistencyProof(sha256, at, first, second);
      const claim = { first, firstRoot: root(first), second, secondRoot: root(second), path };
      expect(verifyConsistency(sha256, claim)).toBe(true);
      for (const [level, hash] of path.entries()) {
        for (let byte = 0; byte < 32; byte += 1) {
          expect(verifyConsistency(sha256, { ...claim, path: path.with(level, flip(hash, byte)) })).toBe(
            false,
          );
        }
      }
      expect(verifyConsistency(sha256, { ...claim, path: [...path, at(0)] })).toBe(false);
      expect(verifyConsistency(sha256, { ...claim, path: path.slice(1) })).toBe(false);
      expect(verifyConsistency(sha256, { ...claim, firstRoot: flip(claim.firstRoot, 31) })).toBe(false);
      expect(verifyConsistency(sha256, { ...claim, secondRoot: flip(claim.secondRoot, 0) })).toBe(false);
      expect(verifyConsistency(sha256, { ...claim, first: second, second: first })).toBe(false);
    }
  });

  it('knows the edges: equal sizes and the empty tree', () => {
    const same = { first: 7, firstRoot: root(7), second: 7, secondRoot: root(7), path: [] };
    expect(verifyConsistency(sha256, same)).toBe(true);
    expect(verifyConsistency(sha256, { ...same, secondRoot: root(8) })).toBe(false);
    const empty = { first: 0, firstRoot: root(0), second: 7, secondRoot: root(7), path: [] };
    expect(verifyConsistency(sha256, empty)).toBe(true);
    expect(verifyConsistency(sha256, { ...empty, firstRoot: root(1) })).toBe(false);
  });
});

describe('frontier bytes', () => {
  it('decode to what was encoded, and refuse a number of hashes that does not fit the size', () => {
    const frontier = appendLeaves(sha256, EMPTY_FRONTIER, leaves.slice(0, 13));
    const reader = new Reader(encodeFrontier(frontier));
    expect(reader.finish(readFrontier(reader), 'frontier')).toEqual(frontier);
    const bad = new Reader(
      new Writer()
        .u64(4)
        .list([at(0), at(1)], (out, hash) => out.hash(hash))
        .finish(),
    );
    expect(isReject(bad.finish(readFrontier(bad), 'frontier'))).toBe(true);
  });
});
