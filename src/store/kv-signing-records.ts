import { isReject } from '../core/base/reject.ts';
import { Reader } from '../core/codec/reader.ts';
import { Writer } from '../core/codec/writer.ts';
import { SIZES } from '../core/types/limits.ts';
import type { KeyValueStore } from '../ports/kv.ts';
import type { SigningRecord, SigningRecords } from '../ports/signing-state.ts';
import { corrupt } from './checksum.ts';
import { keys } from './keyspaces.ts';

const IDENTITY_BYTES_MAX = 64;

/** `SigningRecords` in the node's database, beside the chain: who has the chain has them too. */
export class KvSigningRecords implements SigningRecords {
  constructor(private readonly kv: KeyValueStore) {}

  read(): SigningRecord | null {
    const bytes = this.kv.get(keys.signing);
    if (bytes === null) return null;
    const reader = new Reader(bytes);
    const record = {
      publicKey: reader.fixed(SIZES.publicKey),
      logIdentity: reader.text(IDENTITY_BYTES_MAX),
      lost: reader.bool(),
    };
    const read = reader.finish(record, 'signing record');
    if (isReject(read)) throw corrupt(keys.signing, new Error(read.detail));
    return read;
  }

  async write({ publicKey, logIdentity, lost }: SigningRecord): Promise<void> {
    const value = new Writer().fixed(publicKey, SIZES.publicKey).text(logIdentity).bool(lost).finish();
    await this.kv.batch([{ type: 'put', key: keys.signing, value }], { sync: true });
  }
}
