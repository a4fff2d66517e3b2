import { assert } from '../core/base/assert.ts';
import { hashBytes } from '../core/base/bytes.ts';
import type { Hash, LogId } from '../core/base/ids.ts';
import type { SetChange } from '../core/light/trust.ts';
import type { SnapshotEnd, SnapshotWrites } from '../core/snapshot/fetch.ts';
import type { NewLeaf } from '../core/types/state.ts';
import type { SnapshotStage } from '../ports/chain-store.ts';
import type { KeyValueStore, KvOperation } from '../ports/kv.ts';
import {
  decodeHeight,
  encodeHeight,
  encodeLocation,
  encodeMapNode,
  encodeSetChange,
  encodeStoredBlock,
  encodeStoredLeaf,
} from './chain-records.ts';
import { generationRanges, keys, LEAF_HASHES_PER_PAGE, startingWith } from './keyspaces.ts';
import { historyWrites } from './stored-history.ts';
import { sweep } from './sweep.ts';

/** The chain store that the stage belongs to. */
export interface StageAccess {
  /** In force when the stage is made. */
  readonly generation: number;
  height(): number;
  logSize(logId: LogId): number;
  /** Also beyond the size of the log. */
  leafHashes(logId: LogId, from: number, to: number): readonly Hash[];
  /** Nothing else is written to the chain meanwhile. */
  exclusive<T>(work: () => Promise<T>): Promise<T>;
  write(operations: readonly KvOperation[]): Promise<void>;
  /** A cached value has changed. */
  forget(key: string): void;
  /** The new generation is in force. */
  installed(): void;
}

const HASH_BYTES = 32;
/** Operations that one write holds. */
const OPERATIONS_PER_WRITE = 4096;

const put = (key: string, value: Uint8Array): KvOperation => ({ type: 'put', key, value });

/**
 * A snapshot on its way into the database. Scope states, map nodes and log sizes go into the next generation, which nobody
 * reads; leaves, blocks and transactions go to their final places above what the sizes and the head let readers see. One
 * small write then changes generation and head.
 */
export class KvSnapshotStage implements SnapshotStage {
  private readonly generation: number;
  /** Leaves that came beyond the first gap of their log, by log: [from, to). */
  private readonly beyond = new Map<LogId, [number, number][]>();

  constructor(
    private readonly kv: KeyValueStore,
    private readonly access: StageAccess,
  ) {
    this.generation = access.generation + 1;
  }

  begin(): Promise<void> {
    const write = (operations: readonly KvOperation[]) => this.access.write(operations);
    const others = [this.generation, this.generation - 2].filter(generation => generation >= 0);
    return this.access.exclusive(() => sweep(this.kv, others.flatMap(generationRanges), write));
  }

  heldSize(logId: LogId): number {
    const key = keys.staged(logId);
    const bytes = this.kv.get(key);
    return Math.max(this.access.logSize(logId), bytes === null ? 0 : decodeHeight(key, bytes));
  }

  heldHashes(logId: LogId, from: number, to: number): readonly Hash[] {
    assert(to <= this.heldSize(logId), 'leaf hashes are asked for within what is held');
    return this.access.leafHashes(logId, from, to);
  }

  hasBlock(height: number): boolean {
    return this.kv.get(keys.block(height)) !== null;
  }

  put(writes: SnapshotWrites, setChanges: readonly SetChange[]): Promise<void> {
    return this.access.exclusive(async () => {
      const operations: KvOperation[] = [];
      for (const [key, value] of writes.state) operations.push(put(keys.state(this.generation, key), value));
      for (const change of setChanges) {
        operations.push(put(keys.setChange(change.certified.header.height), encodeSetChange(change)));
      }
      for (const { block, certificate, hash } of writes.blocks) {
        const { height } = block.header;
        operations.push(put(keys.block(height), encodeStoredBlock({ block, certificate, hash })));
        for (const [index, { id, wrapperHash, outcome }] of block.entries.entries()) {
          operations.push(put(keys.location(id), encodeLocation({ height, index, outcome, wrapperHash })));
        }
      }
      for (const { id, bytes } of writes.bodies) operations.push(put(keys.body(id), bytes));
      const pages = this.pagesWith(writes.leaves);
      operations.push(...this.leafWrites(writes.leaves), ...[...pages].map(([key, page]) => put(key, page)));
      await this.access.write(operations);
      // after it: whoever reads meanwhile finds the page as it was, and that would be kept
      for (const key of pages.keys()) this.access.forget(key);
    });
  }

