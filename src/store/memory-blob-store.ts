import { assert } from '../core/base/assert.ts';
import type { Blob, BlobStore } from '../ports/blob-store.ts';
import { parseCid, verifyCid } from './cid.ts';

/** The blob store contract in memory. */
export class MemoryBlobStore implements BlobStore {
  private readonly blocks = new Map<string, Uint8Array>();

  async open(): Promise<void> {}

  async close(): Promise<void> {}

  async put(cid: string, bytes: Uint8Array): Promise<void> {
    assert(parseCid(cid) !== null, 'a block is stored under a CID');
    this.blocks.set(cid, bytes.slice());
  }

  async putMany(blobs: readonly Blob[]): Promise<void> {
    for (const { cid, bytes } of blobs) await this.put(cid, bytes);
  }

  async get(cid: string): Promise<Uint8Array | null> {
    const parsed = parseCid(cid);
    const bytes = this.blocks.get(cid)?.slice() ?? null;
    return parsed !== null && bytes !== null && verifyCid(parsed, bytes) ? bytes : null;
  }

  async has(cid: string): Promise<boolean> {
    return this.blocks.has(cid);
  }

  async delete(cid: string): Promise<void> {
    this.blocks.delete(cid);
  }

  async *list(): AsyncIterable<string> {
    yield* [...this.blocks.keys()];
  }

  async freeBytes(): Promise<number | null> {
    return null;
  }
}
