import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { utf8 } from '../../../src/core/base/bytes.ts';
import { FileBlobStore } from '../../../src/store/file-blob-store.ts';
import { MemoryBlobStore } from '../../../src/store/memory-blob-store.ts';
import { blobStoreContract, rawCid } from '../../contracts/blob-store.ts';
import { temporaryDirectory } from './temporary.ts';

const root = temporaryDirectory();
let places = 0;
const newDirectory = () => {
  places += 1;
  return join(root, `files-${places}`);
};

blobStoreContract('MemoryBlobStore', () => new MemoryBlobStore());
blobStoreContract('FileBlobStore', () => new FileBlobStore(newDirectory()));

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
