import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { utf8 } from '../../../src/core/base/bytes.ts';
import { OperatingError } from '../../../src/ports/lifecycle.ts';
import { FileBlobStore } from '../../../src/store/file-blob-store.ts';
import {
  type BlockOperations,
  type DiskFile,
  nodeFileOperations,
} from '../../../src/store/file-operations.ts';
import { KvBlobStore } from '../../../src/store/kv-blob-store.ts';
import { LevelStore } from '../../../src/store/level-store.ts';
import { MemoryBlobStore } from '../../../src/store/memory-blob-store.ts';
import { MemoryStore } from '../../../src/store/memory-store.ts';
import { TieredBlobStore } from '../../../src/store/tiered-blob-store.ts';
import { blobStoreContract, rawCid } from '../../contracts/blob-store.ts';
import { FailingDisk } from './failing-disk.ts';
import { temporaryDirectory } from './temporary.ts';

const root = temporaryDirectory();
let places = 0;
const newDirectory = () => {
  places += 1;
  return join(root, `files-${places}`);
};

blobStoreContract('MemoryBlobStore', () => new MemoryBlobStore());
blobStoreContract('FileBlobStore', () => new FileBlobStore(newDirectory()));
blobStoreContract('KvBlobStore over level', () => {
  const directory = newDirectory();
  return new KvBlobStore(new LevelStore(directory), directory);
});
blobStoreContract('TieredBlobStore', () => {
  const directory = newDirectory();
  const small = new KvBlobStore(new LevelStore(join(directory, 'small')), directory);
  return new TieredBlobStore(small, new FileBlobStore(directory));
});

function pathOf(directory: string, cid: string): string {
  return join(directory, 'blocks', cid.slice(-2), cid);
}

describe('FileBlobStore', () => {
  it('has its blocks after a restart and nothing half written', async () => {
    const directory = newDirectory();
    const first = new FileBlobStore(directory);
    await first.open();
    const bytes = utf8('kept');
    await first.put(rawCid(bytes), bytes);
    const interrupted = join(directory, 'tmp', `7-${rawCid(utf8('half'))}`);
    writeFileSync(interrupted, 'ha');
    const second = new FileBlobStore(directory);
    await second.open();
    expect(await second.get(rawCid(bytes))).toEqual(bytes);
    expect(existsSync(interrupted)).toBe(false);
    expect(readdirSync(join(directory, 'tmp'))).toEqual([]);
  });

  it('[68] answers null for a block that rotted, and a new put repairs it', async () => {
    const directory = newDirectory();
    const store = new FileBlobStore(directory);
    await store.open();
    const bytes = utf8('some ciphertext');
    const cid = rawCid(bytes);
    await store.put(cid, bytes);
    const damaged = readFileSync(pathOf(directory, cid));
    damaged[3]! ^= 0x10;
    writeFileSync(pathOf(directory, cid), damaged);
    expect(await store.get(cid)).toBeNull();
    writeFileSync(pathOf(directory, cid), bytes.subarray(0, 4));
    expect(await store.get(cid)).toBeNull();
    await store.put(cid, bytes);
    expect(await store.get(cid)).toEqual(bytes);
  });

  it('[68] answers null for a block whose sector cannot be read, and a new put repairs it', async () => {
    const unreadable = new Set<string>();
    const disk: BlockOperations = {
      ...nodeFileOperations,
      readWhole: async (path, direct) => {
        const [code] = unreadable;
        if (code !== undefined) throw Object.assign(new Error(`${code}: read`), { code });
        return nodeFileOperations.readWhole(path, direct);
      },
      rename: async (from, to) => {
        await nodeFileOperations.rename(from, to);
        unreadable.clear();
      },
    };
    const store = new FileBlobStore(newDirectory(), disk);
    await store.open();
    const bytes = utf8('some ciphertext');
    const cid = rawCid(bytes);
    for (const code of ['EIO', 'EBADMSG', 'EUCLEAN', 'ENODATA']) {
      await store.put(cid, bytes);
      unreadable.add(code);
      expect(await store.get(cid)).toBeNull();
      await store.put(cid, bytes);
      expect(await store.get(cid)).toEqual(bytes);
    }
    unreadable.add('EACCES');
    await expect(store.get(cid)).rejects.toMatchObject({ code: 'blob_store_failed' });
  });

  it('lists no file that is not a block', async () => {
    const directory = newDirectory();
    const store = new FileBlobStore(directory);
    await store.open();
    mkdirSync(join(directory, 'blocks', 'zz'));
    writeFileSync(join(directory, 'blocks', 'zz', 'README'), 'not a block');
    for await (const cid of store.list()) expect(cid).toBeUndefined();
  });

  it('[69] says so when the disk does not take a block', async () => {
    const directory = newDirectory();
    const store = new FileBlobStore(directory);
    await store.open();
    const bytes = utf8('no room');
    const cid = rawCid(bytes);
    writeFileSync(join(directory, 'blocks', cid.slice(-2)), 'a file where the directory should be');
    await expect(store.put(cid, bytes)).rejects.toMatchObject({ code: 'blob_store_failed' });
    expect(readdirSync(join(directory, 'tmp'))).toEqual([]);
  });
});

