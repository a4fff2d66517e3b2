import type { Hash, Sha256, Suite } from '../base/ids.ts';
import { type Reject, reject } from '../base/reject.ts';
import {
  encodeBlockEntryLeaf,
  readBlockEntry,
  readCertificate,
  readHeader,
  writeBlockEntry,
  writeCertificate,
  writeHeader,
} from '../codec/chain.ts';
import { contentCodec } from '../codec/content.ts';
import { inclusionProof, leafHash, verifyInclusion } from '../merkle/log.ts';
import type {
  Block,
  BlockEntry,
  Certificate,
  CertifiedHeader,
  Header,
  ValidatorSet,
} from '../types/chain.ts';
import { checkCertificate } from './certificate.ts';

/** Blocks have at most 2^16 entries, so a path has at most 16 hashes. */
const PATH_LENGTH_MAX = 16;

/** Where an entry stands in a block's transaction tree. */
export interface EntryProof {
  readonly entry: BlockEntry;
  readonly index: number;
  /** Number of entries of the block. */
  readonly size: number;
  readonly path: readonly Hash[];
}

/** What a sender keeps: its transaction has this outcome in this certified block. */
export interface Receipt {
  readonly certified: CertifiedHeader;
  readonly proof: EntryProof;
}

/** @param index the entry's place in the block */
export function proveEntry(sha256: Sha256, block: Block, index: number): EntryProof {
  const { entries } = block;
  const hashAt = (position: number) => leafHash(sha256, encodeBlockEntryLeaf(entries[position]!));
  const path = inclusionProof(sha256, hashAt, index, entries.length);
  return { entry: entries[index]!, index, size: entries.length, path };
}

export function makeReceipt(sha256: Sha256, block: Block, certificate: Certificate, index: number): Receipt {
  return { certified: { header: block.header, certificate }, proof: proveEntry(sha256, block, index) };
}

/** The entry is in the block of a header that the caller trusts. */
export function checkEntryProof(sha256: Sha256, header: Header, proof: EntryProof): Reject | null {
  const { entry, index, size, path } = proof;
  const leaf = leafHash(sha256, encodeBlockEntryLeaf(entry));
  if (verifyInclusion(sha256, { leaf, index, size, path, root: header.transactionsRoot })) return null;
  return reject('bad_inclusion', `transaction ${entry.id} is not proven to be in height ${header.height}`);
}

/** @param set the set that decides the receipt's height */
export function checkReceipt(
  suite: Suite,
  chainId: Hash,
  receipt: Receipt,
  set: ValidatorSet,
): Reject | null {
  const { certified, proof } = receipt;
  return (
    checkCertificate(suite, chainId, certified, set) ?? checkEntryProof(suite.sha256, certified.header, proof)
  );
}

export const { encode: encodeReceipt, decode: decodeReceipt } = contentCodec<Receipt>(
  'receipt',
  (writer, { certified, proof }) => {
    writeHeader(writer, certified.header);
    writeCertificate(writer, certified.certificate);
    writeBlockEntry(writer, proof.entry);
    writer
      .u32(proof.index)
      .u32(proof.size)
      .list(proof.path, (out, hash) => out.hash(hash));
  },
  reader => {
    const certified = { header: readHeader(reader), certificate: readCertificate(reader) };
    const entry = readBlockEntry(reader);
    const index = reader.u32();
    const size = reader.u32();
    return {
      certified,
      proof: { entry, index, size, path: reader.list(PATH_LENGTH_MAX, from => from.hash()) },
    };
  },
);
