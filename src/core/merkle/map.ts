import { assert } from '../base/assert.ts';
import { hashAt } from '../base/bytes.ts';
import { type Hash, type Sha256, ZERO_HASH } from '../base/ids.ts';
import type { Reject } from '../base/reject.ts';
import { Reader } from '../codec/reader.ts';
import { tagBytes } from '../codec/tags.ts';
import { Writer } from '../codec/writer.ts';

/**
 * The authenticated map of a block header: a binary sparse Merkle tree over 256-bit keys in which a leaf stands at the
 * shallowest depth where its key is alone, and an empty place is ZERO_HASH. The tree depends on the content only, not
 * on the order or the batching of changes. Keys are never removed: a log never goes away.
 */

/** Encoded node by its hash; null when it is not there. */
export type MapNodes = (hash: Hash) => Uint8Array | null;

const KEY_BITS = 256;
const NODE_BYTES = 65;
const KINDS = { leaf: 0, branch: 1 } as const;

interface MapLeaf {
  readonly kind: 'leaf';
  readonly key: Hash;
  readonly value: Hash;
}
interface MapBranch {
  readonly kind: 'branch';
  readonly left: Hash;
  readonly right: Hash;
}

export function mapLeafHash(sha256: Sha256, key: Hash, value: Hash): Hash {
  return new Writer().raw(tagBytes('mapLeaf')).hash(key).hash(value).digest(sha256);
}

export function mapBranchHash(sha256: Sha256, left: Hash, right: Hash): Hash {
  return new Writer().raw(tagBytes('mapBranch')).hash(left).hash(right).digest(sha256);
}

/** Bit `depth` of a key, the most significant first. */
export function keyBit(key: Hash, depth: number): 0 | 1 {
  const code = key.charCodeAt(depth >> 2);
  const nibble = code < 97 ? code - 48 : code - 87;
  return ((nibble >> (3 - (depth & 3))) & 1) as 0 | 1;
}

/** One kind byte (0 leaf, 1 branch), then key and value, or left and right. */
function encodeNode(kind: number, first: Hash, second: Hash): Uint8Array {
  return new Writer().u8(kind).hash(first).hash(second).finish();
}

export function loadNode(nodes: MapNodes, hash: Hash): MapLeaf | MapBranch {
  const bytes = nodes(hash);
  assert(bytes !== null && bytes.length === NODE_BYTES, `map node ${hash} is stored`);
  const first = hashAt(bytes, 1);
  const second = hashAt(bytes, 33);
  if (bytes[0] === KINDS.leaf) return { kind: 'leaf', key: first, value: second };
  assert(bytes[0] === KINDS.branch, 'a map node is a leaf or a branch');
  return { kind: 'branch', left: first, right: second };
}

type Change = readonly [key: Hash, value: Hash];

/** One update: each branch that changes share is loaded and hashed once. */
class MapUpdate {
  readonly added = new Map<Hash, Uint8Array>();
  readonly stale = new Set<Hash>();

  constructor(
    private readonly sha256: Sha256,
    private readonly nodes: MapNodes,
  ) {}

  /** @param changes sorted by key, all of them below this node */
  apply(hash: Hash, depth: number, changes: readonly Change[]): Hash {
    if (changes.length === 0) return hash;
    if (hash === ZERO_HASH) return this.build(depth, changes);
    const node = loadNode(this.nodes, hash);
    this.stale.add(hash);
    if (node.kind === 'leaf') return this.build(depth, withLeaf(changes, node));
    const middle = splitAt(changes, depth);
    const left = this.apply(node.left, depth + 1, changes.slice(0, middle));
    const right = this.apply(node.right, depth + 1, changes.slice(middle));
    return this.addBranch(left, right);
  }

