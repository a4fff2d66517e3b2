import { assert, assertDefined } from '../core/base/assert.ts';
import { concatBytes, hashBytes } from '../core/base/bytes.ts';
import type { Hash, LogId } from '../core/base/ids.ts';
import { isReject } from '../core/base/reject.ts';
import { decodeSystemState, STATE_KEYS } from '../core/codec/state.ts';
import { changesSet } from '../core/light/trust.ts';
import type { Diff, NewLeaf } from '../core/types/state.ts';
import type { ChainStore, StoredBlock } from '../ports/chain-store.ts';
import type { KvOperation } from '../ports/kv.ts';
import {
  encodeHashes,
  encodeHeight,
  encodeLocation,
  encodeMapNode,
  encodeSetChange,
  encodeStoredBlock,
  encodeStoredLeaf,
} from './chain-records.ts';
import { corrupt } from './checksum.ts';
import { keys, LEAF_HASHES_PER_PAGE } from './keyspaces.ts';

/** One block's writes, by who must not see them before the block is whole. */
export interface CommitWrites {
  /** Values that change, read through the value cache. */
  readonly values: readonly KvOperation[];
  /** Map nodes, read through the node cache. */
  readonly nodes: readonly KvOperation[];
  /** New keys that readers reach only by way of the head or of a log's size. */
  readonly immutable: readonly KvOperation[];
}

const HASH_BYTES = 32;

const put = (key: string, value: Uint8Array): KvOperation => ({ type: 'put', key, value });

/** @param isStored true for a wrapper that is on disk already */
export function blockWrites(
  stored: StoredBlock,
  transactions: readonly Uint8Array[],
  isStored: (wrapperHash: Hash) => boolean,
): KvOperation[] {
  const { header, entries } = stored.block;
  const height = encodeHeight(header.height);
  const writes = [put(keys.block(header.height), encodeStoredBlock(stored)), put(keys.head, height)];
  for (const [index, { id, wrapperHash, outcome }] of entries.entries()) {
    const location = { height: header.height, index, outcome, wrapperHash };
    writes.push(put(keys.location(id), encodeLocation(location)));
    if (!isStored(wrapperHash)) writes.push(put(keys.wrapper(wrapperHash), transactions[index]!));
  }
  return writes;
}

/** The set that a block brings in, beside its certified header: light nodes ask for every one since genesis. */
export function setChangeWrites({ block, certificate }: StoredBlock, diff: Diff): KvOperation[] {
  const { header } = block;
  if (!changesSet(header)) return [];
  const bytes = assertDefined(diff.state.get(STATE_KEYS.system), 'a set change changes the system scope');
  const system = decodeSystemState(assertDefined(bytes, 'the system scope is never deleted'));
  assert(!isReject(system), 'the state of a block decodes');
  const certified = { header, certificate: assertDefined(certificate, 'only genesis has no certificate') };
  const change = { certified, nextSet: system.validatorSet };
  return [put(keys.setChange(header.height), encodeSetChange(change))];
}

interface LogReader {
  readonly generation: number;
  logSize(logId: LogId): number;
  /** The page's hashes so far, 32 bytes each; empty for a new page. */
  leafHashPage(logId: LogId, page: number): Uint8Array;
}

export function diffWrites(diff: Diff, logs: LogReader): CommitWrites {
  const values: KvOperation[] = [];
  const immutable: KvOperation[] = [];
  for (const [key, value] of diff.state) {
    values.push(
      value === null
        ? { type: 'delete', key: keys.state(logs.generation, key) }
        : put(keys.state(logs.generation, key), value),
    );
  }
  const byLog = new Map<LogId, NewLeaf[]>();
  for (const leaf of diff.leaves) {
    const list = byLog.get(leaf.logId);
    if (list === undefined) byLog.set(leaf.logId, [leaf]);
    else list.push(leaf);
    immutable.push(put(keys.leaf(leaf.logId, leaf.position), encodeStoredLeaf(leaf)));
  }
  for (const [logId, leaves] of byLog) values.push(...logWrites(logId, leaves, logs));
  const nodes = [...diff.mapNodes].map(([hash, node]) =>
    put(keys.mapNode(logs.generation, hash), encodeMapNode(diff.height, node)),
  );
  const stale = diff.staleMapNodes.filter(hash => !diff.mapNodes.has(hash));
  if (stale.length > 0)
    immutable.push(put(keys.staleNodes(logs.generation, diff.height), encodeHashes(stale)));
  return { values, nodes, immutable };
}

/** The log's new size and the pages of leaf hashes that grow. */
function logWrites(logId: LogId, leaves: readonly NewLeaf[], logs: LogReader): KvOperation[] {
  let size = logs.logSize(logId);
  let page = Math.floor(size / LEAF_HASHES_PER_PAGE);
  // a page may hold more than the log: leaves of a snapshot that is being fetched
  const known = (size % LEAF_HASHES_PER_PAGE) * HASH_BYTES;
  const begun = logs.leafHashPage(logId, page).subarray(0, known);
  // after a gap every further hash would stand in a wrong place
  if (begun.length < known) throw corrupt(keys.leafHashPage(logId, page));
  let hashes = [begun];
  const writes: KvOperation[] = [];
  const flush = (): void => {
    const bytes = concatBytes(...hashes);
    if (bytes.length === 0) return;
    const ahead = logs.leafHashPage(logId, page).subarray(bytes.length);
    writes.push(put(keys.leafHashPage(logId, page), concatBytes(bytes, ahead)));
  };
  for (const leaf of leaves) {
    assert(leaf.position === size, 'a leaf extends its log');
    hashes.push(hashBytes(leaf.leafHash));
    size += 1;
    if (size % LEAF_HASHES_PER_PAGE !== 0) continue;
    flush();
    page += 1;
    hashes = [];
  }
  flush();
  writes.push(put(keys.logSize(logs.generation, logId), encodeHeight(size)));
  return writes;
}

/** Deletes the transactions of the blocks [from, to) that `keep` does not keep. */
export function pruneWrites(
  chain: Pick<ChainStore, 'block' | 'transaction'>,
  from: number,
  to: number,
  keep: (wrapper: Uint8Array) => boolean,
): { readonly operations: readonly KvOperation[]; readonly wrappers: readonly Hash[] } {
  const wrappers: Hash[] = [];
  for (let height = from; height < to; height += 1) {
    for (const { id, wrapperHash } of chain.block(height)?.block.entries ?? []) {
      const wrapper = chain.transaction(id);
      if (wrapper !== null && !keep(wrapper)) wrappers.push(wrapperHash);
    }
  }
  const deletes = wrappers.map((hash): KvOperation => ({ type: 'delete', key: keys.wrapper(hash) }));
  return { operations: [...deletes, put(keys.bodiesFrom, encodeHeight(to))], wrappers };
}
