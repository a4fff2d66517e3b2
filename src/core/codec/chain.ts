import type { BlockHash, Hash, Sha256 } from '../base/ids.ts';
import type { Reject } from '../base/reject.ts';
import type { Block, BlockEntry, Certificate, Header, Validator, ValidatorSet } from '../types/chain.ts';
import { LIMITS, SIZES } from '../types/limits.ts';
import { Reader } from './reader.ts';
import { type TagName, tagBytes } from './tags.ts';
import { Writer } from './writer.ts';

export type VoteTag = 'prepare' | 'commit';

/** @param writeNext writes the hash of the next set, where that has another form than usual */
export function writeHeader(
  writer: Writer,
  header: Header,
  writeNext: (writer: Writer) => void = to => to.hash(header.nextValidatorSetHash),
): void {
  writer
    .u16(header.version)
    .hash(header.chainId)
    .u64(header.height)
    .hash(header.parentHash)
    .u64(header.timeMs)
    .hash(header.transactionsRoot)
    .hash(header.mapRoot)
    .u64(header.validatorSetId)
    .hash(header.validatorSetHash);
  writeNext(writer);
  writer.u64(header.previousSetChangeHeight);
}

/** @param readNext of the hash of the next set, given that of the present one */
export function readHeader(reader: Reader, readNext: (present: Hash) => Hash = () => reader.hash()): Header {
  const start = {
    version: reader.u16(),
    chainId: reader.hash(),
    height: reader.u64(),
    parentHash: reader.hash(),
    timeMs: reader.u64(),
    transactionsRoot: reader.hash(),
    mapRoot: reader.hash(),
    validatorSetId: reader.u64(),
    validatorSetHash: reader.hash(),
  };
  return {
    ...start,
    nextValidatorSetHash: readNext(start.validatorSetHash),
    previousSetChangeHeight: reader.u64(),
  };
}

export function encodeHeader(header: Header): Uint8Array {
  const writer = new Writer();
  writeHeader(writer, header);
  return writer.finish();
}

export function decodeHeader(bytes: Uint8Array): Header | Reject {
  const reader = new Reader(bytes);
  return reader.finish(readHeader(reader), 'header');
}

/** By header: its hash is asked for whenever it is signed, verified, executed, stored or shown. Headers are never changed in place. */
const headerHashes = new WeakMap<Header, { readonly sha256: Sha256; readonly hash: BlockHash }>();

export function headerHash(sha256: Sha256, header: Header): BlockHash {
  const known = headerHashes.get(header);
  if (known?.sha256 === sha256) return known.hash;
  const writer = new Writer().raw(tagBytes('header'));
  writeHeader(writer, header);
  const hash = writer.digest(sha256);
  headerHashes.set(header, { sha256, hash });
  return hash;
}

export function writeBlockEntry(writer: Writer, entry: BlockEntry): void {
  writer.hash(entry.id).hash(entry.wrapperHash).u16(entry.outcome);
}

export function readBlockEntry(reader: Reader): BlockEntry {
  return { id: reader.hash(), wrapperHash: reader.hash(), outcome: reader.u16() };
}

/** The leaf input of `transactionsRoot`. */
export function encodeBlockEntryLeaf(entry: BlockEntry): Uint8Array {
  const writer = new Writer().raw(tagBytes('blockEntry'));
  writeBlockEntry(writer, entry);
  return writer.finish();
}

export function encodeBlock(block: Block): Uint8Array {
  const writer = new Writer();
  writeHeader(writer, block.header);
  return writer.list(block.entries, writeBlockEntry).finish();
}

export function readBlock(reader: Reader): Block {
  return { header: readHeader(reader), entries: reader.list(LIMITS.blockEntries, readBlockEntry) };
}

export function decodeBlock(bytes: Uint8Array): Block | Reject {
  const reader = new Reader(bytes);
  return reader.finish(readBlock(reader), 'block');
}

