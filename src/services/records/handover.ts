import type { PhaseId, TransactionId } from '../../core/base/ids.ts';
import { isReject } from '../../core/base/reject.ts';
import { writeHandoverItem } from '../../core/codec/content.ts';
import { encodePhaseHandoverSource, encodePhaseHandoverTarget } from '../../core/codec/operation.ts';
import { encodeLeaf } from '../../core/codec/transaction.ts';
import { Writer } from '../../core/codec/writer.ts';
import { LIMITS } from '../../core/types/limits.ts';
import type { HandoverItem } from '../../core/types/operation.ts';
import { type Context, phaseLog } from './context.ts';
import { openForHandover } from './reading.ts';
import type { RecordPlace } from './record-index.ts';
import { currentEpochNumber } from './records.ts';
import { type Refusal, refuse, short, unknownPhase } from './refusal.ts';
import type { Committed } from './sender.ts';

/** Bytes of one entry in the source's part: position and id. */
const SOURCE_ENTRY_BYTES = 40;
/** Salts, ids and counts of a batch, in bytes. */
const BATCH_OVERHEAD_BYTES = 2048;

/** The epoch that a phase receives under: what an outsider needs to know of it. */
export interface TargetEpoch {
  readonly number: number;
  readonly publicKey: Uint8Array;
}

export interface HandoverInput {
  readonly source: PhaseId;
  readonly target: PhaseId;
  /** Ids of records that were written in the source; null for all that this member can open and that are not there yet. */
  readonly records: readonly TransactionId[] | null;
  /** For a sender who cannot read the target; otherwise null. */
  readonly targetEpoch: TargetEpoch | null;
}

export interface HandoverReceipt {
  /** One a batch, in order. */
  readonly transactions: readonly Committed[];
  readonly items: number;
  /** Records of the source that were left out with `records: null`, because they do not open or came by handover. */
  readonly skipped: readonly TransactionId[];
  /** Set when a later batch was refused: the earlier ones stand, and handing over again continues. */
  readonly refusal: Refusal | null;
}

interface Batch {
  readonly items: HandoverItem[];
  readonly ids: TransactionId[];
  bytes: number;
}

async function targetEpochOf(context: Context, input: HandoverInput): Promise<TargetEpoch | Refusal> {
  const target = await context.follower.catchUp(input.target);
  if (target !== null) {
    const number = currentEpochNumber(target);
    return { number, publicKey: target.epochs[number]!.publicKey };
  }
  if (input.targetEpoch !== null) return input.targetEpoch;
  const detail = `${context.member} cannot read phase ${short(input.target)}, so its key epoch is not known here`;
  return refuse('unknown_phase', detail, 'Give the epoch and its public key, or let the owner hand over.');
}

/** Places in the order of the source's log; a named record that is not there, or is not the source's own, is refused. */
function selectPlaces({ index }: Context, input: HandoverInput): RecordPlace[] | Refusal {
  if (input.records === null) {
    const all = index.from(input.source, 0, Number.MAX_SAFE_INTEGER);
    return all.filter(place => !index.wasHandedOver(input.source, input.target, place.id));
  }
  const places: RecordPlace[] = [];
  for (const id of new Set(input.records)) {
    const place = index.find(input.source, id);
    if (place === null || place.item !== null) {
      const why = place === null ? 'is not in' : 'was not written in';
      const detail = `record ${short(id)} ${why} phase ${short(input.source)}`;
      return refuse('unknown_record', detail, 'Hand it over from the phase in which it was written.');
    }
    places.push(place);
  }
  return places.sort((a, b) => a.position - b.position);
}

/** Records that were named go together or not at all. */
async function findUnopened(
  context: Context,
  source: PhaseId,
  places: readonly RecordPlace[],
): Promise<RecordPlace | null> {
  for (const place of places) if ((await openForHandover(context, source, place)) === null) return place;
  return null;
}

