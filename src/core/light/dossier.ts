import { equalBytes, hashBytes, utf8 } from '../base/bytes.ts';
import type { Hash, LogId, Sha256 } from '../base/ids.ts';
import { isReject, type Reject, reject } from '../base/reject.ts';
import {
  readCertificate,
  readHeader,
  readValidatorSet,
  writeCertificate,
  writeHeader,
  writeValidatorSet,
} from '../codec/chain.ts';
import { readOptional, writeOptional } from '../codec/content.ts';
import { Reader } from '../codec/reader.ts';
import { readScopeKind, type ScopeRef } from '../codec/state.ts';
import { tagged } from '../codec/tags.ts';
import { SCOPE_KINDS } from '../codec/transaction.ts';
import { Writer } from '../codec/writer.ts';
import type { CertifiedHeader } from '../types/chain.ts';
import { LIMITS } from '../types/limits.ts';
import type { LogUpdate } from './log-update.ts';
import { readLogUpdate, writeLogUpdate } from './log-update-codec.ts';
import type { SetChange } from './trust.ts';

/**
 * The dossier file, version 1: evidence that a third party verifies offline, given the chain's genesis.
 *
 * All integers are big-endian; `list` is a u32 count and the items, `bytes` a u32 length and the bytes, `hash` 32 bytes;
 * header, certificate, set, leaf, state and signed transaction have their canonical encodings.
 *
 * | field | form | says |
 * | --- | --- | --- |
 * | magic | 8 bytes `PHLDOSS1` | format and its version |
 * | chain id | hash | anchor: the chain |
 * | genesis hash | hash | anchor: hash of the header of height 0 |
 * | set changes | list of (header, certificate, next set) | every block that changed the validator set, oldest first |
 * | head | header, certificate | the height that the dossier speaks of |
 * | logs | list of (u8 scope kind, hash scope id, log, optional list of hash) | every leaf up to the head, or, with a consistency proof, up to a removal; the system log, with the keys of all members, must be whole |
 * | openings | list of (place, 32-byte content key, bytes plaintext) | records that are shown in the clear |
 * | files | list of (place, text cid, u64 ciphertext bytes) | files that go with the dossier |
 * | checksum | hash | SHA-256 of tag `dossier` and everything before |
 *
 * A log is: hash log id, u64 size, hash root, hash digest, map proof, optional bytes state, u64 from, frontier, list of
 * (bytes leaf, bytes transaction). A transaction carries the parts of its log's scope; a payload may be left out (null).
 * A place is: hash log id, u64 position, optional u32 item (index in a handover leaf's items; absent for a record's own leaf).
 */
const DOSSIER_MAGIC = 'PHLDOSS1';

const DOSSIER_LIMITS = { setChanges: 65_536, logs: 4096, openings: 65_536, files: 65_536 } as const;

/** Twice the levels of a tree whose size is a safe integer. */
const CONSISTENCY_PATH_MAX = 106;
const CONTENT_KEY_BYTES = 32;
const CHECKSUM_BYTES = 32;

export interface DossierLog extends ScopeRef {
  readonly update: LogUpdate;
  /**
   * Null when the items reach the head. Otherwise the RFC 9162 consistency proof from the last item to the log's size: a
   * former participant can show the log up to its removal.
   */
  readonly consistency: readonly Hash[] | null;
}

/** Where a record stands: its own leaf, or one item of the leaf that handed it over. */
export interface RecordPlace {
  readonly logId: LogId;
  readonly position: number;
  /** Index in the items of a handover; null for a record's own leaf. */
  readonly item: number | null;
}

/** The content key discloses this one payload and nothing else. */
export interface Opening extends RecordPlace {
  /** 32 bytes. */
  readonly contentKey: Uint8Array;
  readonly plaintext: Uint8Array;
}

export interface DossierFile extends RecordPlace {
  readonly cid: string;
  readonly ciphertextBytes: number;
}

export interface Dossier {
  readonly chainId: Hash;
  readonly genesisHash: Hash;
  readonly setChanges: readonly SetChange[];
  readonly head: CertifiedHeader;
  readonly logs: readonly DossierLog[];
  readonly openings: readonly Opening[];
  readonly files: readonly DossierFile[];
}

