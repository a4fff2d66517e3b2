import { writerOutcome } from '../../core/access/records.ts';
import type { PhaseId, TransactionId } from '../../core/base/ids.ts';
import { isReject } from '../../core/base/reject.ts';
import { encodeRecordMeta } from '../../core/codec/operation.ts';
import { fieldsRoot } from '../../core/light/fields.ts';
import { LIMITS } from '../../core/types/limits.ts';
import type { RecordMeta } from '../../core/types/operation.ts';
import { OUTCOMES, outcomeName } from '../../core/types/outcome.ts';
import type { PhaseState } from '../../core/types/state.ts';
import { openPhaseCard } from './cards.ts';
import { type Context, phaseLog } from './context.ts';
import { checkContent, encodePayload, payloadFields, type RecordContent } from './payload.ts';
import { type RecordView, readRecord } from './reading.ts';
import type { RecordPlace } from './record-index.ts';
import { checkRecordType } from './record-types.ts';
import { type Refusal, refuse, short, unknownPhase } from './refusal.ts';
import type { Committed } from './sender.ts';
import { explainOutcome } from './wrong-state.ts';

/** Left free in a part and a transaction, in bytes, so that a record can be handed over with its proof of authorship and lineage. */
const HANDOVER_HEADROOM_BYTES = 20 * 1024;
const LIST_LIMIT_MAX = 1000;

export interface RecordInput extends RecordContent {
  readonly phase: PhaseId;
  readonly references: readonly TransactionId[];
}

export interface RecordReceipt extends Committed {
  readonly epoch: number;
}

export interface RecordPage {
  readonly records: readonly RecordView[];
  /** Position to continue from. */
  readonly next: number;
  /** Size of the phase's log as far as it is held here. */
  readonly size: number;
}

/** The number of the current epoch. */
export function currentEpochNumber(phase: PhaseState): number {
  return phase.epochs.length - 1;
}

/** The number of the current epoch if this member holds its secret. */
function heldEpoch(context: Context, phase: PhaseState): number | Refusal {
  const epoch = currentEpochNumber(phase);
  if (context.vault.keys(phase.id, epoch) !== null) return epoch;
  const fault = context.vault.faults(phase.id).find(entry => entry.epoch === epoch);
  const why = fault === undefined ? '' : ` (${fault.reason})`;
  const detail = `${context.member} does not hold the secret of epoch ${epoch} of phase ${short(phase.id)}${why}`;
  return refuse('key_missing', detail, 'The owner or a steward of the phase can open a new key epoch.');
}

function checkSize(context: Context, meta: RecordMeta, sealedBytes: number): Refusal | null {
  const { transactionBytesMax } = context.access.system().parameters;
  const bytes = encodeRecordMeta(meta).length + sealedBytes + HANDOVER_HEADROOM_BYTES;
  const bytesMax = Math.min(LIMITS.partBytes, transactionBytesMax);
  if (bytes <= bytesMax) return null;
  const detail = `the record takes ${bytes} bytes with its proofs, at most ${bytesMax}`;
  return refuse('too_large', detail, 'Put large content in a file of the record.');
}

function checkCounts({ files, references }: RecordInput): Refusal | null {
  const { filesPerRecord, referencesPerRecord } = LIMITS;
  if (files.length <= filesPerRecord && references.length <= referencesPerRecord) return null;
  const detail = `${files.length} files and ${references.length} references, at most ${filesPerRecord} and ${referencesPerRecord}`;
  return refuse('too_large', detail, 'Write several records.');
}

/** The phase as it is now, or what the ledger would say of a record of this member in it. */
export async function writablePhase(context: Context, id: PhaseId): Promise<PhaseState | Refusal> {
  const phase = await context.follower.catchUp(id);
  if (phase === null) return unknownPhase(id);
  const outcome = writerOutcome(phase, context.member);
  if (outcome === OUTCOMES.committed) return phase;
  const what = `put a record in phase ${short(phase.id)}`;
  return explainOutcome(context, outcome, { kind: 'recordPut', scopes: [phaseLog(context, id)], what });
}

