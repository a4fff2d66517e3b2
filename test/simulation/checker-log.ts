import { isReject, type Reject } from '../../src/core/base/reject.ts';
import { encodeContent } from '../../src/core/pbft/message-codec.ts';
import type { MessageContent } from '../../src/core/pbft/messages.ts';
import { decodeWalRecord, type WalRecord } from '../../src/core/pbft/wal-record.ts';
import { hashOfHeader } from './checker-certificate.ts';
import { simulatedSuite as suite } from './suite.ts';

const HEAD_BYTES = 28;
const RECORD_HEADER_BYTES = 12;
const MAGIC = Buffer.from('PHWAL');

/** The records in bytes that became durable in one flush, and whether they begin a new file. */
export function splitLog(flushed: Uint8Array): { readonly isNew: boolean; readonly records: Uint8Array[] } {
  // A copy: the file may be written over.
  const bytes = flushed.slice();
  const isNew = MAGIC.every((byte, at) => bytes[at] === byte);
  const records: Uint8Array[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = isNew ? HEAD_BYTES : 0; at + RECORD_HEADER_BYTES <= bytes.length; ) {
    const start = at + RECORD_HEADER_BYTES;
    const end = start + view.getUint32(at);
    records.push(bytes.subarray(start, end));
    at = end;
  }
  return { isNew, records };
}

/** Proposals and NEW-VIEWs are this long, and the same bytes are in the logs of all. */
const LONG_BYTES = 300;
const RECENT_MAX = 8;

/** Decodes the records of logs; of long ones it remembers the newest. */
export class RecordReader {
  private readonly recent: { readonly bytes: Uint8Array; readonly record: WalRecord | Reject }[] = [];

  read(bytes: Uint8Array): WalRecord | Reject {
    if (bytes.length < LONG_BYTES) return decodeWalRecord(bytes);
    const known = this.recent.find(entry => Buffer.compare(entry.bytes, bytes) === 0);
    if (known !== undefined) return known.record;
    const record = decodeWalRecord(bytes);
    this.recent.unshift({ bytes, record });
    if (this.recent.length > RECENT_MAX) this.recent.pop();
    return record;
  }
}

/** Where a validator may sign one value only; empty for messages that may be signed again and again. */
export function slotOf(set: number, content: MessageContent): string {
  switch (content.kind) {
    case 'prePrepare':
      return `prePrepare:${set}:${content.view}:${content.block.header.height}`;
    case 'prepare':
    case 'commit':
      return `${content.kind}:${set}:${content.view}:${content.height}`;
    case 'checkpoint':
      return `checkpoint:${set}:${content.height}`;
    case 'viewChange':
    case 'newView':
      return `${content.kind}:${set}:${content.view}`;
    default:
      return '';
  }
}

export function signedValue(content: MessageContent): string {
  if (content.kind === 'prePrepare') return hashOfHeader(content.block.header);
  if (content.kind === 'prepare' || content.kind === 'commit') return content.blockHash;
  return suite.sha256(encodeContent(content));
}

/** What a durable record promises, as `slot=value`; null where it promises nothing, a string that starts with `!` when unreadable. */
export function promiseOf(record: WalRecord | Reject): string | null {
  if (isReject(record)) return `!${record.detail}`;
  if (record.type === 'message') {
    const { signed, content } = record.message;
    return `${slotOf(signed.validatorSetId, content)}=${signedValue(content)}`;
  }
  if (record.type !== 'prepared') return null;
  const { validatorSetId, view, height, blockHash } = record.proof.certificate;
  return `prepared:${validatorSetId}:${view}:${height}=${blockHash}`;
}

/** Sets and maps keep the order in which they grew: of more than `max` entries the older half goes. */
export function trimOldest(
  entries: { readonly size: number; keys(): Iterable<string>; delete(key: string): boolean },
  max: number,
): void {
  if (entries.size <= max) return;
  let surplus = entries.size - max / 2;
  for (const key of entries.keys()) {
    if (surplus <= 0) return;
    surplus -= 1;
    entries.delete(key);
  }
}