async function makeItem(
  context: Context,
  input: HandoverInput,
  epoch: TargetEpoch,
  place: RecordPlace,
): Promise<HandoverItem | null> {
  const opened = await openForHandover(context, input.source, place);
  if (opened === null) return null;
  const { item, meta, contentKey } = opened;
  const [metaPart, payloadPart] = item.transaction.signed.parts;
  if (!metaPart || !payloadPart) return null;
  const { access, crypto, vault } = context;
  const { keyCommitment } = meta;
  const wrap = { chainId: access.chainId, phase: input.target, epoch: epoch.number, keyCommitment };
  const keys = vault.keys(input.target, epoch.number);
  const { body, signature, batch } = item.transaction.signed;
  return {
    position: place.position,
    leaf: encodeLeaf(item.leaf),
    body,
    signature,
    batch,
    meta: metaPart,
    payload: payloadPart,
    wrappedKey:
      keys === null
        ? await crypto.wrapContentKeyFromOutside(epoch.publicKey, wrap, contentKey)
        : crypto.wrapContentKey(keys, wrap, contentKey),
  };
}

function itemBytes(item: HandoverItem): number {
  const writer = new Writer();
  writeHandoverItem(writer, item);
  return writer.finish().length + SOURCE_ENTRY_BYTES;
}

async function sendBatch(
  context: Context,
  input: HandoverInput,
  epoch: TargetEpoch,
  batch: Batch,
): Promise<Committed | Refusal> {
  const records = batch.items.map(({ position }, at) => ({ position, id: batch.ids[at]! }));
  const { source, target } = input;
  return context.sender.send({
    kind: 'phaseHandover',
    scopes: [phaseLog(context, source), phaseLog(context, target)],
    parts: [
      { scope: 0, content: encodePhaseHandoverSource({ phase: source, target, records }) },
      {
        scope: 1,
        content: encodePhaseHandoverTarget({
          phase: target,
          source,
          epoch: epoch.number,
          items: batch.items,
        }),
      },
    ],
    what: `hand over ${batch.items.length} records of phase ${short(source)} to ${short(target)}`,
  });
}

/** Makes the items one by one and yields a batch whenever the next item would not fit: memory holds one batch. */
async function* batchesOf(
  context: Context,
  input: HandoverInput,
  epoch: TargetEpoch,
  places: readonly RecordPlace[],
  skipped: TransactionId[],
): AsyncGenerator<Batch> {
  const { transactionBytesMax } = context.access.system().parameters;
  const bytesMax = Math.min(LIMITS.partBytes, transactionBytesMax - LIMITS.bodyBytes) - BATCH_OVERHEAD_BYTES;
  let batch: Batch = { items: [], ids: [], bytes: 0 };
  for (const place of places) {
    const item = await makeItem(context, input, epoch, place);
    if (item === null) {
      skipped.push(place.id);
      continue;
    }
    const bytes = itemBytes(item);
    const full = batch.items.length === LIMITS.itemsPerHandover || batch.bytes + bytes > bytesMax;
    if (full && batch.items.length > 0) {
      yield batch;
      batch = { items: [], ids: [], bytes: 0 };
    }
    batch.items.push(item);
    batch.ids.push(place.id);
    batch.bytes += bytes;
  }
  if (batch.items.length > 0) yield batch;
}

/**
 * Seals the content keys of chosen records to the successor's epoch and commits them to both logs, in as many transactions
 * as their size asks for. Refused with `unknown_phase`, `unknown_record`, `key_missing`, `nothing_to_hand_over` or the
 * ledger's outcome when not even the first batch was taken.
 */
export async function handover(context: Context, input: HandoverInput): Promise<HandoverReceipt | Refusal> {
  if ((await context.follower.catchUp(input.source)) === null) return unknownPhase(input.source);
  const epoch = await targetEpochOf(context, input);
  if (isReject(epoch)) return epoch;
  const places = selectPlaces(context, input);
  if (isReject(places)) return places;
  const closed = input.records === null ? null : await findUnopened(context, input.source, places);
  if (closed !== null) {
    const detail = `${context.member} cannot open record ${short(closed.id)} of phase ${short(input.source)}`;
    return refuse('key_missing', detail, 'Someone who can read the record must hand it over.');
  }
  const transactions: Committed[] = [];
  const skipped: TransactionId[] = [];
  let items = 0;
  for await (const batch of batchesOf(context, input, epoch, places, skipped)) {
    const sent = await sendBatch(context, input, epoch, batch);
    if (isReject(sent)) return items === 0 ? sent : { transactions, items, skipped, refusal: sent };
    transactions.push(sent);
    items += batch.items.length;
  }
  if (items > 0) return { transactions, items, skipped, refusal: null };
  const detail = `phase ${short(input.source)} has no record to hand over to ${short(input.target)}`;
  return refuse('nothing_to_hand_over', detail, 'The list of records shows those of the phase.');
}
