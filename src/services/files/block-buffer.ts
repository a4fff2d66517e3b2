import type { Blob, BlobStore } from '../../ports/blob-store.ts';

/** Bytes and blocks that are gathered for one durable write; as many again may be under way. */
const BYTES_PER_WRITE = 4 * 1024 * 1024;
const BLOCKS_PER_WRITE = 256;

/** Gathers blocks so that many share what makes them durable; the next are taken while the last are written. */
export class BlockBuffer {
  private waiting: Blob[] = [];
  private bytes = 0;
  private writing: Promise<void> = Promise.resolve();

  constructor(private readonly blobs: BlobStore) {}

  /** Resolves when there is room for more; a failed write shows here or in `flush`. */
  async put(cid: string, bytes: Uint8Array): Promise<void> {
    this.waiting.push({ cid, bytes });
    this.bytes += bytes.length;
    if (this.bytes >= BYTES_PER_WRITE || this.waiting.length >= BLOCKS_PER_WRITE) await this.write();
  }

  /** Everything is durable when it resolves. */
  async flush(): Promise<void> {
    await this.write();
    await this.writing;
  }

  /** After a failure: nothing is written any more when it resolves. */
  async settle(): Promise<void> {
    this.waiting = [];
    this.bytes = 0;
    await this.writing.catch(() => {});
  }

  private async write(): Promise<void> {
    const batch = this.waiting;
    this.waiting = [];
    this.bytes = 0;
    await this.writing;
    this.writing = batch.length === 0 ? Promise.resolve() : this.blobs.putMany(batch);
    // whoever waits hears of it; until somebody does, it is no unhandled rejection
    this.writing.catch(() => {});
  }
}
