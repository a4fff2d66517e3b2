import { assert } from '../core/base/assert.ts';
import type { BlobStore } from '../ports/blob-store.ts';
import { parseCid, verifyCid } from './cid.ts';

/** The blob store contract in memory. */
export class MemoryBlobStore implements BlobStore {
  private readonly blocks = new Map<string, Uint8Array>();

  async open(): Promise<void> {}

  async close(): Promise<void> {}

  async put(cid: string, bytes: Uint8Array): Promise<void> {
    const parsed = parseCid(cid);
    assert(parsed !== null && verifyCid(parsed, bytes), 'a block is stored under its own CID');
    this.blocks.set(cid, bytes.slice());
  }

  async get(cid: string): Promise<Uint8Array | null> {
    return this.blocks.get(cid)?.slice() ?? null;
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
}
