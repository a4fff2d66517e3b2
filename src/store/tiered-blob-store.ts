import type { Blob, BlobStore } from '../ports/blob-store.ts';

/** A block of at most this many bytes costs less in a shared write than as a file with a flush of its own. */
const SMALL_BLOB_BYTES_MAX = 64 * 1024;

/** Small blocks in one store, large ones in another. */
export class TieredBlobStore implements BlobStore {
  constructor(
    private readonly small: BlobStore,
    private readonly large: BlobStore,
    private readonly smallBytesMax: number = SMALL_BLOB_BYTES_MAX,
  ) {}

  async open(): Promise<void> {
    await this.large.open();
    await this.small.open();
  }

  async close(): Promise<void> {
    await this.small.close();
    await this.large.close();
  }

  put(cid: string, bytes: Uint8Array): Promise<void> {
    return this.storeFor(bytes).put(cid, bytes);
  }

  async putMany(blobs: readonly Blob[]): Promise<void> {
    for (const store of [this.large, this.small]) {
      const own = blobs.filter(({ bytes }) => this.storeFor(bytes) === store);
      if (own.length > 0) await store.putMany(own);
    }
  }

  async get(cid: string): Promise<Uint8Array | null> {
    return (await this.small.get(cid)) ?? this.large.get(cid);
  }

  async has(cid: string): Promise<boolean> {
    return (await this.small.has(cid)) || this.large.has(cid);
  }

  async delete(cid: string): Promise<void> {
    await this.small.delete(cid);
    await this.large.delete(cid);
  }

  async *list(): AsyncIterable<string> {
    yield* this.small.list();
    yield* this.large.list();
  }

  freeBytes(): Promise<number | null> {
    return this.large.freeBytes();
  }

  private storeFor(bytes: Uint8Array): BlobStore {
    return bytes.length <= this.smallBytesMax ? this.small : this.large;
  }
}
