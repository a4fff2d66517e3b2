import { assert } from '../base/assert.ts';
import { type Hash, type Sha256, ZERO_HASH } from '../base/ids.ts';
import type { Reader } from '../codec/reader.ts';
import type { Writer } from '../codec/writer.ts';
import { keyBit, mapBranchHash, mapLeafHash, splitKeys } from './map.ts';
import type { MapView } from './map-view.ts';

const DEPTH_MAX = 256;
/** Of 4,096 logs in a map of any size. */
const HASHES_MAX = 4096 * DEPTH_MAX;
const BITS_MAX = 2 * HASHES_MAX;

/**
 * One proof for several keys of a map, without a hash that its verifier can compute. From the root down, the left side first: a
 * subtree with none of the keys has a bit that says whether there is anything in it, and if so a hash; one with a single key has
 * a bit that says whether it is a branch, or the key's leaf; one with more is a branch and has no bit.
 */
export interface MapOpening {
  readonly bits: readonly boolean[];
  readonly hashes: readonly Hash[];
}

/** Proves nothing of any key. */
export const EMPTY_OPENING: MapOpening = { bits: [], hashes: [] };

/** @param keys sorted, at least one; the view leads to each of them */
export function openMap(view: MapView, keys: readonly Hash[]): MapOpening {
  const bits: boolean[] = [];
  const hashes: Hash[] = [];
  const walk = (node: MapView, depth: number, asked: readonly Hash[]): void => {
    if (asked.length === 0) {
      bits.push(node.hash !== ZERO_HASH);
      if (node.hash !== ZERO_HASH) hashes.push(node.hash);
      return;
    }
    if (asked.length === 1) bits.push(node.kind === 'branch');
    if (asked.length === 1 && node.kind === 'leaf') return;
    assert(node.kind === 'branch', 'a view leads to every key that is opened');
    const [left, right] = splitKeys(asked, depth);
    walk(node.left, depth + 1, left);
    walk(node.right, depth + 1, right);
  };
  walk(view, 0, keys);
  return { bits, hashes };
}

/**
 * The view of a map in which these keys have these values; whoever compares its hash with a certified root knows that they do.
 * @param leaves keys and values, sorted by key, at least one
 * @returns null when the opening does not fit the keys
 */
export function viewOfOpening(
  sha256: Sha256,
  opening: MapOpening,
  leaves: readonly { readonly key: Hash; readonly value: Hash }[],
): MapView | null {
  const bits = opening.bits.values();
  const hashes = opening.hashes.values();
  const values = new Map(leaves.map(({ key, value }) => [key, value]));
  const walk = (depth: number, keys: readonly Hash[]): MapView | null => {
    const bit = keys.length > 1 || bits.next().value;
    if (bit === undefined || depth > DEPTH_MAX) return null;
    if (keys.length === 0) {
      const hash = bit ? hashes.next().value : ZERO_HASH;
      return hash === undefined || (bit && hash === ZERO_HASH) ? null : { kind: 'stub', hash };
    }
    if (!bit) {
      const key = keys[0]!;
      return { kind: 'leaf', hash: mapLeafHash(sha256, key, values.get(key)!), key };
    }
    const [leftKeys, rightKeys] = splitKeys(keys, depth);
    const left = walk(depth + 1, leftKeys);
    const right = left === null ? null : walk(depth + 1, rightKeys);
    if (left === null || right === null) return null;
    return { kind: 'branch', hash: mapBranchHash(sha256, left.hash, right.hash), left, right };
  };
  const view = walk(
    0,
    leaves.map(({ key }) => key),
  );
  return bits.next().done === true && hashes.next().done === true ? view : null;
}

/** The proof of one key alone, from the root down. @param view leads to the key */
export function siblingsIn(view: MapView, key: Hash): Hash[] {
  const siblings: Hash[] = [];
  let node = view;
  for (let depth = 0; node.kind === 'branch'; depth += 1) {
    const [on, beside] = keyBit(key, depth) === 1 ? [node.right, node.left] : [node.left, node.right];
    siblings.push(beside.hash);
    node = on;
  }
  return siblings;
}

/** Number of bits, the bits (the most significant of a byte first, zeros behind the last), the hashes. */
export function writeOpening(writer: Writer, { bits, hashes }: MapOpening): void {
  const bytes = new Uint8Array(Math.ceil(bits.length / 8));
  for (const [index, bit] of bits.entries()) if (bit) bytes[index >> 3]! |= 0x80 >> (index & 7);
  writer.u32(bits.length).raw(bytes);
  writer.list(hashes, (out, hash) => out.hash(hash));
}

export function readOpening(reader: Reader): MapOpening {
  const given = reader.u32();
  if (given > BITS_MAX) reader.fail(`map opening of ${given} bits`);
  const count = reader.failed ? 0 : given;
  const bytes = reader.fixed(Math.ceil(count / 8));
  if (reader.failed) return { bits: [], hashes: [] };
  const all = Array.from(
    { length: bytes.length * 8 },
    (_, at) => (bytes[at >> 3]! & (0x80 >> (at & 7))) !== 0,
  );
  if (all.slice(count).includes(true)) reader.fail('a map opening has bits behind its last');
  return { bits: all.slice(0, count), hashes: reader.list(HASHES_MAX, from => from.hash()) };
}
