import { access, mkdir, open, opendir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { assert } from '../core/base/assert.ts';
import type { BlobStore } from '../ports/blob-store.ts';
import { OperatingError } from '../ports/lifecycle.ts';
import { parseCid, verifyCid } from './cid.ts';
import { isMissing, syncDirectory } from './file-operations.ts';

const BLOCKS = 'blocks';
const TEMPORARY = 'tmp';
/** Characters of the CID's end that name its directory: 1,024 directories. */
const SHARD_CHARACTERS = 2;

/**
 * Blocks as files: `blocks/<shard>/<cid>`. Paths are made of checked CIDs only, so no name from outside reaches the file system
 * (SCENARIOS 88). A block is written beside, flushed and renamed: it is there whole or not at all.
 */
export class FileBlobStore implements BlobStore {
  private readonly blocks: string;
  private readonly temporary: string;
  private readonly shards = new Set<string>();
  private written = 0;

  constructor(private readonly directory: string) {
    this.blocks = join(directory, BLOCKS);
    this.temporary = join(directory, TEMPORARY);
  }

  async open(): Promise<void> {
    try {
      // what an interrupted put left behind
      await rm(this.temporary, { recursive: true, force: true });
      await mkdir(this.temporary, { recursive: true });
      await mkdir(this.blocks, { recursive: true });
      await syncDirectory(this.directory);
      for (const shard of await readdir(this.blocks)) this.shards.add(shard);
    } catch (error) {
      throw this.failure('open', error);
    }
  }

  async close(): Promise<void> {}

  async put(cid: string, bytes: Uint8Array): Promise<void> {
    const parsed = parseCid(cid);
    assert(parsed !== null && verifyCid(parsed, bytes), 'a block is stored under its own CID');
    this.written += 1;
    const temporary = join(this.temporary, `${this.written}-${cid}`);
    try {
      const shard = await this.ensureShard(cid);
      await writeDurably(temporary, bytes);
      await rename(temporary, join(shard, cid));
      await syncDirectory(shard);
    } catch (error) {
      await rm(temporary, { force: true });
      throw this.failure('write', error);
    }
  }

  async get(cid: string): Promise<Uint8Array | null> {
    const parsed = parseCid(cid);
    if (parsed === null) return null;
    let bytes: Uint8Array;
    try {
      bytes = new Uint8Array(await readFile(this.pathOf(cid)));
    } catch (error) {
      if (isMissing(error)) return null;
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

  private pathOf(cid: string): string {
    return join(this.blocks, cid.slice(-SHARD_CHARACTERS), cid);
  }

  private async ensureShard(cid: string): Promise<string> {
    const name = cid.slice(-SHARD_CHARACTERS);
    const shard = join(this.blocks, name);
    if (this.shards.has(name)) return shard;
    await mkdir(shard, { recursive: true });
    await syncDirectory(this.blocks);
    this.shards.add(name);
    return shard;
  }

  private failure(what: string, cause: unknown): OperatingError {
    return new OperatingError(
      'blob_store_failed',
      `cannot ${what} the files in ${this.directory}`,
      'Check free space and the health of the disk, then start again.',
      cause,
    );
  }
}

async function writeDurably(path: string, bytes: Uint8Array): Promise<void> {
  const handle = await open(path, 'wx', 0o600);
  try {
    await handle.writeFile(bytes);
    await handle.datasync();
  } finally {
    await handle.close();
  }
}
