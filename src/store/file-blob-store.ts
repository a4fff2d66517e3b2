import { access, mkdir, opendir, readdir, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { assert } from '../core/base/assert.ts';
import type { Blob, BlobStore } from '../ports/blob-store.ts';
import type { OperatingError } from '../ports/lifecycle.ts';
import { blobFailure, isUnreadable } from './blob-failure.ts';
import { parseCid, verifyCid } from './cid.ts';
import { concurrently } from './concurrently.ts';
import {
  type BlockOperations,
  isAligned,
  isDirectRefused,
  isMissing,
  nodeFileOperations,
} from './file-operations.ts';

const BLOCKS = 'blocks';
const TEMPORARY = 'tmp';
/** Characters of the CID's end that name its directory: 1,024 directories. */
const SHARD_CHARACTERS = 2;
/** Blocks of one `putMany` that are written at the same time. */
const WRITES_IN_FLIGHT = 8;

function shardOf(cid: string): string {
  return cid.slice(-SHARD_CHARACTERS);
}

/**
 * Blocks as files: `blocks/<shard>/<cid>`. Paths are made of checked CIDs only, so no name from outside reaches the file system
 * (SCENARIOS 88). A block is written beside, flushed and renamed: it is there whole or not at all. Where the disk takes it, the
 * system's cache is left out: blocks are written once and read seldom, and finding memory for them costs more than the writing.
 * What is read is then what the disk has (SCENARIOS 68).
 */
export class FileBlobStore implements BlobStore {
  private readonly blocks: string;
  private readonly temporary: string;
  private readonly shards = new Set<string>();
  private written = 0;
  /** Until the disk refuses. */
  private direct = true;

  constructor(
    private readonly directory: string,
    private readonly disk: BlockOperations = nodeFileOperations,
  ) {
    this.blocks = join(directory, BLOCKS);
    this.temporary = join(directory, TEMPORARY);
  }

  async open(): Promise<void> {
    try {
      // what an interrupted put left behind
      await rm(this.temporary, { recursive: true, force: true });
      await mkdir(this.temporary, { recursive: true });
      await mkdir(this.blocks, { recursive: true });
      await this.disk.syncDirectory(this.directory);
      for (const shard of await readdir(this.blocks)) this.shards.add(shard);
    } catch (error) {
      throw this.failure('open', error);
    }
  }

  async close(): Promise<void> {}

  put(cid: string, bytes: Uint8Array): Promise<void> {
    return this.putMany([{ cid, bytes }]);
  }

  async putMany(blobs: readonly Blob[]): Promise<void> {
    for (const { cid } of blobs) assert(parseCid(cid) !== null, 'a block is stored under a CID');
    const shards = [...new Set(blobs.map(({ cid }) => shardOf(cid)))];
    try {
      await this.ensureShards(shards);
      await concurrently(WRITES_IN_FLIGHT, blobs, blob => this.write(blob));
      await concurrently(WRITES_IN_FLIGHT, shards, shard =>
        this.disk.syncDirectory(join(this.blocks, shard)),
      );
    } catch (error) {
      throw this.failure('write', error);
    }
  }

  async get(cid: string): Promise<Uint8Array | null> {
    const parsed = parseCid(cid);
    if (parsed === null) return null;
    let bytes: Uint8Array;
    try {
      bytes = await this.read(this.pathOf(cid));
    } catch (error) {
      if (isMissing(error) || isUnreadable(error)) return null;
      throw this.failure('read', error);
    }
    return verifyCid(parsed, bytes) ? bytes : null;
  }

  async has(cid: string): Promise<boolean> {
    if (parseCid(cid) === null) return false;
    try {
      await access(this.pathOf(cid));
      return true;
    } catch (error) {
      if (isMissing(error)) return false;
      throw this.failure('read', error);
    }
  }

  async delete(cid: string): Promise<void> {
    if (parseCid(cid) === null) return;
    try {
      await rm(this.pathOf(cid), { force: true });
    } catch (error) {
      throw this.failure('delete from', error);
    }
  }

  async *list(): AsyncIterable<string> {
    for (const shard of await readdir(this.blocks)) {
      for await (const entry of await opendir(join(this.blocks, shard))) {
        if (entry.isFile() && parseCid(entry.name) !== null) yield entry.name;
      }
    }
  }

  async freeBytes(): Promise<number | null> {
    try {
      const { bavail, bsize } = await statfs(this.directory);
      return bavail * bsize;
    } catch (error) {
      throw this.failure('ask for the space left for', error);
    }
  }

  private pathOf(cid: string): string {
    return join(this.blocks, shardOf(cid), cid);
  }

  private async read(path: string): Promise<Uint8Array> {
    try {
      return await this.disk.readWhole(path, this.direct);
    } catch (error) {
      if (!this.direct || !isDirectRefused(error)) throw error;
      this.direct = false;
      return this.disk.readWhole(path, false);
    }
  }

  private async write(blob: Blob): Promise<void> {
    const { cid, bytes } = blob;
    this.written += 1;
    const temporary = join(this.temporary, `${this.written}-${cid}`);
    const direct = this.direct && isAligned(bytes.length);
    try {
      const file = await (direct ? this.disk.createDirect(temporary) : this.disk.create(temporary));
      try {
        await file.write(bytes, 0);
        await file.sync();
      } finally {
        await file.close();
      }
      await this.disk.rename(temporary, this.pathOf(cid));
    } catch (error) {
      await rm(temporary, { force: true });
      if (!direct || !isDirectRefused(error)) throw error;
      this.direct = false;
      await this.write(blob);
    }
  }

  private async ensureShards(names: readonly string[]): Promise<void> {
    const fresh = names.filter(name => !this.shards.has(name));
    if (fresh.length === 0) return;
    for (const name of fresh) await mkdir(join(this.blocks, name), { recursive: true });
    await this.disk.syncDirectory(this.blocks);
    for (const name of fresh) this.shards.add(name);
  }

  private failure(what: string, cause: unknown): OperatingError {
    return blobFailure(what, this.directory, cause);
  }
}
