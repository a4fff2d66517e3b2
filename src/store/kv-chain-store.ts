import { randomUUID } from 'node:crypto';
import { assert } from '../core/base/assert.ts';
import type { Hash, LogId, TransactionId } from '../core/base/ids.ts';
import type { SetChange } from '../core/light/trust.ts';
import type { Diff, StateView } from '../core/types/state.ts';
import type {
  ChainStore,
  History,
  SnapshotStage,
  StoredBlock,
  StoredLeaf,
  TransactionLocation,
  Wrapper,
} from '../ports/chain-store.ts';
import type { KeyValueStore, KvOperation } from '../ports/kv.ts';
import { OperatingError } from '../ports/lifecycle.ts';
import { CachedReader } from './cached-reader.ts';
import { blockWrites, type CommitWrites, diffWrites, pruneWrites, setChangeWrites } from './chain-commit.ts';
import {
  decodeAhead,
  decodeHashes,
  decodeHeight,
  decodeLocation,
  decodeMapNode,
  decodeSetChange,
  decodeStoredBlock,
  decodeStoredLeaf,
  encodeAhead,
  type LocationRecord,
} from './chain-records.ts';
import { corrupt } from './checksum.ts';
import { aheadBelow, keys, staleBelow } from './keyspaces.ts';
import { KvSnapshotStage } from './kv-snapshot-stage.ts';
import { readLeafHashes } from './leaf-hashes.ts';
import { LruCache } from './lru-cache.ts';
import { readHistory, type StoredHistory } from './stored-history.ts';

export interface ChainStoreOptions {
  /** `Parameters.replayWindowBlocks` at the head: ids of the last so many heights are known. 1,000 when not given. */
  readonly replayWindowBlocks: () => number;
  /** Map nodes stay readable this many blocks after the root left them, for proofs at recent heads. */
  readonly staleNodeBlocks: number;
  /** Bound of each of the two read caches. */
  readonly cacheBytesMax: number;
  /** What has outlived its time is looked for at each so many heights: a search costs as much as a small block. */
  readonly cleaningIntervalBlocks: number;
}

const DEFAULTS: ChainStoreOptions = {
  replayWindowBlocks: () => 1000,
  staleNodeBlocks: 256,
  cacheBytesMax: 32 * 1024 * 1024,
  cleaningIntervalBlocks: 8,
};

/** Weight of one entry in the cache of decoded blocks, beside its header. */
const BLOCK_CACHE_ENTRIES = 65_536;
/** Heights, or writes ahead, that are cleaned up at most for each height since the last time: it keeps pace and never stalls a block. */
const CLEANED_PER_HEIGHT_MAX = 2;
const HASH_BYTES = 32;

/** `ChainStore` over any key-value store: one block, one atomic synced write. */
export class KvChainStore implements ChainStore {
  readonly state: StateView;
  private readonly options: ChainStoreOptions;
  private readonly values: CachedReader;
  private readonly nodes: CachedReader;
  private readonly blocks: LruCache<number, StoredBlock>;
  /** Wrappers that are on disk, so that a block does not write again what was stored ahead of it. */
  private readonly wrappers: LruCache<Hash, Uint8Array>;
  /** Names the writes of this process apart from those of others at the same height. */
  private readonly writer = randomUUID();
  private writesAhead = 0;
  private headHeight: number | null = null;
  private past: StoredHistory | null = null;
  private pinnedHeight = Number.POSITIVE_INFINITY;
  private committing = false;
  private lastTurn: Promise<unknown> = Promise.resolve();
  private failure: unknown = null;

