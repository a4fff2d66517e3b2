import type { Hash, TransactionId } from '../core/base/ids.ts';
import { isReject, type Reject } from '../core/base/reject.ts';
import {
  encodeBlock,
  encodeCertificate,
  readBlock,
  readCertificate,
  readHeader,
  readValidatorSet,
  writeCertificate,
  writeHeader,
  writeValidatorSet,
} from '../core/codec/chain.ts';
import { Reader } from '../core/codec/reader.ts';
import { Writer } from '../core/codec/writer.ts';
import type { SetChange } from '../core/light/trust.ts';
import { LIMITS } from '../core/types/limits.ts';
import type { StoredBlock, StoredLeaf, TransactionLocation, Wrapper } from '../ports/chain-store.ts';
import { corrupt } from './checksum.ts';

const HASH_BYTES = 32;
/** Hashes in one list of a height: a block's ids, or the nodes it made stale. */
const LIST_MAX = LIMITS.blockEntries * 1024;

/** Stored bytes passed their checksum, so what does not decode was written wrong or belongs to another version. */
function decoded<T>(key: string, value: T | Reject): T {
  if (isReject(value)) throw corrupt(key, new Error(value.detail));
  return value;
}

export function encodeHeight(height: number): Uint8Array {
  return new Writer().u64(height).finish();
}

export function decodeHeight(key: string, bytes: Uint8Array): number {
  const reader = new Reader(bytes);
  return decoded(key, reader.finish(reader.u64(), 'height'));
}

export function encodeStoredBlock(stored: StoredBlock): Uint8Array {
  const writer = new Writer().hash(stored.hash).raw(encodeBlock(stored.block));
  writer.bool(stored.certificate !== null);
  if (stored.certificate !== null) writer.raw(encodeCertificate(stored.certificate));
  return writer.finish();
}

export function decodeStoredBlock(key: string, bytes: Uint8Array): StoredBlock {
  const reader = new Reader(bytes);
  const hash = reader.hash();
  const block = readBlock(reader);
  const certificate = reader.bool() ? readCertificate(reader) : null;
  return decoded(key, reader.finish({ hash, block, certificate }, 'stored block'));
}

/** Where a transaction is, and which of its wrappers. */
export interface LocationRecord extends TransactionLocation {
  readonly wrapperHash: Hash;
}

export function encodeLocation({ height, index, outcome, wrapperHash }: LocationRecord): Uint8Array {
  return new Writer().u64(height).u32(index).u16(outcome).hash(wrapperHash).finish();
}

export function decodeLocation(key: string, bytes: Uint8Array): LocationRecord {
  const reader = new Reader(bytes);
  const location = {
    height: reader.u64(),
    index: reader.u32(),
    outcome: reader.u16(),
    wrapperHash: reader.hash(),
  };
  return decoded(key, reader.finish(location, 'location'));
}

export function encodeStoredLeaf(leaf: StoredLeaf): Uint8Array {
  return new Writer().hash(leaf.transactionId).raw(leaf.leaf).finish();
}

export function decodeStoredLeaf(key: string, bytes: Uint8Array): StoredLeaf {
  const reader = new Reader(bytes);
  const transactionId: TransactionId = reader.hash();
  const leaf = reader.fixed(Math.max(0, bytes.length - HASH_BYTES));
  return decoded(key, reader.finish({ leaf, transactionId }, 'stored leaf'));
}

/** Of one write ahead of blocks: (id, wrapper hash) pairs. */
export function encodeAhead(wrappers: readonly Omit<Wrapper, 'bytes'>[]): Uint8Array {
  return new Writer().list(wrappers, (out, { id, wrapperHash }) => out.hash(id).hash(wrapperHash)).finish();
}

export function decodeAhead(key: string, bytes: Uint8Array): Omit<Wrapper, 'bytes'>[] {
  const reader = new Reader(bytes);
  const pairs = reader.list(LIST_MAX, from => ({ id: from.hash(), wrapperHash: from.hash() }));
  return decoded(key, reader.finish(pairs, 'list of wrappers'));
}

export function encodeHashes(hashes: readonly Hash[]): Uint8Array {
  return new Writer().list(hashes, (out, hash) => out.hash(hash)).finish();
}

export function decodeHashes(key: string, bytes: Uint8Array): Hash[] {
  const reader = new Reader(bytes);
  return decoded(
    key,
    reader.finish(
      reader.list(LIST_MAX, from => from.hash()),
      'hash list',
    ),
  );
}

/** A map node with the height that added it, so that one added again is not deleted with its older self. */
export function encodeMapNode(height: number, node: Uint8Array): Uint8Array {
  return new Writer().u64(height).raw(node).finish();
}

export function decodeMapNode(key: string, bytes: Uint8Array): { height: number; node: Uint8Array } {
  const reader = new Reader(bytes);
  const record = { height: reader.u64(), node: reader.fixed(Math.max(0, bytes.length - 8)) };
  return decoded(key, reader.finish(record, 'map node'));
}

export function encodeSetChange({ certified, nextSet }: SetChange): Uint8Array {
  const writer = new Writer();
  writeHeader(writer, certified.header);
  writeCertificate(writer, certified.certificate);
  writeValidatorSet(writer, nextSet);
  return writer.finish();
}

export function decodeSetChange(key: string, bytes: Uint8Array): SetChange {
  const reader = new Reader(bytes);
  const certified = { header: readHeader(reader), certificate: readCertificate(reader) };
  return decoded(key, reader.finish({ certified, nextSet: readValidatorSet(reader) }, 'set change'));
}