async function putOnce(context: Context, input: RecordInput): Promise<RecordReceipt | Refusal> {
  const phase = await writablePhase(context, input.phase);
  if (isReject(phase)) return phase;
  const wrong = checkRecordType((await openPhaseCard(context, phase.id))?.recordTypes ?? [], input);
  if (wrong !== null) return wrong;
  const epoch = heldEpoch(context, phase);
  if (isReject(epoch)) return epoch;
  const { crypto, vault, access } = context;
  const contentKey = crypto.generateSecret();
  const keyCommitment = crypto.keyCommitment(contentKey);
  const wrap = { chainId: access.chainId, phase: phase.id, epoch, keyCommitment };
  const meta: RecordMeta = {
    epoch,
    wrappedKey: crypto.wrapContentKey(vault.keys(phase.id, epoch)!, wrap, contentKey),
    keyCommitment,
    fieldsRoot: fieldsRoot(context.suite.sha256, payloadFields(input), crypto.fieldSalts(contentKey)),
    files: input.files.map(file => ({
      cid: file.cid,
      ciphertextBytes: file.ciphertextBytes,
      keyCommitment: file.keyCommitment,
    })),
    references: input.references,
  };
  const plaintext = encodePayload(input);
  const tooLarge = checkSize(context, meta, crypto.sealedPayloadBytes(plaintext.length));
  if (tooLarge !== null) return tooLarge;
  const logId = phaseLog(context, phase.id);
  const sealed = crypto.sealPayload(contentKey, { logId, epoch, keyCommitment }, plaintext);
  const sent = await context.sender.send({
    kind: 'recordPut',
    scopes: [logId],
    parts: [
      { scope: 0, content: encodeRecordMeta(meta) },
      { scope: 0, content: sealed },
    ],
    what: `put a record in phase ${short(phase.id)}`,
  });
  return isReject(sent) ? sent : { ...sent, epoch };
}

/**
 * Encrypts and commits a record. Another member's change of the key epoch may overtake it: then it is encrypted anew, once.
 * Refused with `unknown_phase`, `key_missing`, `too_large` or the ledger's outcome.
 */
export async function putRecord(context: Context, input: RecordInput): Promise<RecordReceipt | Refusal> {
  const fault = checkCounts(input) ?? checkContent(input);
  if (fault !== null) return fault;
  const first = await putOnce(context, input);
  return isReject(first) && first.reject === outcomeName(OUTCOMES.staleEpoch)
    ? putOnce(context, input)
    : first;
}

function unknownRecord(phase: PhaseId, key: TransactionId | number): Refusal {
  const name = typeof key === 'number' ? `at position ${key}` : short(key);
  return refuse(
    'unknown_record',
    `phase ${short(phase)} has no record ${name}`,
    'The list of records shows those of the phase.',
  );
}

/**
 * @param key the record's id, or its position in the phase's log
 * @returns `unreadable` says why where the content is not this member's to read
 */
export async function getRecord(
  context: Context,
  phase: PhaseId,
  key: TransactionId | number,
): Promise<RecordView | Refusal> {
  if ((await context.follower.catchUp(phase)) === null) return unknownPhase(phase);
  const { index } = context;
  const places = typeof key === 'number' ? index.at(phase, key) : [index.find(phase, key)];
  if (places.length > 1) {
    const detail = `position ${key} of phase ${short(phase)} is a handover of ${places.length} records`;
    return refuse('ambiguous_record', detail, 'Name the record by its id.');
  }
  const [place] = places;
  const view = place ? await readRecord(context, phase, place) : null;
  return view ?? unknownRecord(phase, key);
}

/**
 * Records at positions from `from` on, ascending. The records of one handover share a position and come together, so that a
 * page may be longer than `limit`.
 */
export async function listRecords(
  context: Context,
  phase: PhaseId,
  from: number,
  limit: number,
): Promise<RecordPage | Refusal> {
  if ((await context.follower.catchUp(phase)) === null) return unknownPhase(phase);
  const size = context.access.held(phaseLog(context, phase))?.to ?? 0;
  const places = context.index.from(phase, from, Math.max(1, Math.min(limit, LIST_LIMIT_MAX)));
  const views = await Promise.all(places.map((place: RecordPlace) => readRecord(context, phase, place)));
  const records = views.filter(view => view !== null);
  return { records, next: (places.at(-1)?.position ?? Math.max(size, from) - 1) + 1, size };
}