  /** @param kv opened before the first call; several processes never share it */
  constructor(
    private readonly kv: KeyValueStore,
    options: Partial<ChainStoreOptions> = {},
  ) {
    this.options = { ...DEFAULTS, ...options };
    this.values = new CachedReader(kv, this.options.cacheBytesMax);
    this.nodes = new CachedReader(kv, this.options.cacheBytesMax);
    this.blocks = new LruCache(BLOCK_CACHE_ENTRIES, stored => 16 + stored.block.entries.length);
    this.wrappers = new LruCache(this.options.cacheBytesMax, bytes => bytes.length + HASH_BYTES);
    this.state = {
      get: key => this.values.get(keys.state(this.record().generation, key)),
      mapNode: hash => this.mapNode(hash),
      leafHash: (logId, position) =>
        position < this.logSize(logId) ? this.leafHashes(logId, position, position + 1)[0]! : null,
      seen: id => this.seen(id),
    };
  }

  get history(): History {
    return this.record();
  }

  /** Where the state in force stands. */
  get generation(): number {
    return this.record().generation;
  }

  /** False where the store began with a snapshot and the replay window has grown so much since. */
  get holdsReplayWindow(): boolean {
    return this.record().blocksFrom <= Math.max(1, this.height() - this.options.replayWindowBlocks());
  }

  head(): StoredBlock | null {
    const height = this.height();
    return height < 0 ? null : this.block(height);
  }

  block(height: number): StoredBlock | null {
    if (height < 0 || height > this.height()) return null;
    const cached = this.blocks.get(height);
    if (cached !== undefined) return cached;
    const key = keys.block(height);
    const isHere = height === 0 || height >= this.record().blocksFrom;
    const bytes = isHere ? this.present(key) : this.kv.get(key);
    if (bytes === null) return null;
    const stored = decodeStoredBlock(key, bytes);
    this.blocks.set(height, stored);
    return stored;
  }

  setChange(height: number): SetChange | null {
    if (height > this.height()) return null;
    const key = keys.setChange(height);
    const bytes = this.kv.get(key);
    return bytes === null ? null : decodeSetChange(key, bytes);
  }

  async setChanges(above: number, upTo: number, limit: number): Promise<readonly SetChange[]> {
    const from = keys.setChange(above + 1);
    const to = keys.setChange(Math.min(upTo, this.height()) + 1);
    const changes: SetChange[] = [];
    if (from >= to) return changes;
    for await (const [key, value] of this.kv.entries({ from, to, limit })) {
      changes.push(decodeSetChange(key, value));
    }
    return changes;
  }

  transaction(id: TransactionId): Uint8Array | null {
    const location = this.location(id);
    const wrapper = location === null ? null : this.wrapper(location.wrapperHash);
    return wrapper ?? this.kv.get(keys.body(id));
  }

  wrapper(wrapperHash: Hash): Uint8Array | null {
    return this.wrappers.get(wrapperHash) ?? this.kv.get(keys.wrapper(wrapperHash));
  }

  locate(id: TransactionId): TransactionLocation | null {
    const location = this.location(id);
    if (location === null) return null;
    const { height, index, outcome } = location;
    return { height, index, outcome };
  }

  logSize(logId: LogId): number {
    const key = keys.logSize(this.record().generation, logId);
    const bytes = this.values.get(key);
    return bytes === null ? 0 : decodeHeight(key, bytes);
  }

  leaves(logId: LogId, from: number, to: number, limit: number): readonly StoredLeaf[] {
    const end = Math.min(to, this.logSize(logId), from + limit);
    const leaves: StoredLeaf[] = [];
    for (let position = from; position < end; position += 1) {
      const key = keys.leaf(logId, position);
      leaves.push(decodeStoredLeaf(key, this.present(key)));
    }
    return leaves;
  }

  leafHashes(logId: LogId, from: number, to: number): readonly Hash[] {
    assert(from >= 0 && from <= to && to <= this.logSize(logId), 'leaf hashes are asked for within the log');
    return this.hashesBetween(logId, from, to);
  }

  private hashesBetween(logId: LogId, from: number, to: number): readonly Hash[] {
    return readLeafHashes(logId, from, to, page => this.leafHashPage(logId, page));
  }

