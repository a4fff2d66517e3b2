import { equalBytes, hashBytes, utf8 } from '../base/bytes.ts';
import type { Sha256 } from '../base/ids.ts';
import { isReject, type Reject, reject } from '../base/reject.ts';
import { readValidatorSet, writeValidatorSet } from '../codec/chain.ts';
import { CompactReader, CompactWriter } from '../codec/compact.ts';
import { readOptional, writeOptional } from '../codec/content.ts';
import type { Reader } from '../codec/reader.ts';
import { readScopeKind } from '../codec/state.ts';
import { tagged } from '../codec/tags.ts';
import { logIdOf, SCOPE_KINDS } from '../codec/transaction.ts';
import { Writer } from '../codec/writer.ts';
import { readFrontier, writeFrontier } from '../merkle/log.ts';
import { readOpening, writeOpening } from '../merkle/map-opening.ts';
import { LIMITS, SIZES } from '../types/limits.ts';
import { readClaim, writeClaim } from './claims.ts';
import type {
  Dossier,
  DossierFile,
  DossierItem,
  DossierLog,
  Opening,
  ProvenMembers,
  SealedOpening,
  ShownField,
} from './dossier.ts';
import {
  LogNumbers,
  readCertified,
  readPath,
  readPlace,
  writeCertified,
  writePath,
  writePlace,
} from './dossier-parts.ts';
import { FIELD_SALT_BYTES } from './fields.ts';

/** Format and version: the first bytes of the file. */
const MAGIC = 'PHLDOSS1';
/** Against accidents only: what the file says is proven by other means. */
export const CHECKSUM_BYTES = 8;
const CONTENT_KEY_BYTES = 32;
const MEMBER_BYTES_MAX = 256 * 1024;
const FIELD_NAME_BYTES_MAX = 256;
const SEALED_BYTES_MAX = 256;
const DOSSIER_LIMITS = {
  setChanges: 65_536,
  logs: 4096,
  items: 1_048_576,
  claims: 1024,
  shown: 65_536,
} as const;

function writeMembers(writer: Writer, members: ProvenMembers): void {
  writer.u64(members.size).hash(members.root).u32(members.sections);
  writer.list(members.members, (out, { index, member }) => out.u32(index).bytes(member));
  writer.list(members.beside, (out, hash) => out.hash(hash));
}

function readMembers(reader: Reader): ProvenMembers {
  return {
    size: reader.u64(),
    root: reader.hash(),
    sections: reader.u32(),
    members: reader.list(LIMITS.membersMax, from => ({
      index: from.u32(),
      member: from.bytes(MEMBER_BYTES_MAX),
    })),
    beside: reader.list(LIMITS.membersMax + 1, from => from.hash()),
  };
}

function writeItem(writer: Writer, item: DossierItem): void {
  writer.u64(item.height).u64(item.timeMs).u16(item.outcome).bytes(item.transaction);
}

function readItem(reader: Reader): DossierItem {
  return {
    height: reader.u64(),
    timeMs: reader.u64(),
    outcome: reader.u16(),
    transaction: reader.bytes(LIMITS.transactionBytes),
  };
}

function writeLog(writer: Writer, log: DossierLog): void {
  writer.u8(SCOPE_KINDS[log.scope]).hash(log.id).u64(log.size).hash(log.digest);
  writeOptional(writer, log.state, (out, state) => out.bytes(state));
  writeFrontier(writer, log.frontier);
  writer.list(log.items, writeItem);
  writePath(writer, log.right);
}

function readLog(reader: Reader): DossierLog {
  return {
    scope: readScopeKind(reader),
    id: reader.hash(),
    size: reader.u64(),
    digest: reader.hash(),
    state: readOptional(reader, from => from.bytes(LIMITS.stateBytes)),
    frontier: readFrontier(reader),
    items: reader.list(DOSSIER_LIMITS.items, readItem),
    right: readPath(reader),
  };
}

function writeShownKey(writer: Writer, logs: LogNumbers, opening: Opening): void {
  writePlace(writer, logs, opening);
  writer.fixed(opening.contentKey, CONTENT_KEY_BYTES);
}

function writeSealed(writer: Writer, logs: LogNumbers, sealed: SealedOpening): void {
  writePlace(writer, logs, sealed);
  writer.fixed(sealed.recipient, SIZES.publicKey).bytes(sealed.sealed);
}

function writeField(writer: Writer, logs: LogNumbers, { field, ...place }: ShownField): void {
  writePlace(writer, logs, place);
  writer.text(field.name).text(field.value).fixed(field.salt, FIELD_SALT_BYTES);
  writer.u32(field.index).u32(field.size);
  writePath(writer, field.path);
}