export function writeValidator(writer: Writer, validator: Validator): void {
  writer.text(validator.name).fixed(validator.publicKey, SIZES.publicKey).text(validator.peerId);
}

export function readValidator(reader: Reader): Validator {
  return {
    name: reader.text(LIMITS.memberNameBytes),
    publicKey: reader.fixed(SIZES.publicKey),
    peerId: reader.text(LIMITS.peerIdBytes),
  };
}

export function writeValidatorSet(writer: Writer, set: ValidatorSet): void {
  writer.u64(set.id).list(set.validators, writeValidator);
}

export function readValidatorSet(reader: Reader): ValidatorSet {
  return { id: reader.u64(), validators: reader.list(LIMITS.validatorsMax, readValidator) };
}

export function encodeValidatorSet(set: ValidatorSet): Uint8Array {
  const writer = new Writer();
  writeValidatorSet(writer, set);
  return writer.finish();
}

export function decodeValidatorSet(bytes: Uint8Array): ValidatorSet | Reject {
  const reader = new Reader(bytes);
  return reader.finish(readValidatorSet(reader), 'validator set');
}

/** By set: every block names the hash of its set, and a set lasts for many blocks. Sets are never changed in place. */
const setHashes = new WeakMap<ValidatorSet, { readonly sha256: Sha256; readonly hash: Hash }>();

export function validatorSetHash(sha256: Sha256, set: ValidatorSet): Hash {
  const known = setHashes.get(set);
  if (known?.sha256 === sha256) return known.hash;
  const writer = new Writer().raw(tagBytes('validatorSet'));
  writeValidatorSet(writer, set);
  const hash = writer.digest(sha256);
  setHashes.set(set, { sha256, hash });
  return hash;
}

export interface VoteSubject {
  readonly chainId: Hash;
  readonly validatorSetId: number;
  readonly view: number;
  readonly newViewDigest: Hash;
  readonly height: number;
  readonly blockHash: BlockHash;
}

/** The bytes that a PREPARE or COMMIT signs, and, under its own tag, the PRE-PREPARE of that block (DESIGN.md section 3). */
export function voteBytes(tag: VoteTag | 'prePrepare', vote: VoteSubject): Uint8Array {
  return new Writer()
    .raw(tagBytes(tag))
    .hash(vote.chainId)
    .u64(vote.validatorSetId)
    .u64(vote.view)
    .hash(vote.newViewDigest)
    .u64(vote.height)
    .hash(vote.blockHash)
    .finish();
}

/** What a consensus message signs: the tag of its kind, the chain, the set, then its own fields (docs/PROTOCOL.md, signed bytes). */
export function consensusBytes(
  tag: TagName,
  chainId: Hash,
  validatorSetId: number,
  fields: Uint8Array,
): Uint8Array {
  return new Writer().raw(tagBytes(tag)).hash(chainId).u64(validatorSetId).raw(fields).finish();
}

export function writeCertificate(writer: Writer, certificate: Certificate): void {
  writer
    .u64(certificate.validatorSetId)
    .u64(certificate.view)
    .hash(certificate.newViewDigest)
    .u64(certificate.height)
    .hash(certificate.blockHash)
    .list(certificate.signatures, (out, entry) => {
      out.u16(entry.signer).fixed(entry.signature, SIZES.signature);
    });
}

export function readCertificate(reader: Reader): Certificate {
  return {
    validatorSetId: reader.u64(),
    view: reader.u64(),
    newViewDigest: reader.hash(),
    height: reader.u64(),
    blockHash: reader.hash(),
    signatures: reader.list(LIMITS.validatorsMax, from => ({
      signer: from.u16(),
      signature: from.fixed(SIZES.signature),
    })),
  };
}

export function encodeCertificate(certificate: Certificate): Uint8Array {
  const writer = new Writer();
  writeCertificate(writer, certificate);
  return writer.finish();
}

export function decodeCertificate(bytes: Uint8Array): Certificate | Reject {
  const reader = new Reader(bytes);
  return reader.finish(readCertificate(reader), 'certificate');
}
