import { assert, assertDefined } from '../core/base/assert.ts';
import type { Hash, LogId, Sha256 } from '../core/base/ids.ts';
import { isReject } from '../core/base/reject.ts';
import { decodeLogRow, type LogRow, mapKeyOf, type ScopeKind } from '../core/codec/state.ts';
import { logIdOf } from '../core/codec/transaction.ts';
import { mapProve } from '../core/merkle/map.ts';
import { type ScopesChunk, SNAPSHOT_LIMITS, type SnapshotScope } from '../core/snapshot/chunks.ts';
import { decodeScope, encodeScope } from '../core/snapshot/codec.ts';
import type { Header } from '../core/types/chain.ts';
import type { ServedSnapshots } from '../ports/chain-store.ts';
import type { KeyValueStore, KvOperation } from '../ports/kv.ts';
import { encodeHeight } from './chain-records.ts';
import { corrupt } from './checksum.ts';
import { keys, startingWith } from './keyspaces.ts';
import type { KvChainStore } from './kv-chain-store.ts';
import { sweep } from './sweep.ts';

/** Snapshots that are kept: whoever fetches the older one has until the one after the newer is complete. */
export const SNAPSHOTS_KEPT = 2;
const BYTES_PER_WRITE = 1024 * 1024;
const NO_STATE = new Uint8Array(0);

/**
 * Copies of all scopes at a height, beside the chain. The copy reads one consistent view of the database, taken before the
 * next block can be written, so the chain goes on meanwhile. Leaves and blocks are served from the chain itself: they only
 * grow.
 */
export class KvServedSnapshots implements ServedSnapshots {
  private complete: number[] | null = null;
  private running: Promise<void> | null = null;

  constructor(
    private readonly kv: KeyValueStore,
    private readonly chain: KvChainStore,
    private readonly sha256: Sha256,
    private readonly fail: (error: unknown) => void,
  ) {}

  /** Before `heights` is asked; removes what a crash has left half made, and takes one where blocks are gone and none is left. */
  async open(): Promise<void> {
    const heights: number[] = [];
    for await (const [key] of this.kv.entries(startingWith('served/'))) {
      heights.unshift(Number(key.slice('served/'.length)));
    }
    this.complete = heights;
    await this.drop(height => !heights.includes(height));
    if (this.chain.history.bodiesFrom > (heights[0] ?? 0) + 1) this.take();
  }

  heights(): readonly number[] {
    return this.complete ?? [];
  }

  async idle(): Promise<void> {
    await this.running;
  }

  take(): void {
    const { header } = assertDefined(this.chain.head(), 'the chain has its genesis block').block;
    if (this.running !== null || this.heights().includes(header.height)) return;
    // whoever took it would need blocks that are not here
    if (!this.chain.holdsReplayWindow) return;
    const pin = this.chain.pinNodes(header.height);
    const prefix = keys.state(this.chain.generation, '');
    const entries = this.kv.entries(startingWith(prefix))[Symbol.asyncIterator]();
    // the iterator's view is that of now: it must begin in this turn
    const first = entries.next();
    this.running = this.copy(header, prefix, entries, first)
      .catch(error => this.fail(error))
      .finally(() => {
        pin.release();
        this.running = null;
      });
  }

  async scopes(height: number, after: Hash | null, bytesMax: number): Promise<ScopesChunk | null> {
    if (!this.heights().includes(height)) return null;
    const all = startingWith(`snapshot/${keys.served(height).slice('served/'.length)}/`);
    const from = after === null ? all.from : `${all.from}${after}/~`;
    const scopes: SnapshotScope[] = [];
    let left = bytesMax;
    let entry: Uint8Array | null = null;
    for await (const [key, value] of this.kv.entries({ from, to: all.to })) {
      if (key.endsWith('/entry')) {
        if (scopes.length > 0 && (left <= 0 || scopes.length === SNAPSHOT_LIMITS.scopesPerAnswer)) {
          return { scopes, last: false };
        }
        entry = value;
        continue;
      }
      const scope = entry === null ? null : decodeScope(entry);
      if (scope === null || isReject(scope)) throw corrupt(key);
      scopes.push({ ...scope, state: value });
      left -= value.length + assertDefined(entry, 'a state follows its entry').length;
      entry = null;
    }
    return { scopes, last: true };
  }