function readField(reader: Reader, logs: LogNumbers): ShownField {
  const place = readPlace(reader, logs);
  const field = {
    name: reader.text(FIELD_NAME_BYTES_MAX),
    value: reader.text(LIMITS.partBytes),
    salt: reader.fixed(FIELD_SALT_BYTES),
    index: reader.u32(),
    size: reader.u32(),
    path: readPath(reader),
  };
  return { ...place, field };
}

function writeFile(writer: Writer, logs: LogNumbers, file: DossierFile): void {
  writePlace(writer, logs, file);
  writer.text(file.cid).u64(file.ciphertextBytes);
}

function checksum(sha256: Sha256, bytes: Uint8Array): Uint8Array {
  return hashBytes(sha256(tagged('dossier', bytes))).subarray(0, CHECKSUM_BYTES);
}

function numbersOf(sha256: Sha256, { head, logs }: Pick<Dossier, 'head' | 'logs'>): LogNumbers {
  const { chainId } = head.header;
  return new LogNumbers(logs.map(({ scope, id }) => logIdOf(sha256, chainId, scope, id)));
}

/** @returns the whole file; docs/PROTOCOL.md describes it */
export function buildDossier(sha256: Sha256, content: Dossier): Uint8Array {
  const writer = new CompactWriter().raw(utf8(MAGIC));
  writer.list(content.setChanges, (out, change) => {
    writeCertified(out, change.certified);
    writeValidatorSet(out, change.nextSet);
  });
  writeCertified(writer, content.head);
  writeOptional(writer, content.members, writeMembers);
  writer.list(content.logs, writeLog);
  writeOpening(writer, content.map);
  const logs = numbersOf(sha256, content);
  writer.list(content.claims, (out, claim) => writeClaim(out, logs, claim));
  writer.list(content.openings, (out, opening) => writeShownKey(out, logs, opening));
  writer.list(content.sealed, (out, sealed) => writeSealed(out, logs, sealed));
  writer.list(content.fields, (out, field) => writeField(out, logs, field));
  writer.list(content.files, (out, file) => writeFile(out, logs, file));
  const body = writer.finish();
  return new Writer().raw(body).raw(checksum(sha256, body)).finish();
}

/** True when no byte of the file has changed by accident; it does not tell who made the file. */
export function verifyDossierChecksum(sha256: Sha256, bytes: Uint8Array): boolean {
  const end = bytes.length - CHECKSUM_BYTES;
  return end >= 0 && equalBytes(checksum(sha256, bytes.subarray(0, end)), bytes.subarray(end));
}

function readDossier(sha256: Sha256, reader: Reader): Dossier {
  const { shown } = DOSSIER_LIMITS;
  const setChanges = reader.list(DOSSIER_LIMITS.setChanges, from => ({
    certified: readCertified(from),
    nextSet: readValidatorSet(from),
  }));
  const head = readCertified(reader);
  const members = readOptional(reader, readMembers);
  const logs = reader.list(DOSSIER_LIMITS.logs, readLog);
  const map = readOpening(reader);
  const numbers = numbersOf(sha256, { head, logs });
  return {
    ...{ setChanges, head, map, members, logs },
    claims: reader.list(DOSSIER_LIMITS.claims, from => readClaim(from, numbers)),
    openings: reader.list(shown, from => ({
      ...readPlace(from, numbers),
      contentKey: from.fixed(CONTENT_KEY_BYTES),
    })),
    sealed: reader.list(shown, from => ({
      ...readPlace(from, numbers),
      recipient: from.fixed(SIZES.publicKey),
      sealed: from.bytes(SEALED_BYTES_MAX),
    })),
    fields: reader.list(shown, from => readField(from, numbers)),
    files: reader.list(shown, from => ({
      ...readPlace(from, numbers),
      cid: from.text(LIMITS.cidBytes),
      ciphertextBytes: from.u64(),
    })),
  };
}

/** Reads the structure; `verifyDossier` says what of it is true. The checksum is checked apart. */
export function decodeDossier(sha256: Sha256, bytes: Uint8Array): Dossier | Reject {
  const magic = utf8(MAGIC);
  if (!equalBytes(bytes.subarray(0, magic.length), magic)) {
    return reject('not_a_dossier', `the file does not begin with ${MAGIC}`);
  }
  if (bytes.length < magic.length + CHECKSUM_BYTES) return reject('malformed', 'dossier: truncated');
  const reader = new CompactReader(bytes.subarray(magic.length, bytes.length - CHECKSUM_BYTES));
  const dossier = reader.finish(readDossier(sha256, reader), 'dossier');
  if (isReject(dossier)) return dossier;
  const ids = new Set(dossier.logs.map(log => `${log.scope} ${log.id}`));
  return ids.size === dossier.logs.length
    ? dossier
    : reject('malformed', 'dossier: a log stands in it twice');
}