  private build(depth: number, leaves: readonly Change[]): Hash {
    const only = leaves[0];
    if (only === undefined) return ZERO_HASH;
    if (leaves.length === 1) return this.addLeaf(only);
    const middle = splitAt(leaves, depth);
    const left = this.build(depth + 1, leaves.slice(0, middle));
    return this.addBranch(left, this.build(depth + 1, leaves.slice(middle)));
  }

  private addLeaf([key, value]: Change): Hash {
    const hash = mapLeafHash(this.sha256, key, value);
    this.added.set(hash, encodeNode(KINDS.leaf, key, value));
    return hash;
  }

  private addBranch(left: Hash, right: Hash): Hash {
    const hash = mapBranchHash(this.sha256, left, right);
    this.added.set(hash, encodeNode(KINDS.branch, left, right));
    return hash;
  }
}

function byKey(a: Change, b: Change): number {
  return a[0] < b[0] ? -1 : 1;
}

/** Index of the first change whose key has a one at `depth`. */
function splitAt(changes: readonly Change[], depth: number): number {
  const middle = changes.findIndex(([key]) => keyBit(key, depth) === 1);
  return middle < 0 ? changes.length : middle;
}

/** Sorted keys, by the side of a branch at `depth` that they are on. */
export function splitKeys(
  keys: readonly Hash[],
  depth: number,
): [left: readonly Hash[], right: readonly Hash[]] {
  const middle = keys.findIndex(key => keyBit(key, depth) === 1);
  return middle < 0 ? [keys, []] : [keys.slice(0, middle), keys.slice(middle)];
}

function withLeaf(changes: readonly Change[], leaf: MapLeaf): readonly Change[] {
  if (changes.some(([key]) => key === leaf.key)) return changes;
  return [...changes, [leaf.key, leaf.value] as const].sort(byKey);
}

export interface MapUpdateResult {
  readonly root: Hash;
  /** Encoded nodes that the old tree did not have, by hash. */
  readonly added: Map<Hash, Uint8Array>;
  /** Nodes of the old tree that the new one does not reach. */
  readonly stale: Hash[];
}

/**
 * Sets values by key.
 * @param root ZERO_HASH for the empty map; every node below it must be there (asserted)
 * @param changes values other than ZERO_HASH
 */
export function mapUpdate(
  sha256: Sha256,
  nodes: MapNodes,
  root: Hash,
  changes: ReadonlyMap<Hash, Hash>,
): MapUpdateResult {
  const update = new MapUpdate(sha256, nodes);
  const newRoot = update.apply(root, 0, [...changes].sort(byKey));
  // A leaf that only moved, or a value that stays, is dropped and added with the same hash.
  const stale: Hash[] = [];
  for (const hash of update.stale) if (!update.added.delete(hash)) stale.push(hash);
  return { root: newRoot, added: update.added, stale };
}

interface Descent {
  /** From the root down. */
  readonly siblings: Hash[];
  readonly leaf: MapLeaf | null;
}

function descend(nodes: MapNodes, root: Hash, key: Hash): Descent {
  const siblings: Hash[] = [];
  let hash = root;
  while (hash !== ZERO_HASH) {
    const node = loadNode(nodes, hash);
    if (node.kind === 'leaf') return { siblings, leaf: node };
    assert(siblings.length < KEY_BITS, 'a path of the map ends within the key');
    const right = keyBit(key, siblings.length) === 1;
    siblings.push(right ? node.left : node.right);
    hash = right ? node.right : node.left;
  }
  return { siblings, leaf: null };
}

export function mapGet(nodes: MapNodes, root: Hash, key: Hash): Hash | null {
  const { leaf } = descend(nodes, root, key);
  return leaf?.key === key ? leaf.value : null;
}

/** What stands where the key's path ends, and the siblings on the way. Proves presence and absence alike. */
export interface MapProof {
  /** From the root down; ZERO_HASH for an empty place. At most 256. */
  readonly siblings: readonly Hash[];
  /** Null when the place is empty. */
  readonly leaf: { readonly key: Hash; readonly value: Hash } | null;
}

