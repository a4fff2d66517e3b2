import { statfs } from 'node:fs/promises';
import { assert } from '../core/base/assert.ts';
import type { Blob, BlobStore } from '../ports/blob-store.ts';
import type { KeyValueStore, KvOperation } from '../ports/kv.ts';
import { OperatingError } from '../ports/lifecycle.ts';
import { blobFailure, isUnreadable } from './blob-failure.ts';
import { parseCid, verifyCid } from './cid.ts';

const blockKey = (cid: string) => `block/${cid}`;
/** Names apart from the bytes, so that a list reads no block. `0` follows `/`. */
const nameKey = (cid: string) => `name/${cid}`;
const NAMES = { from: 'name/', to: 'name0' };
const EMPTY = new Uint8Array(0);

/** Blocks as values of a key-value store of their own: many small ones in one write. */
export class KvBlobStore implements BlobStore {
  /** @param place directory of the store, for free space and errors; null for one in memory */
  constructor(
    private readonly kv: KeyValueStore,
    private readonly place: string | null,
  ) {}

  open(): Promise<void> {
    return this.kv.open();
  }

  close(): Promise<void> {
    return this.kv.close();
  }

  put(cid: string, bytes: Uint8Array): Promise<void> {
    return this.putMany([{ cid, bytes }]);
  }

  async putMany(blobs: readonly Blob[]): Promise<void> {
    const operations: KvOperation[] = [];
    for (const { cid, bytes } of blobs) {
      assert(parseCid(cid) !== null, 'a block is stored under a CID');
      operations.push({ type: 'put', key: blockKey(cid), value: bytes });
      operations.push({ type: 'put', key: nameKey(cid), value: EMPTY });
    }
    await this.write('write', operations);
  }

  async get(cid: string): Promise<Uint8Array | null> {
    const parsed = parseCid(cid);
    if (parsed === null) return null;
    try {
      const bytes = this.kv.get(blockKey(cid));
      return bytes !== null && verifyCid(parsed, bytes) ? bytes.slice() : null;
    } catch (error) {
      // the checksum of the store found the rot before the CID could
      if (error instanceof OperatingError && (error.code === 'corrupt' || isUnreadable(error))) return null;
      throw error;
    }
  }

  async has(cid: string): Promise<boolean> {
    return parseCid(cid) !== null && this.kv.get(nameKey(cid)) !== null;
  }

  async delete(cid: string): Promise<void> {
    if (parseCid(cid) === null) return;
    await this.write('delete from', [
      { type: 'delete', key: blockKey(cid) },
      { type: 'delete', key: nameKey(cid) },
    ]);
  }

  async *list(): AsyncIterable<string> {
    for await (const [key] of this.kv.entries(NAMES)) yield key.slice(NAMES.from.length);
  }

  async freeBytes(): Promise<number | null> {
    if (this.place === null) return null;
    try {
      const { bavail, bsize } = await statfs(this.place);
      return bavail * bsize;
    } catch (error) {
      throw blobFailure('ask for the space left for', this.place, error);
    }
  }

  private async write(what: string, operations: readonly KvOperation[]): Promise<void> {
    try {
      await this.kv.batch(operations, { sync: true });
    } catch (error) {
      throw blobFailure(what, this.place ?? 'memory', error);
    }
  }
}
