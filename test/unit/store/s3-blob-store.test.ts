import { join } from 'node:path';
import S3rver from 's3rver';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { utf8 } from '../../../src/core/base/bytes.ts';
import { S3BlobStore, type S3Place } from '../../../src/store/s3-blob-store.ts';
import { blobStoreContract, rawCid } from '../../contracts/blob-store.ts';
import { temporaryDirectory } from './temporary.ts';

const credentials = { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' };
const root = temporaryDirectory();
let server: S3rver;
let endpoint = '';
let places = 0;

beforeAll(async () => {
  server = new S3rver({
    ...{ address: '127.0.0.1', port: 0, silent: true, directory: join(root, 's3') },
    configureBuckets: [{ name: 'files' }],
  });
  const { port } = await server.run();
  endpoint = `http://127.0.0.1:${port}`;
});
afterAll(() => server.close());

const placeOf = (changes: Partial<S3Place> = {}): S3Place => {
  places += 1;
  const own = { endpoint, region: 'us-east-1', bucket: 'files', prefix: `node-${places}/`, pathStyle: true };
  return { ...own, ...changes };
};

blobStoreContract('S3BlobStore', () => new S3BlobStore(placeOf(), credentials));

describe('S3BlobStore', () => {
  it('keeps the blocks of one prefix apart from those of another', async () => {
    const mine = new S3BlobStore(placeOf(), credentials);
    const other = new S3BlobStore(placeOf(), credentials);
    const bytes = utf8('mine');
    await mine.put(rawCid(bytes), bytes);
    expect(await other.get(rawCid(bytes))).toBeNull();
    for await (const cid of other.list()) expect(cid).toBeUndefined();
    expect(await mine.get(rawCid(bytes))).toEqual(bytes);
  });

  it('lists more blocks than one answer of the server has', async () => {
    const store = new S3BlobStore(placeOf(), credentials, 10);
    const blobs = Array.from({ length: 25 }, (_, index) => utf8(`block ${index}`)).map(bytes => ({
      cid: rawCid(bytes),
      bytes,
    }));
    await store.putMany(blobs);
    const listed = new Set<string>();
    for await (const cid of store.list()) listed.add(cid);
    expect(listed.size).toBe(25);
  });

  it('says what is wrong with a bucket or an endpoint, and never takes that for a missing block', async () => {
    const bytes = utf8('a');
    const nobucket = new S3BlobStore(placeOf({ bucket: 'nowhere' }), credentials);
    await expect(nobucket.open()).rejects.toMatchObject({
      code: 'blob_store_failed',
      hint: expect.stringContaining('config.toml'),
    });
    const gone = new S3BlobStore(placeOf({ endpoint: 'http://127.0.0.1:9' }), credentials);
    await expect(gone.get(rawCid(bytes))).rejects.toMatchObject({ code: 'blob_store_failed' });
    const stranger = new S3BlobStore(placeOf(), { ...credentials, accessKeyId: 'nobody' });
    await expect(stranger.get(rawCid(bytes))).rejects.toMatchObject({ code: 'blob_store_failed' });
  });
});
