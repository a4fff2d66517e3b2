import { utf8Decode } from '../base/bytes.ts';
import type { TransactionId } from '../base/ids.ts';
import { isReject, type Reject, reject } from '../base/reject.ts';
import { checkAuthorship } from './authorship.ts';
import type { DossierFile, Opening, RecordPlace, ShownField } from './dossier.ts';
import type { Evidence } from './evidence.ts';
import { checkField } from './fields.ts';
import { type LocatedRecord, locateRecord, type RecordContent, readRecord } from './record.ts';

/** A record that the evidence has; `source` is its own leaf and transaction, also where it was handed over. */
export interface FoundRecord extends RecordContent {
  readonly id: TransactionId;
  readonly source: LocatedRecord;
}

/** The leaf and transaction of a record of a verified log; one that was handed over brings the signature of its first author. */
export function findSource(evidence: Evidence, place: RecordPlace): LocatedRecord | Reject {
  const log = evidence.logs.get(place.logId);
  if (log === undefined) return reject('unknown_log', 'its log is not in the file or does not verify');
  const leaf = log.items[place.position - log.from];
  if (leaf === undefined) return reject('unknown_record', `no leaf ${place.position}`);
  const source = locateRecord(evidence.suite.sha256, leaf, place.item);
  if (isReject(source)) return source;
  if (place.item !== null) {
    const fault = checkAuthorship(evidence.suite, evidence.members, source.leaf, source.transaction);
    if (fault !== null) return fault;
  }
  return source;
}

/** A record with its metadata, which a dossier may leave out. */
export function findRecord(evidence: Evidence, place: RecordPlace): FoundRecord | Reject {
  const source = findSource(evidence, place);
  if (isReject(source)) return source;
  const content = readRecord(source);
  return isReject(content) ? content : { ...content, id: source.transaction.id, source };
}

/** The content key is the committed one and opens the record's ciphertext. @returns the payload's text */
export function checkOpening(evidence: Evidence, opening: Opening): string | Reject {
  const record = findRecord(evidence, opening);
  if (isReject(record)) return record;
  if (record.payload === null) return reject('no_payload', 'the encrypted payload is not in the file');
  if (evidence.openPayload === null) return reject('not_checked', 'this verifier cannot decrypt');
  const { epoch, keyCommitment } = record.meta;
  const context = { logId: record.logId, epoch, keyCommitment };
  const plaintext = evidence.openPayload(opening.contentKey, context, record.payload);
  if (plaintext === null) return reject('wrong_key', 'the content key is not the one of the record');
  return utf8Decode(plaintext) ?? reject('malformed', 'the payload is no text');
}

export function checkShownField(evidence: Evidence, shown: ShownField): Reject | null {
  const record = findRecord(evidence, shown);
  if (isReject(record)) return record;
  return checkField(evidence.suite.sha256, record.meta.fieldsRoot, shown.field);
}

/** The record names this file with this length; the file's bytes themselves are checked by their CID, elsewhere. */
export function checkFileListed(evidence: Evidence, file: DossierFile): Reject | null {
  const record = findRecord(evidence, file);
  if (isReject(record)) return record;
  const listed = record.meta.files.some(
    candidate => candidate.cid === file.cid && candidate.ciphertextBytes === file.ciphertextBytes,
  );
  return listed ? null : reject('unknown_file', 'the record does not name this file');
}