  async putAhead(wrappers: readonly Wrapper[]): Promise<void> {
    const fresh = wrappers.filter(({ wrapperHash }) => this.wrappers.get(wrapperHash) === undefined);
    if (fresh.length === 0) return;
    this.writesAhead += 1;
    const key = keys.ahead(Math.max(0, this.height()), `${this.writer}-${this.writesAhead}`);
    const operations = fresh.map(
      ({ wrapperHash, bytes }): KvOperation => ({
        type: 'put',
        key: keys.wrapper(wrapperHash),
        value: bytes,
      }),
    );
    operations.push({ type: 'put', key, value: encodeAhead(fresh) });
    await this.write(operations);
    for (const { wrapperHash, bytes } of fresh) this.wrappers.set(wrapperHash, bytes);
  }

  async commit(stored: StoredBlock, diff: Diff, transactions: readonly Uint8Array[]): Promise<void> {
    const { header, entries } = stored.block;
    assert(!this.committing, 'blocks are committed one at a time');
    this.committing = true;
    return this.exclusive(async () => {
      assert(
        header.height === this.height() + 1 && diff.height === header.height,
        'a block extends the head',
      );
      assert(transactions.length === entries.length, 'every entry comes with its transaction');
      const writes = this.collect(stored, diff, transactions);
      const cleaning = await this.cleanUp(header.height, new Set(entries.map(entry => entry.wrapperHash)));
      // nodes need no pin: their hash names them, and who sees one early sees what it will be
      this.values.pin(writes.values);
      const { immutable, values, nodes } = writes;
      await this.write([...immutable, ...values, ...nodes, ...cleaning.rest, ...cleaning.nodes]);
      this.values.release(writes.values);
      this.nodes.release(writes.nodes, cleaning.nodes);
      this.headHeight = header.height;
      this.blocks.set(header.height, stored);
      for (const [index, entry] of entries.entries()) {
        this.wrappers.set(entry.wrapperHash, transactions[index]!);
      }
    }).finally(() => {
      this.committing = false;
    });
  }

