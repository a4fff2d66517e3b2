import { join } from 'node:path';
import { type FilesConfig, readS3Credentials } from '../../config/files-config.ts';
import type { DataPaths } from '../../config/node-config.ts';
import { assertDefined } from '../../core/base/assert.ts';
import type { BlobStore } from '../../ports/blob-store.ts';
import type { FilesLimits } from '../../services/files/limits.ts';
import { FileBlobStore } from '../../store/file-blob-store.ts';
import { KvBlobStore } from '../../store/kv-blob-store.ts';
import { LevelStore } from '../../store/level-store.ts';
import { TieredBlobStore } from '../../store/tiered-blob-store.ts';

/** LevelDB's cache for blocks, in bytes: they are read once and sent, so a large one is memory lost. */
const CACHE_BYTES = 8 * 1024 * 1024;

function levelBlobs(directory: string): BlobStore {
  return new KvBlobStore(new LevelStore(directory, CACHE_BYTES), directory);
}

/**
 * The store that `[files]` in config.toml asks for. `filesystem` keeps large blocks as files and small ones in level, where
 * many share one flush.
 */
export async function createBlobStore(
  config: FilesConfig,
  paths: DataPaths,
  environment: NodeJS.ProcessEnv,
): Promise<BlobStore> {
  if (config.store === 'level') return levelBlobs(join(paths.files, 'level'));
  if (config.store === 'filesystem') {
    return new TieredBlobStore(levelBlobs(join(paths.files, 'small')), new FileBlobStore(paths.files));
  }
  const { endpoint, ...place } = assertDefined(config.s3, 'the section was checked');
  const credentials = await readS3Credentials(environment, paths.s3Credentials);
  const { sessionToken, ...keys } = credentials;
  // a large library, for those who use it
  const { S3BlobStore } = await import('../../store/s3-blob-store.ts');
  return new S3BlobStore(
    { ...place, endpoint: endpoint ?? null },
    { ...keys, ...(sessionToken === undefined ? {} : { sessionToken }) },
  );
}

/** Names the store that `[files]` asks for; another name is another store. */
export function placeOf({ store, s3 }: FilesConfig): string {
  if (store !== 's3' || s3 === undefined) return store;
  return ['s3', s3.endpoint ?? '', s3.bucket, s3.prefix].join(' ');
}

/** The limits of the file service that the operator set. */
export function limitsOf(config: FilesConfig): Partial<FilesLimits> {
  const quota = (bytes: number) => (bytes === 0 ? null : bytes);
  return {
    quotaBytes: quota(config.quotaBytes),
    phaseQuotaBytes: quota(config.phaseQuotaBytes),
    reserveBytes: config.reserveBytes,
    scrubBytesPerSecond: config.scrubBytesPerSecond,
    challengeMs: config.challengeSeconds * 1000,
  };
}