/** The real disk, which notes what goes past the cache, and refuses it with `code` where one is given. */
class DirectDisk implements BlockOperations {
  readonly direct: string[] = [];

  constructor(private readonly refusal: string | null = null) {}

  private note(what: string): void {
    this.direct.push(what);
    if (this.refusal !== null) throw Object.assign(new Error('refused'), { code: this.refusal });
  }

  async createDirect(path: string): Promise<DiskFile> {
    this.note('write');
    return nodeFileOperations.createDirect(path);
  }

  async readWhole(path: string, direct: boolean): Promise<Uint8Array> {
    if (direct) this.note('read');
    return nodeFileOperations.readWhole(path, direct);
  }

  readonly ensureDirectory = nodeFileOperations.ensureDirectory;
  readonly openExisting = nodeFileOperations.openExisting;
  readonly create = nodeFileOperations.create;
  readonly rename = nodeFileOperations.rename;
  readonly syncDirectory = nodeFileOperations.syncDirectory;
  readonly remove = nodeFileOperations.remove;
}

describe("past the system's cache", () => {
  // a page, several pieces of the aligned memory, and lengths that are no whole pages
  const blocks = [4096, 1024 * 1024, 2 * 1024 * 1024, 100_000, 1024 * 1024 + 1].map(length => {
    const bytes = Uint8Array.from({ length }, (_, at) => (at * 31 + length) % 251);
    return { cid: rawCid(bytes), bytes };
  });

  async function putAndGet(disk: BlockOperations): Promise<void> {
    const store = new FileBlobStore(newDirectory(), disk);
    await store.open();
    await store.putMany(blocks);
    // more at once than there is aligned memory
    const asked = Array.from({ length: 4 }, () => blocks).flat();
    const found = await Promise.all(asked.map(({ cid }) => store.get(cid)));
    for (const [index, { bytes }] of asked.entries()) expect(Buffer.compare(bytes, found[index]!)).toBe(0);
  }

  it('writes whole pages and reads all', async () => {
    const disk = new DirectDisk();
    await putAndGet(disk);
    expect(disk.direct.filter(what => what === 'write')).toHaveLength(3);
    expect(disk.direct.filter(what => what === 'read')).toHaveLength(20);
  });

  it('goes through the cache for good where the disk refuses', async () => {
    const disk = new DirectDisk('EINVAL');
    await putAndGet(disk);
    expect(disk.direct).not.toContain('read');
  });

  it('[69] takes no other failure for a refusal', async () => {
    const store = new FileBlobStore(newDirectory(), new DirectDisk('ENOSPC'));
    await store.open();
    await expect(store.putMany(blocks)).rejects.toMatchObject({ code: 'disk_full' });
  });

  it('[69] leaves a block of whole pages there or not at all, at every step of its writing', async () => {
    const { cid, bytes } = blocks[1]!;
    const probe = new FailingDisk(Number.POSITIVE_INFINITY);
    const whole = new FileBlobStore(newDirectory(), probe);
    await whole.open();
    await whole.put(cid, bytes);
    for (let step = 1; step < probe.steps.length; step += 1) {
      const directory = newDirectory();
      const store = new FileBlobStore(directory, new FailingDisk(step));
      await store.open();
      await expect(store.put(cid, bytes)).rejects.toMatchObject({ code: 'blob_store_failed' });
      const after = new FileBlobStore(directory);
      await after.open();
      const found = await after.get(cid);
      expect(found === null || Buffer.compare(found, bytes) === 0).toBe(true);
      expect(readdirSync(join(directory, 'tmp'))).toEqual([]);
    }
  });
});

