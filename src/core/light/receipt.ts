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
import { leafHash, nodeHash, verifyInclusion } from '../merkle/log.ts';
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

/**
 * A block's transaction tree with all its levels, so that one building serves the proofs of every entry. A node without a
 * sibling is the node of the level above: that is RFC 9162's tree, built from below.
 */
export class EntryTree {
  private readonly levels: readonly (readonly Hash[])[];

  constructor(
    sha256: Sha256,
    private readonly block: Block,
  ) {
    let level = block.entries.map(entry => leafHash(sha256, encodeBlockEntryLeaf(entry)));
    const levels = [level];
    while (level.length > 1) {
      const below = level;
      level = Array.from({ length: Math.ceil(below.length / 2) }, (_, index) => {
        const right = below[2 * index + 1];
        return right === undefined ? below[2 * index]! : nodeHash(sha256, below[2 * index]!, right);
      });
      levels.push(level);
    }
    this.levels = levels;
  }

  /** @param index the entry's place in the block */
  prove(index: number): EntryProof {
    const path: Hash[] = [];
    let at = index;
    for (const level of this.levels) {
      const sibling = level[at ^ 1];
      if (sibling !== undefined) path.push(sibling);
      at >>= 1;
    }
    const { entries } = this.block;
    return { entry: entries[index]!, index, size: entries.length, path };
  }
}

/** @param tree of the block that `certificate` certifies */
export function makeReceipt(block: Block, certificate: Certificate, tree: EntryTree, index: number): Receipt {
  return { certified: { header: block.header, certificate }, proof: tree.prove(index) };
}

/** The entry is in the block of a header that the caller trusts. */
function checkEntryProof(sha256: Sha256, header: Header, proof: EntryProof): Reject | null {
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
