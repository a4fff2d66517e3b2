import { concatBytes, equalBytes } from '../core/base/bytes.ts';
import { checksum } from './checksum.ts';

/** The first bytes of every log file: name and version of the format. */
const WAL_MAGIC = new Uint8Array([0x50, 0x48, 0x57, 0x41, 0x4c, 0x00, 0x00, 0x02]);

export const WAL_IDENTITY_BYTES = 16;
const CHECKSUM_BYTES = 4;
/** Magic, identity, checksum of the two. */
export const WAL_HEAD_BYTES = WAL_MAGIC.length + WAL_IDENTITY_BYTES + CHECKSUM_BYTES;

/** @param identity `WAL_IDENTITY_BYTES` bytes that no other log has */
export function encodeWalHead(identity: Uint8Array): Uint8Array {
  const sum = new Uint8Array(CHECKSUM_BYTES);
  new DataView(sum.buffer).setUint32(0, checksum(WAL_MAGIC, identity));
  return concatBytes(WAL_MAGIC, identity, sum);
}

/** Null when the bytes are no head of a log. */
function readWalHead(file: Uint8Array): Uint8Array | null {
  const head = file.subarray(0, WAL_HEAD_BYTES);
  const identity = new Uint8Array(head.subarray(WAL_MAGIC.length, WAL_MAGIC.length + WAL_IDENTITY_BYTES));
  return equalBytes(head, encodeWalHead(identity)) ? identity : null;
}

/** Largest record, in bytes; a longer length in a file is damage. */
export const WAL_RECORD_BYTES_MAX = 64 * 1024 * 1024;

/** Length, checksum of the payload, checksum of these two: a damaged length cannot pass for a torn record. */
const HEADER_BYTES = 12;
const SECTOR_BYTES = 512;

/** Records as they follow each other in the file. */
export function encodeWalRecords(payloads: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(payloads.reduce((sum, { length }) => sum + HEADER_BYTES + length, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const payload of payloads) {
    view.setUint32(at, payload.length);
    view.setUint32(at + 4, checksum(payload));
    view.setUint32(at + 8, checksum(bytes.subarray(at, at + 8)));
    bytes.set(payload, at + HEADER_BYTES);
    at += HEADER_BYTES + payload.length;
  }
  return bytes;
}

export interface WalScan {
  /** Null when the head is damaged. */
  readonly identity: Uint8Array | null;
  readonly records: readonly Uint8Array[];
  /** Bytes from the start that are whole records; what follows is a torn tail. */
  readonly validBytes: number;
  /** Offset of a bad record that is no torn tail; null when there is none. */
  readonly corruptAt: number | null;
}

/** A record, where it ends when it is whole, or what is wrong: `torn` ends the log, `bad` reaches to `end`. */
type Step =
  | { readonly payload: Uint8Array; readonly end: number }
  | { readonly fault: 'torn' | 'bad'; readonly end: number };

function readRecord(file: Uint8Array, offset: number): Step {
  const headerEnd = offset + HEADER_BYTES;
  if (file.length < headerEnd) return { fault: 'torn', end: file.length };
  const header = file.subarray(offset, headerEnd);
  const view = new DataView(header.buffer, header.byteOffset, HEADER_BYTES);
  const length = view.getUint32(0);
  if (view.getUint32(8) !== checksum(header.subarray(0, 8)) || length > WAL_RECORD_BYTES_MAX) {
    return { fault: 'bad', end: headerEnd };
  }
  const end = headerEnd + length;
  if (end > file.length) return { fault: 'torn', end: file.length };
  const payload = file.subarray(headerEnd, end);
  return view.getUint32(4) === checksum(payload)
    ? { payload: new Uint8Array(payload), end }
    : { fault: 'bad', end };
}

/**
 * A crash between write and flush leaves a prefix of what was being written, or a file that was made longer and holds zeros
 * from some sector on. Only these are a torn tail; any other bad record was durable and is damaged (SCENARIOS 66).
 * @returns true when the record in [offset, end) reaches into zeros that go on to the end of the file
 */
function reachesZeroTail(file: Uint8Array, offset: number, end: number): boolean {
  let zerosFrom = file.length;
  while (zerosFrom > offset && file[zerosFrom - 1] === 0) zerosFrom -= 1;
  const hole = zerosFrom === offset ? offset : Math.ceil(zerosFrom / SECTOR_BYTES) * SECTOR_BYTES;
  return hole < Math.min(end, file.length);
}

/** Reads a whole log file. The file is created by renaming a complete one, so its first bytes are never torn. */
export function scanWal(file: Uint8Array): WalScan {
  const identity = readWalHead(file);
  if (identity === null) return { identity, records: [], validBytes: 0, corruptAt: 0 };
  const records: Uint8Array[] = [];
  let offset = WAL_HEAD_BYTES;
  while (offset < file.length) {
    const step = readRecord(file, offset);
    if ('fault' in step) {
      const torn = step.fault === 'torn' || reachesZeroTail(file, offset, step.end);
      return { identity, records, validBytes: offset, corruptAt: torn ? null : offset };
    }
    records.push(step.payload);
    offset = step.end;
  }
  return { identity, records, validBytes: offset, corruptAt: null };
}