/** Asserts what it has made, so that a damaged store stops its node instead of handing out a proof that fails. */
export function mapProve(sha256: Sha256, nodes: MapNodes, root: Hash, key: Hash): MapProof {
  const { siblings, leaf } = descend(nodes, root, key);
  const proof = { siblings, leaf: leaf === null ? null : { key: leaf.key, value: leaf.value } };
  const value = leaf?.key === key ? leaf.value : null;
  assert(
    verifyMapProof(sha256, root, key, value, proof),
    'stored map nodes have the hashes they are stored under',
  );
  return proof;
}

function sharesPrefix(a: Hash, b: Hash, bits: number): boolean {
  for (let depth = 0; depth < bits; depth += 1) if (keyBit(a, depth) !== keyBit(b, depth)) return false;
  return true;
}

/** @param value null to verify that the map has no such key */
export function verifyMapProof(
  sha256: Sha256,
  root: Hash,
  key: Hash,
  value: Hash | null,
  proof: MapProof,
): boolean {
  const { siblings, leaf } = proof;
  if (siblings.length > KEY_BITS) return false;
  if (value !== null && (leaf === null || leaf.key !== key || leaf.value !== value)) return false;
  if (value === null && leaf !== null && leaf.key === key) return false;
  if (leaf !== null && !sharesPrefix(leaf.key, key, siblings.length)) return false;
  let hash = leaf === null ? ZERO_HASH : mapLeafHash(sha256, leaf.key, leaf.value);
  for (let depth = siblings.length - 1; depth >= 0; depth -= 1) {
    const sibling = siblings[depth]!;
    hash =
      keyBit(key, depth) === 1 ? mapBranchHash(sha256, sibling, hash) : mapBranchHash(sha256, hash, sibling);
  }
  return hash === root;
}

/** Depth, one bit a sibling (1 = not empty), the siblings that are not empty, the leaf. One form a proof. */
export function writeMapProof(writer: Writer, proof: MapProof): void {
  const bitmap = new Uint8Array(Math.ceil(proof.siblings.length / 8));
  const present = proof.siblings.filter(hash => hash !== ZERO_HASH);
  for (const [depth, hash] of proof.siblings.entries()) {
    if (hash !== ZERO_HASH) bitmap[depth >> 3]! |= 0x80 >> (depth & 7);
  }
  writer.u16(proof.siblings.length).raw(bitmap);
  for (const hash of present) writer.hash(hash);
  writer.bool(proof.leaf !== null);
  if (proof.leaf !== null) writer.hash(proof.leaf.key).hash(proof.leaf.value);
}

export function readMapProof(reader: Reader): MapProof {
  const depth = reader.u16();
  if (depth > KEY_BITS) reader.fail(`map proof of ${depth} siblings`);
  const count = reader.failed ? 0 : depth;
  const bitmap = reader.fixed(Math.ceil(count / 8));
  const siblings: Hash[] = [];
  for (let index = 0; index < bitmap.length * 8 && !reader.failed; index += 1) {
    const present = (bitmap[index >> 3]! & (0x80 >> (index & 7))) !== 0;
    if (index >= count) {
      if (present) reader.fail('map proof names a sibling below its depth');
      continue;
    }
    const hash = present ? reader.hash() : ZERO_HASH;
    if (present && hash === ZERO_HASH) reader.fail('map proof spells out an empty sibling');
    siblings.push(hash);
  }
  const leaf = reader.bool() ? { key: reader.hash(), value: reader.hash() } : null;
  return { siblings, leaf };
}

export function encodeMapProof(proof: MapProof): Uint8Array {
  const writer = new Writer();
  writeMapProof(writer, proof);
  return writer.finish();
}

export function decodeMapProof(bytes: Uint8Array): MapProof | Reject {
  const reader = new Reader(bytes);
  return reader.finish(readMapProof(reader), 'map proof');
}
