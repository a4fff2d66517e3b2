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

    it('does not store bytes under the CID of others', async () => {
      const store = await opened();
      await expect(store.put(rawCid(utf8('a')), utf8('b'))).rejects.toThrow('its own CID');
      expect(await store.has(rawCid(utf8('a')))).toBe(false);
      await store.close();
    });

    it('[88] takes no hostile name for a block', async () => {
      const store = await opened();
      for (const hostile of HOSTILE_NAMES) {
        expect(await store.get(hostile)).toBeNull();
        expect(await store.has(hostile)).toBe(false);
        await store.delete(hostile);
        await expect(store.put(hostile, new Uint8Array(0))).rejects.toThrow('its own CID');
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
