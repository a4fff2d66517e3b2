import { equalBytes } from '../base/bytes.ts';
import type { LogId, Suite } from '../base/ids.ts';
import { isReject, type Reject, reject } from '../base/reject.ts';
import type { SystemState } from '../types/state.ts';
import { checkAuthorship } from './authorship.ts';
import type { DossierFile, Opening, RecordPlace } from './dossier.ts';
import type { VerifiedLog } from './log-update.ts';
import { locateRecord, type OpenPayload, type RecordContent, readRecord } from './record.ts';

/** What a dossier's records are looked up in: verified logs only. */
export interface VerifiedRecords {
  readonly suite: Suite;
  readonly system: SystemState;
  readonly logs: ReadonlyMap<LogId, VerifiedLog>;
  readonly openPayload: OpenPayload | null;
}

/** A record of a verified log; one that was handed over brings the signature of its first author. */
function findRecord(records: VerifiedRecords, place: RecordPlace): RecordContent | Reject {
  const log = records.logs.get(place.logId);
  if (log === undefined) return reject('unknown_log', 'its log is not in the file or does not verify');
  const source = log.items[place.position - log.from];
  if (source === undefined) return reject('unknown_record', `no leaf ${place.position}`);
  const found = locateRecord(records.suite.sha256, source, place.item);
  if (isReject(found)) return found;
  if (place.item !== null) {
    const fault = checkAuthorship(records.suite, records.system, found.leaf, found.transaction);
    if (fault !== null) return fault;
  }
  return readRecord(found);
}

/** The content key is the committed one and opens the record's ciphertext to exactly this plaintext. */
export function checkOpening(records: VerifiedRecords, opening: Opening): Reject | null {
  const record = findRecord(records, opening);
  if (isReject(record)) return record;
  if (record.payload === null) return reject('no_payload', 'the encrypted payload is not in the file');
  if (records.openPayload === null) return reject('not_checked', 'this verifier cannot decrypt');
  const { epoch, keyCommitment } = record.meta;
  const context = { logId: record.logId, epoch, keyCommitment };
  const plaintext = records.openPayload(opening.contentKey, context, record.payload);
  if (plaintext === null) return reject('wrong_key', 'the content key is not the one of the record');
  if (equalBytes(plaintext, opening.plaintext)) return null;
  return reject('wrong_plaintext', 'the record says something else than the file shows');
}

/** The record names this file with this length; the file's bytes themselves are checked by their CID, elsewhere. */
export function checkFileListed(records: VerifiedRecords, file: DossierFile): Reject | null {
  const record = findRecord(records, file);
  if (isReject(record)) return record;
  const listed = record.meta.files.some(
    candidate => candidate.cid === file.cid && candidate.ciphertextBytes === file.ciphertextBytes,
  );
  return listed ? null : reject('unknown_file', 'the record does not name this file');
}
