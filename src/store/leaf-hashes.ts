import { toHex } from '../core/base/bytes.ts';
import type { Hash, LogId } from '../core/base/ids.ts';
import { corrupt } from './checksum.ts';
import { keys, LEAF_HASHES_PER_PAGE } from './keyspaces.ts';

const HASH_BYTES = 32;

/** Leaf hashes [from, to) of a log out of its pages. */
export function readLeafHashes(
  logId: LogId,
  from: number,
  to: number,
  pageOf: (page: number) => Uint8Array,
): Hash[] {
  const hashes: Hash[] = [];
  for (let position = from; position < to; ) {
    const page = Math.floor(position / LEAF_HASHES_PER_PAGE);
    const first = page * LEAF_HASHES_PER_PAGE;
    const end = Math.min(to, first + LEAF_HASHES_PER_PAGE);
    const bytes = pageOf(page);
    if (bytes.length < (end - first) * HASH_BYTES) throw corrupt(keys.leafHashPage(logId, page));
    for (; position < end; position += 1) {
      const offset = (position - first) * HASH_BYTES;
      hashes.push(toHex(bytes.subarray(offset, offset + HASH_BYTES)) as Hash);
    }
  }
  return hashes;
}
