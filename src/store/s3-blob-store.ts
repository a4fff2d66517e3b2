import { HeadBucketCommand, ListObjectsCommand, S3 } from '@aws-sdk/client-s3';
import { S3Blockstore } from 'blockstore-s3';
import type { Blockstore } from 'interface-blockstore';
import type { CID } from 'multiformats/cid';
import { assert } from '../core/base/assert.ts';
import { concatBytes } from '../core/base/bytes.ts';
import type { Blob, BlobStore } from '../ports/blob-store.ts';
import type { OperatingError } from '../ports/lifecycle.ts';
import { blobFailure } from './blob-failure.ts';
import { parseCid, verifyCid } from './cid.ts';
import { concurrently } from './concurrently.ts';

export interface S3Place {
  /** `https://HOST[:PORT]`; null for the provider's own of the region. */
  readonly endpoint: string | null;
  readonly region: string;
  readonly bucket: string;
  /** Begins every key, such as `node-a/`; may be empty. */
  readonly prefix: string;
  /** Bucket in the path instead of the host's name: what servers other than the provider's own mostly want. */
  readonly pathStyle: boolean;
}

export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

const CHECK_S3 = 'Check the endpoint, the bucket and the credentials under [files] in config.toml.';
/** Requests of one `putMany` at the same time. */
const WRITES_IN_FLIGHT = 8;
const SHARD_CHARACTERS = 2;
/** What the library passes on of the server's error, as text only. */
const MISSING = /\b(NoSuchKey|NotFound)\b/;

/** Keys are the CID's own text: the library's default would lose the codec. */
function keysUnder(prefix: string) {
  return {
    extension: '',
    encode: (cid: CID) => `${prefix}${cid.toString().slice(-SHARD_CHARACTERS)}/${cid.toString()}`,
    decode: (key: string) => {
      const cid = parseCid(key.slice(key.lastIndexOf('/') + 1));
      assert(cid !== null, 'only keys of blocks are decoded');
      return cid;
    },
  };
}

/**
 * Blocks as objects of an S3-compatible server, which answers a put when the object is durable, and shows it whole or not at
 * all. Bytes that come back are hashed again like those of a disk.
 */
export class S3BlobStore implements BlobStore {
  private readonly client: S3;
  private readonly store: Blockstore;

  constructor(
    private readonly place: S3Place,
    credentials: S3Credentials,
    /** Keys that one answer of the server lists. */
    private readonly keysPerPage = 1000,
  ) {
    const { endpoint, region, bucket, prefix, pathStyle } = place;
    this.client = new S3({
      region,
      credentials,
      forcePathStyle: pathStyle,
      ...(endpoint === null ? {} : { endpoint }),
      // older servers know no checksums in trailers; the CID is the checksum
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
    });
    this.store = new S3Blockstore(this.client, bucket, { shardingStrategy: keysUnder(prefix) });
  }

  async open(): Promise<void> {
    await this.attempt('open', () => this.client.send(new HeadBucketCommand({ Bucket: this.place.bucket })));
  }

  async close(): Promise<void> {
    this.client.destroy();
  }

  async put(cid: string, bytes: Uint8Array): Promise<void> {
    const parsed = parseCid(cid);
    assert(parsed !== null, 'a block is stored under a CID');
    await this.attempt('write', async () => this.store.put(parsed, bytes));
  }

  putMany(blobs: readonly Blob[]): Promise<void> {
    return concurrently(WRITES_IN_FLIGHT, blobs, ({ cid, bytes }) => this.put(cid, bytes));
  }

  async get(cid: string): Promise<Uint8Array | null> {
    const parsed = parseCid(cid);
    if (parsed === null) return null;
    const parts: Uint8Array[] = [];
    try {
      for await (const part of this.store.get(parsed)) parts.push(part);
    } catch (error) {
      if (MISSING.test(String(error))) return null;
      throw this.failure('read', error);
    }
    const bytes = concatBytes(...parts);
    return verifyCid(parsed, bytes) ? bytes : null;
  }

  async has(cid: string): Promise<boolean> {
    const parsed = parseCid(cid);
    return parsed !== null && this.attempt('read', async () => this.store.has(parsed));
  }

  async delete(cid: string): Promise<void> {
    const parsed = parseCid(cid);
    if (parsed !== null) await this.attempt('delete from', async () => this.store.delete(parsed));
  }

  async *list(): AsyncIterable<string> {
    const { bucket, prefix } = this.place;
    let after: string | undefined;
    for (;;) {
      const page = { Bucket: bucket, Prefix: prefix, MaxKeys: this.keysPerPage };
      const query = after === undefined ? page : { ...page, Marker: after };
      const answer = await this.attempt('list', () => this.client.send(new ListObjectsCommand(query)));
      for (const { Key: key } of answer.Contents ?? []) {
        if (key === undefined) continue;
        const name = key.slice(key.lastIndexOf('/') + 1);
        if (parseCid(name) !== null) yield name;
        after = key;
      }
      if (answer.IsTruncated !== true || after === undefined) return;
    }
  }

  async freeBytes(): Promise<number | null> {
    return null;
  }

  private async attempt<T>(what: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw this.failure(what, error);
    }
  }

  private failure(what: string, cause: unknown): OperatingError {
    const { endpoint, bucket, prefix } = this.place;
    return blobFailure(what, `${endpoint ?? 's3'}/${bucket}/${prefix}`, cause, CHECK_S3);
  }
}