function writeCertified(writer: Writer, certified: CertifiedHeader): void {
  writeHeader(writer, certified.header);
  writeCertificate(writer, certified.certificate);
}

function readCertified(reader: Reader): CertifiedHeader {
  return { header: readHeader(reader), certificate: readCertificate(reader) };
}

function writePlace(writer: Writer, place: RecordPlace): void {
  writer.hash(place.logId).u64(place.position);
  writeOptional(writer, place.item, (out, item) => out.u32(item));
}

function readPlace(reader: Reader): RecordPlace {
  return {
    logId: reader.hash() as LogId,
    position: reader.u64(),
    item: readOptional(reader, from => from.u32()),
  };
}

function checksum(sha256: Sha256, bytes: Uint8Array): Uint8Array {
  return hashBytes(sha256(tagged('dossier', bytes)));
}

/** @returns the whole file */
export function buildDossier(sha256: Sha256, content: Dossier): Uint8Array {
  const writer = new Writer().raw(utf8(DOSSIER_MAGIC)).hash(content.chainId).hash(content.genesisHash);
  writer.list(content.setChanges, (out, change) => {
    writeCertified(out, change.certified);
    writeValidatorSet(out, change.nextSet);
  });
  writeCertified(writer, content.head);
  writer.list(content.logs, (out, log) => {
    out.u8(SCOPE_KINDS[log.scope]).hash(log.id);
    writeLogUpdate(out, log.update);
    writeOptional(out, log.consistency, (to, path) => to.list(path, (each, hash) => each.hash(hash)));
  });
  writer.list(content.openings, (out, opening) => {
    writePlace(out, opening);
    out.fixed(opening.contentKey, CONTENT_KEY_BYTES).bytes(opening.plaintext);
  });
  writer.list(content.files, (out, file) => {
    writePlace(out, file);
    out.text(file.cid).u64(file.ciphertextBytes);
  });
  const body = writer.finish();
  return new Writer().raw(body).raw(checksum(sha256, body)).finish();
}

/** True when no byte of the file has changed by accident; it does not tell who made the file. */
export function verifyDossierChecksum(sha256: Sha256, bytes: Uint8Array): boolean {
  const end = bytes.length - CHECKSUM_BYTES;
  return end >= 0 && equalBytes(checksum(sha256, bytes.subarray(0, end)), bytes.subarray(end));
}

function readDossier(reader: Reader): Dossier {
  return {
    chainId: reader.hash(),
    genesisHash: reader.hash(),
    setChanges: reader.list(DOSSIER_LIMITS.setChanges, from => ({
      certified: readCertified(from),
      nextSet: readValidatorSet(from),
    })),
    head: readCertified(reader),
    logs: reader.list(DOSSIER_LIMITS.logs, from => ({
      scope: readScopeKind(from),
      id: from.hash(),
      update: readLogUpdate(from),
      consistency: readOptional(from, path => path.list(CONSISTENCY_PATH_MAX, each => each.hash())),
    })),
    openings: reader.list(DOSSIER_LIMITS.openings, from => ({
      ...readPlace(from),
      contentKey: from.fixed(CONTENT_KEY_BYTES),
      plaintext: from.bytes(LIMITS.partBytes),
    })),
    files: reader.list(DOSSIER_LIMITS.files, from => ({
      ...readPlace(from),
      cid: from.text(LIMITS.cidBytes),
      ciphertextBytes: from.u64(),
    })),
  };
}

/** Reads the structure; `verifyDossier` says what of it is true. The checksum is checked apart. */
export function decodeDossier(bytes: Uint8Array): Dossier | Reject {
  const magic = utf8(DOSSIER_MAGIC);
  if (!equalBytes(bytes.subarray(0, magic.length), magic)) {
    return reject('not_a_dossier', `the file does not begin with ${DOSSIER_MAGIC}`);
  }
  if (bytes.length < magic.length + CHECKSUM_BYTES) return reject('malformed', 'dossier: truncated');
  const reader = new Reader(bytes.subarray(magic.length, bytes.length - CHECKSUM_BYTES));
  const dossier = reader.finish(readDossier(reader), 'dossier');
  if (isReject(dossier)) return dossier;
  const ids = new Set(dossier.logs.map(log => log.update.logId));
  return ids.size === dossier.logs.length
    ? dossier
    : reject('malformed', 'dossier: a log stands in it twice');
}