  install({ certified, state, mapNodes, sizes, blocksFrom }: SnapshotEnd): Promise<void> {
    return this.access.exclusive(async () => {
      const { height } = certified.header;
      assert(height > this.access.height() && this.hasBlock(height), 'a snapshot extends the chain');
      const { generation } = this;
      await this.writeAll([
        ...[...state].map(([key, value]) => put(keys.state(generation, key), value)),
        ...[...sizes].map(([logId, size]) => put(keys.logSize(generation, logId), encodeHeight(size))),
        ...[...mapNodes].map(([hash, node]) =>
          put(keys.mapNode(generation, hash), encodeMapNode(height, node)),
        ),
      ]);
      await this.access.write([
        ...historyWrites({ generation, baseHeight: height, blocksFrom, bodiesFrom: height + 1 }),
        put(keys.head, encodeHeight(height)),
      ]);
      this.access.installed();
      const write = (operations: readonly KvOperation[]) => this.access.write(operations);
      await sweep(this.kv, [...generationRanges(generation - 1), startingWith('staged/')], write);
    });
  }

  private async writeAll(operations: readonly KvOperation[]): Promise<void> {
    for (let from = 0; from < operations.length; from += OPERATIONS_PER_WRITE) {
      await this.access.write(operations.slice(from, from + OPERATIONS_PER_WRITE));
    }
  }

  /** Pages of leaf hashes with these added, by key. */
  private pagesWith(leaves: readonly NewLeaf[]): Map<string, Uint8Array> {
    const pages = new Map<string, Uint8Array>();
    for (const { logId, position, leafHash } of leaves) {
      const key = keys.leafHashPage(logId, Math.floor(position / LEAF_HASHES_PER_PAGE));
      const offset = (position % LEAF_HASHES_PER_PAGE) * HASH_BYTES;
      const page = longer(pages.get(key) ?? this.kv.get(key), offset + HASH_BYTES);
      page.set(hashBytes(leafHash), offset);
      pages.set(key, page);
    }
    return pages;
  }

  private leafWrites(leaves: readonly NewLeaf[]): KvOperation[] {
    const operations: KvOperation[] = [];
    const runs = new Map<LogId, [number, number][]>();
    for (const leaf of leaves) {
      const { logId, position } = leaf;
      operations.push(put(keys.leaf(logId, position), encodeStoredLeaf(leaf)));
      const list = runs.get(logId) ?? [];
      const run = list.at(-1);
      if (run?.[1] === position) run[1] = position + 1;
      else list.push([position, position + 1]);
      runs.set(logId, list);
    }
    for (const [logId, added] of runs) {
      const size = this.reach(logId, added);
      operations.push(put(keys.staged(logId), encodeHeight(size)));
    }
    return operations;
  }

  /** How far a log is here without a gap, with these runs added. */
  private reach(logId: LogId, added: readonly [number, number][]): number {
    const runs = [...(this.beyond.get(logId) ?? []), ...added].sort((a, b) => a[0] - b[0]);
    let size = this.heldSize(logId);
    const rest: [number, number][] = [];
    for (const run of runs) {
      if (run[0] <= size) size = Math.max(size, run[1]);
      else rest.push(run);
    }
    this.beyond.set(logId, rest);
    return size;
  }
}

/** A page of at least so many bytes, to be changed: a copy when it has them already. */
function longer(page: Uint8Array | null, bytes: number): Uint8Array {
  const grown = new Uint8Array(Math.max(bytes, page?.length ?? 0));
  if (page !== null) grown.set(page);
  return grown;
}
