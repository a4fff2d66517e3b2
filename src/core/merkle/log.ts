import { assert } from '../base/assert.ts';
import type { Hash, Sha256 } from '../base/ids.ts';
import type { Reader } from '../codec/reader.ts';
import { Writer } from '../codec/writer.ts';

/** Sizes are safe integers, so a tree has at most 53 levels and a frontier at most 53 hashes. */
const LEVELS_MAX = 53;
const LEAF_PREFIX = 0x00;
const NODE_PREFIX = 0x01;

/** RFC 9162 section 2.1.1: the prefix keeps a leaf from passing as a node. */
export function leafHash(sha256: Sha256, input: Uint8Array): Hash {
  return new Writer().u8(LEAF_PREFIX).raw(input).digest(sha256);
}

export function nodeHash(sha256: Sha256, left: Hash, right: Hash): Hash {
  return new Writer().u8(NODE_PREFIX).hash(left).hash(right).digest(sha256);
}

function emptyTreeRoot(sha256: Sha256): Hash {
  return sha256(new Uint8Array(0));
}

/** The roots of the perfect subtrees of the leaves [0, size), left to right: all that appending needs. */
export interface Frontier {
  readonly size: number;
  readonly hashes: readonly Hash[];
}

export const EMPTY_FRONTIER: Frontier = { size: 0, hashes: [] };

/** Bits set in a safe integer: the number of perfect subtrees of a tree of that size. */
function bitCount(size: number): number {
  let count = 0;
  for (let rest = size; rest > 0; rest = Math.floor(rest / 2)) count += rest % 2;
  return count;
}

/** Merges as many subtrees as the new size has completed; changes `hashes`. */
function pushLeaf(sha256: Sha256, hashes: Hash[], size: number, leaf: Hash): void {
  let merged = leaf;
  for (let rest = size; rest % 2 === 1; rest = Math.floor(rest / 2)) {
    const left = hashes.pop();
    assert(left !== undefined, 'a frontier has one hash a set bit of its size');
    merged = nodeHash(sha256, left, merged);
  }
  hashes.push(merged);
}

/** @param leaf the leaf's hash (`leafHash`), not its input */
export function appendLeaf(sha256: Sha256, frontier: Frontier, leaf: Hash): Frontier {
  return appendLeaves(sha256, frontier, [leaf]);
}

export function appendLeaves(sha256: Sha256, frontier: Frontier, leaves: readonly Hash[]): Frontier {
  const hashes = [...frontier.hashes];
  for (const [index, leaf] of leaves.entries()) pushLeaf(sha256, hashes, frontier.size + index, leaf);
  return { size: frontier.size + leaves.length, hashes };
}

export function frontierRoot(sha256: Sha256, frontier: Frontier): Hash {
  const { hashes } = frontier;
  if (hashes.length === 0) return emptyTreeRoot(sha256);
  return hashes.reduceRight((right, left) => nodeHash(sha256, left, right));
}

/** @param leaves leaf hashes in order */
export function treeRoot(sha256: Sha256, leaves: readonly Hash[]): Hash {
  return frontierRoot(sha256, appendLeaves(sha256, EMPTY_FRONTIER, leaves));
}

export function sameFrontier(a: Frontier, b: Frontier): boolean {
  return (
    a.size === b.size &&
    a.hashes.length === b.hashes.length &&
    a.hashes.every((hash, index) => hash === b.hashes[index])
  );
}

export function writeFrontier(writer: Writer, frontier: Frontier): void {
  writer.u64(frontier.size).list(frontier.hashes, (out, hash) => out.hash(hash));
}

export function encodeFrontier(frontier: Frontier): Uint8Array {
  const writer = new Writer();
  writeFrontier(writer, frontier);
  return writer.finish();
}

/** A frontier whose number of hashes does not fit its size is a fault of the reader. */
export function readFrontier(reader: Reader): Frontier {
  const frontier = { size: reader.u64(), hashes: reader.list(LEVELS_MAX, from => from.hash()) };
  if (frontier.hashes.length !== bitCount(frontier.size)) reader.fail('frontier does not fit its size');
  return frontier;
}

type LeafHashAt = (position: number) => Hash;

function rangeRoot(sha256: Sha256, leafHashAt: LeafHashAt, from: number, to: number): Hash {
  const hashes: Hash[] = [];
  for (let position = from; position < to; position += 1) {
    pushLeaf(sha256, hashes, position - from, leafHashAt(position));
  }
  return frontierRoot(sha256, { size: to - from, hashes });
}

/** The largest power of two below `size`, which is at least 2. */
export function splitPoint(size: number): number {
  let point = 1;
  while (point * 2 < size) point *= 2;
  return point;
}

