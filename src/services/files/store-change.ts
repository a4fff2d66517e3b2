import { equalBytes, utf8 } from '../../core/base/bytes.ts';
import type { BlobStore } from '../../ports/blob-store.ts';
import type { KeyValueStore } from '../../ports/kv.ts';
import type { Logger } from '../../ports/logger.ts';
import type { FileIndex } from './file-index.ts';

const PLACE = 'files/place';

export interface StoreChangeConfig {
  readonly kv: KeyValueStore;
  readonly index: FileIndex;
  readonly blobs: BlobStore;
  readonly logger: Logger;
  /** Where the blocks are, as the operator chose it. */
  readonly place: string;
}

/** A store that was used before may have some of them. */
async function hasAll(blobs: BlobStore, cids: AsyncIterable<string>): Promise<boolean> {
  for await (const cid of cids) if (!(await blobs.has(cid))) return false;
  return true;
}

/**
 * After the operator chose another store the index speaks of the one before. What is not in this one counts as lost, so that it
 * is fetched again and nobody is told that it is here.
 *
 * @throws OperatingError when the store cannot be read
 */
export async function followStore({ kv, index, blobs, logger, place }: StoreChangeConfig): Promise<void> {
  const now = utf8(place);
  const before = kv.get(PLACE);
  if (before !== null && equalBytes(before, now)) return;
  let lost = 0;
  for await (const [root, record] of index.roots()) {
    if (!record.whole || (await hasAll(blobs, index.blocksOf(root)))) continue;
    await index.setRoot(root, { ...record, whole: false });
    lost += 1;
  }
  if (lost > 0) logger.warn({ files: lost, place }, 'files are not in this store: they are fetched again');
  await kv.batch([{ type: 'put', key: PLACE, value: now }], { sync: true });
}
