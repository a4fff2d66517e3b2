import type { KeyValueStore, KvOperation } from '../ports/kv.ts';
import type { KeyRange } from './keyspaces.ts';

/** Keys that one write of a sweep deletes. */
const KEYS_PER_WRITE = 1024;

/** Deletes every key of the ranges in bounded writes; what a crash leaves is deleted the next time. */
export async function sweep(
  kv: KeyValueStore,
  ranges: readonly KeyRange[],
  write: (operations: readonly KvOperation[]) => Promise<void>,
): Promise<void> {
  for (const range of ranges) {
    for (let found = KEYS_PER_WRITE; found === KEYS_PER_WRITE; ) {
      const operations: KvOperation[] = [];
      for await (const [key] of kv.entries({ ...range, limit: KEYS_PER_WRITE })) {
        operations.push({ type: 'delete', key });
      }
      found = operations.length;
      if (found > 0) await write(operations);
    }
  }
}