/** RFC 9162 section 2.1.3.1, from the leaf to the root. @returns the hashes of the siblings */
export function inclusionProof(sha256: Sha256, leafHashAt: LeafHashAt, index: number, size: number): Hash[] {
  assert(index >= 0 && index < size, 'the proven leaf is in the tree');
  const path: Hash[] = [];
  let from = 0;
  let to = size;
  while (to - from > 1) {
    const middle = from + splitPoint(to - from);
    if (index < middle) {
      path.push(rangeRoot(sha256, leafHashAt, middle, to));
      to = middle;
    } else {
      path.push(rangeRoot(sha256, leafHashAt, from, middle));
      from = middle;
    }
  }
  return path.reverse();
}

export interface InclusionClaim {
  /** The leaf's hash. */
  readonly leaf: Hash;
  readonly index: number;
  readonly size: number;
  readonly path: readonly Hash[];
  readonly root: Hash;
}

const half = (value: number) => Math.floor(value / 2);

function isPosition(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

/** RFC 9162 section 2.1.3.2; a path that is longer or shorter than the size demands is refused. */
export function verifyInclusion(sha256: Sha256, claim: InclusionClaim): boolean {
  if (!isPosition(claim.index) || !isPosition(claim.size) || claim.index >= claim.size) return false;
  if (claim.path.length > LEVELS_MAX) return false;
  let node = claim.index;
  let last = claim.size - 1;
  let hash = claim.leaf;
  for (const sibling of claim.path) {
    if (last === 0) return false;
    if (node % 2 === 1 || node === last) {
      hash = nodeHash(sha256, sibling, hash);
      while (node % 2 === 0 && node !== 0) {
        node = half(node);
        last = half(last);
      }
    } else {
      hash = nodeHash(sha256, hash, sibling);
    }
    node = half(node);
    last = half(last);
  }
  return last === 0 && hash === claim.root;
}

/**
 * RFC 9162 section 2.1.4.1: shows that the tree of `second` leaves begins with the tree of `first`.
 *
 * @param rootOf root over the leaves [from, to) of a subtree
 */
export function consistencyPath(
  rootOf: (from: number, to: number) => Hash,
  first: number,
  second: number,
): Hash[] {
  assert(first >= 0 && first <= second, 'a tree is consistent with a later one only');
  const path: Hash[] = [];
  if (first === 0 || first === second) return path;
  let from = 0;
  let to = second;
  while (first !== to) {
    const middle = from + splitPoint(to - from);
    if (first <= middle) {
      path.push(rootOf(middle, to));
      to = middle;
    } else {
      path.push(rootOf(from, middle));
      from = middle;
    }
  }
  // A first tree that is a subtree of the second one is known to the verifier and is left out.
  if (from !== 0) path.push(rootOf(from, to));
  return path.reverse();
}

export function consistencyProof(
  sha256: Sha256,
  leafHashAt: LeafHashAt,
  first: number,
  second: number,
): Hash[] {
  return consistencyPath((from, to) => rangeRoot(sha256, leafHashAt, from, to), first, second);
}

export interface ConsistencyClaim {
  readonly first: number;
  readonly firstRoot: Hash;
  readonly second: number;
  readonly secondRoot: Hash;
  readonly path: readonly Hash[];
}

function isPowerOfTwo(value: number): boolean {
  return bitCount(value) === 1;
}

/** RFC 9162 section 2.1.4.2. The empty tree is consistent with every tree, with an empty path. */
export function verifyConsistency(sha256: Sha256, claim: ConsistencyClaim): boolean {
  const { first, second } = claim;
  if (!isPosition(first) || !isPosition(second) || first > second) return false;
  if (claim.path.length > LEVELS_MAX) return false;
  if (first === second) return claim.path.length === 0 && claim.firstRoot === claim.secondRoot;
  if (first === 0) return claim.path.length === 0 && claim.firstRoot === emptyTreeRoot(sha256);
  const path = isPowerOfTwo(first) ? [claim.firstRoot, ...claim.path] : claim.path;
  return climbConsistency(sha256, claim, path);
}

function climbConsistency(sha256: Sha256, claim: ConsistencyClaim, path: readonly Hash[]): boolean {
  let node = claim.first - 1;
  let last = claim.second - 1;
  while (node % 2 === 1) {
    node = half(node);
    last = half(last);
  }
  const start = path[0];
  if (start === undefined) return false;
  let firstRoot = start;
  let secondRoot = start;
  for (const sibling of path.slice(1)) {
    if (last === 0) return false;
    if (node % 2 === 1 || node === last) {
      firstRoot = nodeHash(sha256, sibling, firstRoot);
      secondRoot = nodeHash(sha256, sibling, secondRoot);
      while (node % 2 === 0 && node !== 0) {
        node = half(node);
        last = half(last);
      }
    } else {
      secondRoot = nodeHash(sha256, secondRoot, sibling);
    }
    node = half(node);
    last = half(last);
  }
  return firstRoot === claim.firstRoot && secondRoot === claim.secondRoot && last === 0;
}