  private async copy(
    header: Header,
    prefix: string,
    entries: AsyncIterator<readonly [string, Uint8Array]>,
    first: Promise<IteratorResult<readonly [string, Uint8Array]>>,
  ): Promise<void> {
    let operations: KvOperation[] = [];
    let bytes = 0;
    for (let step = await first; step.done !== true; step = await entries.next()) {
      const [key, value] = step.value;
      const operation = this.operationOf(header, key.slice(prefix.length), value);
      if (operation === null) continue;
      operations.push(operation);
      bytes += value.length;
      if (bytes < BYTES_PER_WRITE) continue;
      await this.kv.batch(operations, { sync: false });
      operations = [];
      bytes = 0;
    }
    const { height } = header;
    operations.push({ type: 'put', key: keys.served(height), value: encodeHeight(height) });
    await this.kv.batch(operations, { sync: true });
    this.complete = [height, ...this.heights()].slice(0, SNAPSHOTS_KEPT);
    await this.drop(other => !this.heights().includes(other));
  }

  private operationOf(header: Header, key: string, value: Uint8Array): KvOperation | null {
    const [room, id] = key.split('/');
    if (room === 'log') return this.entryOf(header, id as LogId, value);
    if (room !== 'system' && room !== 'project' && room !== 'phase') return null;
    const scope: ScopeKind = room;
    const logId = logIdOf(this.sha256, header.chainId, scope, (id ?? header.chainId) as Hash);
    const mapKey = mapKeyOf(this.sha256, logId);
    return { type: 'put', key: keys.servedState(header.height, mapKey), value };
  }

  private entryOf(header: Header, logId: LogId, value: Uint8Array): KvOperation {
    const row: LogRow | ReturnType<typeof decodeLogRow> = decodeLogRow(value);
    assert(!isReject(row), 'a stored log row decodes');
    const { scope, id, size, root, digest } = row;
    const mapKey = mapKeyOf(this.sha256, logId);
    const nodes = (hash: Hash) => this.chain.state.mapNode(hash);
    const proof = mapProve(this.sha256, nodes, header.mapRoot, mapKey);
    const bytes = encodeScope({ ref: { scope, id }, entry: { size, root, digest }, proof, state: NO_STATE });
    return { type: 'put', key: keys.servedEntry(header.height, mapKey), value: bytes };
  }

  /** Removes snapshots; the sign that one is complete goes first. */
  private async drop(isGone: (height: number) => boolean): Promise<void> {
    const heights = new Set<number>();
    for await (const [key] of this.kv.entries(startingWith('served/'))) {
      heights.add(Number(key.slice('served/'.length)));
    }
    for await (const height of this.copies()) heights.add(height);
    const write = (operations: readonly KvOperation[]) => this.kv.batch(operations, { sync: false });
    for (const height of [...heights].filter(isGone)) {
      await write([{ type: 'delete', key: keys.served(height) }]);
      const prefix = keys.served(height).slice('served/'.length);
      await sweep(this.kv, [startingWith(`snapshot/${prefix}/`)], write);
    }
  }

  /** Heights of which any copy is here, complete or not. */
  private async *copies(): AsyncIterable<number> {
    let from = 'snapshot/';
    for (;;) {
      let height: number | null = null;
      for await (const [key] of this.kv.entries({ from, to: 'snapshot/~', limit: 1 })) {
        height = Number(key.split('/')[1]);
      }
      if (height === null) return;
      yield height;
      from = `snapshot/${keys.served(height).slice('served/'.length)}/~`;
    }
  }
}
