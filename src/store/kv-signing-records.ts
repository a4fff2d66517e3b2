import { isReject } from '../core/base/reject.ts';
import { Reader } from '../core/codec/reader.ts';
import { Writer } from '../core/codec/writer.ts';
import { SIZES } from '../core/types/limits.ts';
import type { KeyValueStore } from '../ports/kv.ts';
import type { SigningRecord, SigningRecords } from '../ports/signing-state.ts';
import { corrupt } from './checksum.ts';
import { keys } from './keyspaces.ts';

const IDENTITY_BYTES_MAX = 64;
/** The key in use, the next one, and what a crash left of the one before. */
const RECORDS_MAX = 8;

/** `SigningRecords` in the node's database, beside the chain: who has the chain has them too. */
export class KvSigningRecords implements SigningRecords {
  constructor(private readonly kv: KeyValueStore) {}

  read(): readonly SigningRecord[] {
    const bytes = this.kv.get(keys.signing);
    if (bytes === null) return [];
    const reader = new Reader(bytes);
    const records = reader.list(RECORDS_MAX, from => ({
      publicKey: from.fixed(SIZES.publicKey),
      logIdentity: from.text(IDENTITY_BYTES_MAX),
      lost: from.bool(),
    }));
    const read = reader.finish(records, 'signing records');
    if (isReject(read)) throw corrupt(keys.signing, new Error(read.detail));
    return read;
  }

  async write(records: readonly SigningRecord[]): Promise<void> {
    const newest = records.slice(-RECORDS_MAX);
    const value = new Writer()
      .list(newest, (out, { publicKey, logIdentity, lost }) => {
        out.fixed(publicKey, SIZES.publicKey).text(logIdentity).bool(lost);
      })
      .finish();
    await this.kv.batch([{ type: 'put', key: keys.signing, value }], { sync: true });
  }
}