  /** Commits and what is staged write the same pages of leaf hashes: one after the other. */
  private exclusive<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.lastTurn.then(work);
    this.lastTurn = turn.catch(() => {});
    return turn;
  }

  /** Nodes that the map of this height reaches stay until `release`, however long that is. */
  pinNodes(height: number): { release(): void } {
    this.pinnedHeight = height + 1;
    return {
      release: () => {
        this.pinnedHeight = Number.POSITIVE_INFINITY;
      },
    };
  }

  prune(below: number, heightsMax: number, keep: (wrapper: Uint8Array) => boolean): Promise<void> {
    return this.exclusive(async () => {
      const { bodiesFrom } = this.record();
      const to = Math.min(below, bodiesFrom + heightsMax, this.height() + 1);
      if (to <= bodiesFrom) return;
      const pruned = pruneWrites(this, bodiesFrom, to, keep);
      await this.write(pruned.operations);
      for (const wrapperHash of pruned.wrappers) this.wrappers.delete(wrapperHash);
      this.past = null;
    });
  }

  stage(): SnapshotStage {
    return new KvSnapshotStage(this.kv, {
      generation: this.record().generation,
      height: () => this.height(),
      logSize: logId => this.logSize(logId),
      leafHashes: (logId, from, to) => this.hashesBetween(logId, from, to),
      exclusive: work => this.exclusive(work),
      write: operations => this.write(operations),
      forget: key => this.values.forget(key),
      installed: () => {
        this.headHeight = null;
        this.past = null;
      },
    });
  }

  /** Values that were damaged, as they were written first; collected while nothing else is written. */
  protected mendWith(collect: () => readonly KvOperation[]): Promise<void> {
    return this.exclusive(async () => {
      const operations = collect();
      await this.write(operations);
      for (const { key } of operations) this.values.forget(key);
    });
  }

  private collect(stored: StoredBlock, diff: Diff, transactions: readonly Uint8Array[]): CommitWrites {
    const block = blockWrites(stored, transactions, hash => this.wrappers.get(hash) !== undefined);
    block.push(...setChangeWrites(stored, diff));
    const state = diffWrites(diff, {
      generation: this.record().generation,
      logSize: logId => this.logSize(logId),
      leafHashPage: (logId, page) => this.leafHashPage(logId, page),
    });
    return { ...state, immutable: [...block, ...state.immutable] };
  }

  /** What has outlived its time at `height`: stale map nodes, wrappers whose block never came. */
  private async cleanUp(
    height: number,
    committing: ReadonlySet<Hash>,
  ): Promise<{ rest: KvOperation[]; nodes: KvOperation[] }> {
    const nodes: KvOperation[] = [];
    const rest: KvOperation[] = [];
    const { cleaningIntervalBlocks, staleNodeBlocks } = this.options;
    if (height % cleaningIntervalBlocks !== 0) return { rest, nodes };
    const limit = CLEANED_PER_HEIGHT_MAX * cleaningIntervalBlocks;
    const remove = (key: string): void => {
      rest.push({ type: 'delete', key });
    };
    const { generation } = this.record();
    const staleHeight = Math.min(height - staleNodeBlocks, this.pinnedHeight);
    const staleRange = { ...staleBelow(generation, staleHeight), limit };
    for await (const [key, value] of this.kv.entries(staleRange)) {
      const staleAt = Number(key.slice(key.lastIndexOf('/') + 1));
      for (const hash of decodeHashes(key, value)) {
        if (this.nodeAddedAt(hash) > staleAt) continue;
        nodes.push({ type: 'delete', key: keys.mapNode(generation, hash) });
      }
      remove(key);
    }
    const expired = height - this.options.replayWindowBlocks();
    const aheadRange = { ...aheadBelow(expired), limit };
    for await (const [key, value] of this.kv.entries(aheadRange)) {
      for (const { id, wrapperHash } of decodeAhead(key, value)) {
        if (committing.has(wrapperHash) || this.location(id)?.wrapperHash === wrapperHash) continue;
        remove(keys.wrapper(wrapperHash));
        this.wrappers.delete(wrapperHash);
      }
      remove(key);
    }
    return { rest, nodes };
  }

  private location(id: TransactionId): LocationRecord | null {
    const key = keys.location(id);
    const bytes = this.kv.get(key);
    const location = bytes === null ? null : decodeLocation(key, bytes);
    return location === null || location.height > this.height() ? null : location;
  }

  private seen(id: TransactionId): number | null {
    const height = this.location(id)?.height ?? null;
    return height === null || height + this.options.replayWindowBlocks() < this.height() ? null : height;
  }

  private mapNode(hash: Hash): Uint8Array | null {
    const key = keys.mapNode(this.record().generation, hash);
    const bytes = this.nodes.get(key);
    return bytes === null ? null : decodeMapNode(key, bytes).node;
  }

  private nodeAddedAt(hash: Hash): number {
    const key = keys.mapNode(this.record().generation, hash);
    const bytes = this.nodes.getOnce(key);
    return bytes === null ? -1 : decodeMapNode(key, bytes).height;
  }

  private leafHashPage(logId: LogId, page: number): Uint8Array {
    return this.values.get(keys.leafHashPage(logId, page)) ?? new Uint8Array(0);
  }

  /** Of the head; −1 before genesis. */
  private height(): number {
    if (this.headHeight === null) {
      const bytes = this.kv.get(keys.head);
      if (bytes === null) return -1;
      this.headHeight = decodeHeight(keys.head, bytes);
    }
    return this.headHeight;
  }

  private record(): StoredHistory {
    this.past ??= readHistory(this.kv);
    return this.past;
  }

  private present(key: string): Uint8Array {
    const bytes = this.kv.get(key);
    if (bytes === null) throw corrupt(key, new Error('the value is missing'));
    return bytes;
  }

  private async write(operations: readonly KvOperation[]): Promise<void> {
    if (this.failure !== null) {
      throw new OperatingError('write_failed', 'an earlier write of the chain failed', null, this.failure);
    }
    try {
      await this.kv.batch(operations, { sync: true });
    } catch (error) {
      this.failure = error;
      throw error;
    }
  }
}
