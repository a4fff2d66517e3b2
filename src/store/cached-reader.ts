import type { KeyValueStore, KvOperation } from '../ports/kv.ts';
import { LruCache } from './lru-cache.ts';

/** What an absent value or the key of an entry costs, in bytes. */
const ENTRY_BYTES = 128;

/**
 * Synchronous reads through a bounded cache. While a write is under way its keys answer their old values, so that a reader never
 * sees half a block.
 */
export class CachedReader {
  private readonly cache: LruCache<string, Uint8Array | null>;
  private readonly pinned = new Map<string, Uint8Array | null>();

  constructor(
    private readonly kv: KeyValueStore,
    cacheBytesMax: number,
  ) {
    this.cache = new LruCache(cacheBytesMax, value => ENTRY_BYTES + (value?.length ?? 0));
  }

  get(key: string): Uint8Array | null {
    const pinned = this.pinned.get(key);
    if (pinned !== undefined) return pinned;
    const cached = this.cache.get(key);
    if (cached !== undefined) return cached;
    const value = this.kv.get(key);
    this.cache.set(key, value);
    return value;
  }

  /** For what is read for the last time: it takes no room from what is in use. */
  getOnce(key: string): Uint8Array | null {
    const cached = this.cache.get(key);
    return cached === undefined ? this.kv.get(key) : cached;
  }

  /** Keeps what `operations` replace readable until `release`. */
  pin(operations: readonly KvOperation[]): void {
    for (const { key } of operations) this.pinned.set(key, this.get(key));
  }

  /** After the write of the same operations. @param dropped deletes of what nobody asks for again */
  release(operations: readonly KvOperation[], dropped: readonly KvOperation[] = []): void {
    this.pinned.clear();
    for (const { key } of dropped) this.cache.delete(key);
    for (const operation of operations) {
      this.cache.set(operation.key, operation.type === 'put' ? operation.value : null);
    }
  }

  /** The value changes by another way. */
  forget(key: string): void {
    this.cache.delete(key);
  }
}