describe('a put that the disk breaks off', () => {
  const bytes = utf8('ciphertext that is to be there whole or not at all');
  const cid = rawCid(bytes);

  it('[69] leaves the block whole or nothing, at every step of it', async () => {
    const probe = new FailingDisk(Number.POSITIVE_INFINITY);
    const whole = new FileBlobStore(newDirectory(), probe);
    await whole.open();
    await whole.put(cid, bytes);
    expect(probe.steps.length).toBeGreaterThan(4);
    for (let step = 1; step < probe.steps.length; step += 1) {
      const directory = newDirectory();
      const store = new FileBlobStore(directory, new FailingDisk(step));
      await store.open();
      await expect(store.put(cid, bytes)).rejects.toMatchObject({ code: 'blob_store_failed' });
      const after = new FileBlobStore(directory);
      await after.open();
      const found = await after.get(cid);
      expect(found === null || Buffer.compare(found, bytes) === 0).toBe(true);
      expect(await after.has(cid)).toBe(found !== null);
      expect(readdirSync(join(directory, 'tmp'))).toEqual([]);
      await after.put(cid, bytes);
      expect(await after.get(cid)).toEqual(bytes);
    }
  });

  it('[69] says that the disk is full when it is', async () => {
    const full: BlockOperations = {
      ...nodeFileOperations,
      create: async () => {
        throw Object.assign(new Error('ENOSPC: no space left on device, open'), { code: 'ENOSPC' });
      },
    };
    const store = new FileBlobStore(newDirectory(), full);
    await store.open();
    await expect(store.put(cid, bytes)).rejects.toMatchObject({ code: 'disk_full' });
  });

  it('[68] in level: a value that rotted is a block that is missing', async () => {
    const kv = new MemoryStore();
    const store = new KvBlobStore(kv, null);
    await store.open();
    await store.put(cid, bytes);
    await kv.batch([{ type: 'put', key: `block/${cid}`, value: bytes.slice(1) }], { sync: true });
    expect(await store.get(cid)).toBeNull();
    const rotten = Object.assign(new MemoryStore(), {
      get: () => {
        throw new OperatingError('corrupt', 'a bad checksum');
      },
    });
    expect(await new KvBlobStore(rotten, null).get(cid)).toBeNull();
  });

  it('[68] in level: a table that the disk cannot read is a block that is missing', async () => {
    const failing = (words: string) =>
      Object.assign(new MemoryStore(), {
        get: () => {
          const cause = new Error(`IO error: /data/blocks/000005.ldb: ${words}`);
          throw new OperatingError('read_failed', 'cannot read the database in /data/blocks', null, cause);
        },
      });
    expect(await new KvBlobStore(failing('Input/output error'), null).get(cid)).toBeNull();
    const other = new KvBlobStore(failing('Too many open files'), null).get(cid);
    await expect(other).rejects.toMatchObject({ code: 'read_failed' });
  });
});
