import { createHash } from 'node:crypto';
import { CID } from 'multiformats/cid';
import { create } from 'multiformats/hashes/digest';
import { describe, expect, it } from 'vitest';
import { utf8 } from '../../src/core/base/bytes.ts';
import type { BlobStore } from '../../src/ports/blob-store.ts';

const RAW = 0x55;
const SHA256 = 0x12;

export function rawCid(bytes: Uint8Array): string {
  const digest = new Uint8Array(createHash('sha256').update(bytes).digest());
  return CID.createV1(RAW, create(SHA256, digest)).toString();
}

/** Names that a peer or a record could send in the place of a CID. */
export const HOSTILE_NAMES = [
  '../../etc/passwd',
  '/etc/passwd',
  '..',
  '',
  'con',
  'a\0b',
  'QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWKdQyT',
  'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku/../x',
  'BAFKREIHDWDCEFGH4DQKJV67UZCMW7OJEE6XEDZDETOJUZJEVTENXQUVYKU',
  'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvykv',
];

export function blobStoreContract(name: string, create: () => BlobStore): void {
  const opened = async () => {
    const store = create();
    await store.open();
    return store;
  };

  describe(`${name}: blob store contract`, () => {
    it('keeps a block under its CID until it is deleted', async () => {
      const store = await opened();
      const bytes = utf8('a block');
      const cid = rawCid(bytes);
      expect(await store.get(cid)).toBeNull();
      expect(await store.has(cid)).toBe(false);
      await store.put(cid, bytes);
      await store.put(cid, bytes);
      expect(await store.has(cid)).toBe(true);
      expect(await store.get(cid)).toEqual(bytes);
      await store.delete(cid);
      await store.delete(cid);
      expect(await store.get(cid)).toBeNull();
      expect(await store.has(cid)).toBe(false);
      await store.close();
    });

    it('lists what it has', async () => {
      const store = await opened();
      const cids: string[] = [];
      for (let index = 0; index < 20; index += 1) {
        const bytes = utf8(`block ${index}`);
        cids.push(rawCid(bytes));
        await store.put(rawCid(bytes), bytes);
      }
      const listed: string[] = [];
      for await (const cid of store.list()) listed.push(cid);
      expect(listed.sort()).toEqual(cids.sort());
      await store.close();
    });

    it('keeps many blocks at once, small and large', async () => {
      const store = await opened();
      const blobs = [0, 1, 70_000, 1024 * 1024].map(length => {
        const bytes = new Uint8Array(length).fill(length % 251);
        return { cid: rawCid(bytes), bytes };
      });
      await store.putMany(blobs);
      await store.putMany([]);
      for (const { cid, bytes } of blobs) expect(Buffer.compare((await store.get(cid))!, bytes)).toBe(0);
      const listed: string[] = [];
      for await (const cid of store.list()) listed.push(cid);
      expect(listed.sort()).toEqual(blobs.map(({ cid }) => cid).sort());
      await store.close();
    });

    it('[68] never gives out bytes that are not those of the CID', async () => {
      const store = await opened();
      await store.put(rawCid(utf8('a')), utf8('b'));
      expect(await store.get(rawCid(utf8('a')))).toBeNull();
      await store.put(rawCid(utf8('a')), utf8('a'));
      expect(await store.get(rawCid(utf8('a')))).toEqual(utf8('a'));
      await store.close();
    });

    it('says how much room the disk has, or that it has no such limit', async () => {
      const store = await opened();
      const free = await store.freeBytes();
      expect(free === null || free > 0).toBe(true);
      await store.close();
    });

    it('[88] takes no hostile name for a block', async () => {
      const store = await opened();
      for (const hostile of HOSTILE_NAMES) {
        expect(await store.get(hostile)).toBeNull();
        expect(await store.has(hostile)).toBe(false);
        await store.delete(hostile);
        await expect(store.put(hostile, new Uint8Array(0))).rejects.toThrow('under a CID');
        await expect(store.putMany([{ cid: hostile, bytes: new Uint8Array(0) }])).rejects.toThrow(
          'under a CID',
        );
      }
      await store.close();
    });

    it('does not hand out memory that a caller may change under it', async () => {
      const store = await opened();
      const bytes = utf8('abc');
      const cid = rawCid(bytes);
      await store.put(cid, bytes);
      bytes[0] = 0;
      (await store.get(cid))![1] = 0;
      expect(await store.get(cid)).toEqual(utf8('abc'));
      await store.close();
    });
  });
}
