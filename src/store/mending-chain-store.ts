import { concatBytes, hashBytes } from '../core/base/bytes.ts';
import type { Hash, LogId, TransactionId } from '../core/base/ids.ts';
import type { NewLeaf } from '../core/types/state.ts';
import type { Damage, Mending, StoredBlock, StoredLeaf } from '../ports/chain-store.ts';
import type { KeyValueStore, KvOperation } from '../ports/kv.ts';
import { OperatingError } from '../ports/lifecycle.ts';
import { encodeStoredBlock, encodeStoredLeaf } from './chain-records.ts';
import { keys, LEAF_HASHES_PER_PAGE } from './keyspaces.ts';
import { type ChainStoreOptions, KvChainStore } from './kv-chain-store.ts';

const NOTHING = new Uint8Array(0);

/** A chain store that tells of damaged values which a peer can give again, and takes them back. */
export class MendingChainStore extends KvChainStore {
  /** @param noticed before the damaged read fails */
  constructor(
    private readonly disk: KeyValueStore,
    options: Partial<ChainStoreOptions>,
    private readonly noticed: (damage: Damage) => void,
  ) {
    super(disk, options);
  }

  override block(height: number): StoredBlock | null {
    return this.noticing(
      () => super.block(height),
      () => ({ kind: 'block', key: keys.block(height), height }),
    );
  }

  override transaction(id: TransactionId): Uint8Array | null {
    return this.noticing(
      () => super.transaction(id),
      () => {
        const height = this.locate(id)?.height;
        return height === undefined ? null : { kind: 'bodies', key: `bodies of ${height}`, height };
      },
    );
  }

  override leaves(logId: LogId, from: number, to: number, limit: number): readonly StoredLeaf[] {
    return this.noticing(
      () => super.leaves(logId, from, to, limit),
      () => this.damagedPage(logId, from, to),
    );
  }

  override leafHashes(logId: LogId, from: number, to: number): readonly Hash[] {
    return this.noticing(
      () => super.leafHashes(logId, from, to),
      () => this.damagedPage(logId, from, to),
    );
  }

  /** Durable when it resolves. */
  mend(mending: Mending): Promise<void> {
    return this.mendWith(() => this.writesOf(mending));
  }

  private writesOf(mending: Mending): KvOperation[] {
    const put = (key: string, value: Uint8Array): KvOperation => ({ type: 'put', key, value });
    if (mending.kind === 'block') {
      const { stored } = mending;
      return [put(keys.block(stored.block.header.height), encodeStoredBlock(stored))];
    }
    if (mending.kind === 'bodies') {
      return mending.wrappers.map(({ wrapperHash, bytes }) => put(keys.wrapper(wrapperHash), bytes));
    }
    const { leaves } = mending;
    return [
      ...leaves.map(leaf => put(keys.leaf(leaf.logId, leaf.position), encodeStoredLeaf(leaf))),
      ...this.pageWrites(leaves),
    ];
  }

  /** The page of these leaves with what it has beyond them: its log may have grown while they were on their way. */
  private pageWrites(leaves: readonly NewLeaf[]): KvOperation[] {
    const first = leaves[0];
    if (first === undefined) return [];
    const key = keys.leafHashPage(first.logId, Math.floor(first.position / LEAF_HASHES_PER_PAGE));
    const hashes = concatBytes(...leaves.map(leaf => hashBytes(leaf.leafHash)));
    const held = this.isWhole(key) ? this.disk.get(key) : null;
    return [{ type: 'put', key, value: concatBytes(hashes, held?.subarray(hashes.length) ?? NOTHING) }];
  }

  private noticing<T>(read: () => T, damageOf: () => Damage | null): T {
    try {
      return read();
    } catch (error) {
      const damage = error instanceof OperatingError && error.code === 'corrupt' ? damageOf() : null;
      if (damage !== null) this.noticed(damage);
      throw error;
    }
  }

  /** The first page of [from, to) of which a leaf or the hashes cannot be read. */
  private damagedPage(logId: LogId, from: number, to: number): Damage | null {
    for (let page = Math.floor(from / LEAF_HASHES_PER_PAGE); page * LEAF_HASHES_PER_PAGE < to; page += 1) {
      const first = page * LEAF_HASHES_PER_PAGE;
      const end = first + LEAF_HASHES_PER_PAGE;
      const positions = Array.from({ length: Math.min(end, to) - first }, (_, index) => first + index);
      const stored = [
        keys.leafHashPage(logId, page),
        ...positions.map(position => keys.leaf(logId, position)),
      ];
      if (stored.some(key => !this.isWhole(key))) {
        return { kind: 'leaves', key: keys.leafHashPage(logId, page), logId, from: first, to: end };
      }
    }
    return null;
  }

  private isWhole(key: string): boolean {
    try {
      return this.disk.get(key) !== null;
    } catch {
      return false;
    }
  }
}
