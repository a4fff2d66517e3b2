import { equalBytes, hashBytes, utf8 } from '../base/bytes.ts';
import type { Sha256 } from '../base/ids.ts';
import { isReject, type Reject, reject } from '../base/reject.ts';
import { readValidatorSet, writeValidatorSet } from '../codec/chain.ts';
import { readOptional, writeOptional } from '../codec/content.ts';
import { Reader } from '../codec/reader.ts';
import { readScopeKind } from '../codec/state.ts';
import { tagged } from '../codec/tags.ts';
import { SCOPE_KINDS } from '../codec/transaction.ts';
import { Writer } from '../codec/writer.ts';
import { readFrontier, writeFrontier } from '../merkle/log.ts';
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
  readCertified,
  readEntry,
  readPath,
  readPlace,
  readSiblings,
  writeCertified,
  writeEntry,
  writePath,
  writePlace,
  writeSiblings,
} from './dossier-parts.ts';
import { FIELD_SALT_BYTES } from './fields.ts';

/** Format and version: the first bytes of the file. */
const MAGIC = 'PHLDOSS1';
const CHECKSUM_BYTES = 32;
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
  writer.u64(members.size).hash(members.root);
  writeSiblings(writer, members.siblings);
  writer.u32(members.sections).hash(members.sectionsRoot);
  writer.list(members.members, (out, { index, member, path }) => {
    out.u32(index).bytes(member);
    writePath(out, path);
  });
}

function readMembers(reader: Reader): ProvenMembers {
  return {
    size: reader.u64(),
    root: reader.hash(),
    siblings: readSiblings(reader),
    sections: reader.u32(),
    sectionsRoot: reader.hash(),
    members: reader.list(LIMITS.membersMax, from => ({
      index: from.u32(),
      member: from.bytes(MEMBER_BYTES_MAX),
      path: readPath(from),
    })),
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
  writer.u8(SCOPE_KINDS[log.scope]).hash(log.id);
  writeEntry(writer, log);
  writeOptional(writer, log.state, (out, state) => out.bytes(state));
  writeFrontier(writer, log.frontier);
  writer.list(log.items, writeItem);
  writePath(writer, log.right);
}

function readLog(reader: Reader): DossierLog {
  return {
    scope: readScopeKind(reader),
    id: reader.hash(),
    ...readEntry(reader),
    state: readOptional(reader, from => from.bytes(LIMITS.stateBytes)),
    frontier: readFrontier(reader),
    items: reader.list(DOSSIER_LIMITS.items, readItem),
    right: readPath(reader),
  };
}

function writeOpening(writer: Writer, opening: Opening): void {
  writePlace(writer, opening);
  writer.fixed(opening.contentKey, CONTENT_KEY_BYTES);
}

function writeSealed(writer: Writer, sealed: SealedOpening): void {
  writePlace(writer, sealed);
  writer.fixed(sealed.recipient, SIZES.publicKey).bytes(sealed.sealed);
}

function writeField(writer: Writer, { field, ...place }: ShownField): void {
  writePlace(writer, place);
  writer.text(field.name).text(field.value).fixed(field.salt, FIELD_SALT_BYTES);
  writer.u32(field.index).u32(field.size);
  writePath(writer, field.path);
}

function readField(reader: Reader): ShownField {
  const place = readPlace(reader);
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

function writeFile(writer: Writer, file: DossierFile): void {
  writePlace(writer, file);
  writer.text(file.cid).u64(file.ciphertextBytes);
}

function checksum(sha256: Sha256, bytes: Uint8Array): Uint8Array {
  return hashBytes(sha256(tagged('dossier', bytes)));
}

/** @returns the whole file; docs/PROTOCOL.md describes it */
export function buildDossier(sha256: Sha256, content: Dossier): Uint8Array {
  const writer = new Writer().raw(utf8(MAGIC));
  writer.list(content.setChanges, (out, change) => {
    writeCertified(out, change.certified);
    writeValidatorSet(out, change.nextSet);
  });
  writeCertified(writer, content.head);
  writeOptional(writer, content.members, writeMembers);
  writer.list(content.logs, writeLog).list(content.claims, writeClaim);
  writer.list(content.openings, writeOpening).list(content.sealed, writeSealed);
  writer.list(content.fields, writeField).list(content.files, writeFile);
  const body = writer.finish();
  return new Writer().raw(body).raw(checksum(sha256, body)).finish();
}

/** True when no byte of the file has changed by accident; it does not tell who made the file. */
export function verifyDossierChecksum(sha256: Sha256, bytes: Uint8Array): boolean {
  const end = bytes.length - CHECKSUM_BYTES;
  return end >= 0 && equalBytes(checksum(sha256, bytes.subarray(0, end)), bytes.subarray(end));
}

function readDossier(reader: Reader): Dossier {
  const { shown } = DOSSIER_LIMITS;
  return {
    setChanges: reader.list(DOSSIER_LIMITS.setChanges, from => ({
      certified: readCertified(from),
      nextSet: readValidatorSet(from),
    })),
    head: readCertified(reader),
    members: readOptional(reader, readMembers),
    logs: reader.list(DOSSIER_LIMITS.logs, readLog),
    claims: reader.list(DOSSIER_LIMITS.claims, readClaim),
    openings: reader.list(shown, from => ({
      ...readPlace(from),
      contentKey: from.fixed(CONTENT_KEY_BYTES),
    })),
    sealed: reader.list(shown, from => ({
      ...readPlace(from),
      recipient: from.fixed(SIZES.publicKey),
      sealed: from.bytes(SEALED_BYTES_MAX),
    })),
    fields: reader.list(shown, readField),
    files: reader.list(shown, from => ({
      ...readPlace(from),
      cid: from.text(LIMITS.cidBytes),
      ciphertextBytes: from.u64(),
    })),
  };
}

/** Reads the structure; `verifyDossier` says what of it is true. The checksum is checked apart. */
export function decodeDossier(bytes: Uint8Array): Dossier | Reject {
  const magic = utf8(MAGIC);
  if (!equalBytes(bytes.subarray(0, magic.length), magic)) {
    return reject('not_a_dossier', `the file does not begin with ${MAGIC}`);
  }
  if (bytes.length < magic.length + CHECKSUM_BYTES) return reject('malformed', 'dossier: truncated');
  const reader = new Reader(bytes.subarray(magic.length, bytes.length - CHECKSUM_BYTES));
  const dossier = reader.finish(readDossier(reader), 'dossier');
  if (isReject(dossier)) return dossier;
  const ids = new Set(dossier.logs.map(log => `${log.scope} ${log.id}`));
  return ids.size === dossier.logs.length
    ? dossier
    : reject('malformed', 'dossier: a log stands in it twice');
}
