import { sourcePlaceOf } from '../../core/access/handover-item.ts';
import { assert } from '../../core/base/assert.ts';
import type { Hash, PhaseId, Sha256, TransactionId } from '../../core/base/ids.ts';
import { isReject } from '../../core/base/reject.ts';
import { handoverItemHash, writeHandoverItem } from '../../core/codec/handover.ts';
import {
  encodeHandoverItems,
  encodePhaseHandoverSource,
  encodePhaseHandoverTarget,
} from '../../core/codec/operation.ts';
import { encodeLeaf } from '../../core/codec/transaction.ts';
import { Writer } from '../../core/codec/writer.ts';
import { readHandover } from '../../core/light/record.ts';
import { inclusionProof, treeRoot } from '../../core/merkle/log.ts';
import type { Deed } from '../../core/types/flow.ts';
import { LIMITS, SIZES } from '../../core/types/limits.ts';
import type { HandoverItem, HandoverRelay } from '../../core/types/operation.ts';
import { awaitApproval } from './approvals.ts';
import { type Context, phaseLog } from './context.ts';
import type { LogItem } from './ports.ts';
import { type OpenedRecord, openForHandover } from './reading.ts';
import type { RecordPlace } from './record-index.ts';
import { currentEpochNumber } from './records.ts';
import { type Refusal, refuse, short, unknownPhase } from './refusal.ts';
import type { Committed } from './sender.ts';

/** Bytes of one entry in the source's part: position, item and id. */
const SOURCE_ENTRY_BYTES = 45;
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
  /**
   * Ids of records that the source has, written there or received; null for all that this member can open, that were not
   * handed there yet and that do not come from there.
   */
  readonly records: readonly TransactionId[] | null;
  /** For a sender who cannot read the target; otherwise null. */
  readonly targetEpoch: TargetEpoch | null;
}

export interface HandoverReceipt {
  /** One a batch, in order. */
  readonly transactions: readonly Committed[];
  readonly items: number;
  /** Records of the source that were left out with `records: null`, because they do not open or were handed on too often. */
  readonly skipped: readonly TransactionId[];
  /** Set when a later batch was refused: the earlier ones stand, and handing over again continues. */
  readonly refusal: Refusal | null;
}

interface Batch {
  readonly items: HandoverItem[];
  readonly ids: TransactionId[];
  /** Of the items, as leaves of their tree. */
  readonly hashes: Hash[];
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

/** Places in the order of the source's log; a named record that is not there is refused. */
function selectPlaces({ index }: Context, input: HandoverInput): RecordPlace[] | Refusal {
  const { source, target } = input;
  if (input.records === null) {
    const all = index.from(source, 0, Number.MAX_SAFE_INTEGER);
    return all.filter(
      ({ id, former }) =>
        !index.wasHandedOver(source, target, id) &&
        !former.includes(target) &&
        // By another way than over this source; known to who reads the target.
        index.find(target, id) === null,
    );
  }
  const places: RecordPlace[] = [];
  for (const id of new Set(input.records)) {
    const place = index.find(source, id);
    if (place === null) {
      const detail = `record ${short(id)} is not in phase ${short(source)}`;
      return refuse('unknown_record', detail, 'Hand it over from a phase that has it.');
    }
    places.push(place);
  }
  return places.sort((a, b) => a.position - b.position || (a.item ?? -1) - (b.item ?? -1));
}

async function openRecord(
  context: Context,
  source: PhaseId,
  place: RecordPlace,
): Promise<OpenedRecord | Refusal> {
  const opened = await openForHandover(context, source, place);
  if (opened === null) {
    const detail = `${context.member} cannot open record ${short(place.id)} of phase ${short(source)}`;
    return refuse('key_missing', detail, 'Someone who can read the record must hand it over.');
  }
  const count = opened.source.handed?.steps.length ?? 0;
  if (count < LIMITS.handoversPerRecord) return opened;
  const detail = `record ${short(place.id)} was handed over ${count} times, at most ${LIMITS.handoversPerRecord}`;
  return refuse('too_many_handovers', detail, 'Write a new record that refers to it.');
}

/** Records that were named go together or not at all. */
async function checkNamed(
  context: Context,
  source: PhaseId,
  places: readonly RecordPlace[],
): Promise<Refusal | null> {
  for (const place of places) {
    const opened = await openRecord(context, source, place);
    if (isReject(opened)) return opened;
  }
  return null;
}

/** Opens items of earlier handovers; remembers the hashes of the last one, because its items come one after the other. */
class Relays {
  private position = -1;
  private hashes: readonly Hash[] = [];

  constructor(private readonly sha256: Sha256) {}

  relayOf({ found, source }: OpenedRecord, item: number): HandoverRelay | null {
    const { handed } = source;
    const target = found.transaction.signed.parts[1] ?? null;
    if (handed === null || target === null) return null;
    const hashes = this.hashesOf(found);
    const path = inclusionProof(this.sha256, at => hashes[at]!, item, hashes.length);
    return {
      leaf: encodeLeaf(found.leaf),
      body: found.transaction.signed.body,
      ...{ target, item, salt: handed.item.salt, path, steps: handed.steps.slice(0, -1) },
    };
  }

  private hashesOf(found: LogItem): readonly Hash[] {
    if (found.leaf.position === this.position) return this.hashes;
    const handover = readHandover(found);
    assert(!isReject(handover), 'a record was read from this handover');
    this.hashes = handover.items.map(item => {
      const place = sourcePlaceOf(this.sha256, item);
      assert(!isReject(place), 'the ledger has checked every item of a committed handover');
      return handoverItemHash(this.sha256, item.salt, item, place.steps);
    });
    this.position = found.leaf.position;
    return this.hashes;
  }
}

/** One item, and its hash in the tree of the items. */
async function makeItem(
  context: Context,
  input: HandoverInput,
  epoch: TargetEpoch,
  place: RecordPlace,
  relays: Relays,
): Promise<{ item: HandoverItem; hash: Hash } | null> {
  const opened = await openRecord(context, input.source, place);
  if (isReject(opened)) return null;
  const { source, meta, contentKey } = opened;
  const [metaPart, payloadPart] = source.transaction.signed.parts;
  if (!metaPart || !payloadPart) return null;
  const { access, crypto, vault, suite } = context;
  const { keyCommitment } = meta;
  const wrap = { chainId: access.chainId, phase: input.target, epoch: epoch.number, keyCommitment };
  const keys = vault.keys(input.target, epoch.number);
  const { body, signature, batch } = source.transaction.signed;
  const wrappedKey =
    keys === null
      ? await crypto.wrapContentKeyFromOutside(epoch.publicKey, wrap, contentKey)
      : crypto.wrapContentKey(keys, wrap, contentKey);
  const item: HandoverItem = {
    position: place.position,
    relay: place.item === null ? null : relays.relayOf(opened, place.item),
    salt: crypto.randomBytes(SIZES.salt),
    leaf: encodeLeaf(source.leaf),
    ...{ body, signature, batch, meta: metaPart, payload: payloadPart, wrappedKey },
  };
  return { item, hash: handoverItemHash(suite.sha256, item.salt, item, source.handed?.steps ?? []) };
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
  const { items, hashes } = batch;
  const records = items.map(({ position, relay }, at) => {
    return { position, item: relay?.item ?? null, id: batch.ids[at]! };
  });
  const { source, target } = input;
  const itemsRoot = treeRoot(context.suite.sha256, hashes);
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
          itemCount: items.length,
          itemsRoot,
        }),
      },
      { scope: 1, content: encodeHandoverItems(items) },
    ],
    what: `hand over ${items.length} records of phase ${short(source)} to ${short(target)}`,
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
  const relays = new Relays(context.suite.sha256);
  let batch: Batch = { items: [], ids: [], hashes: [], bytes: 0 };
  for (const place of places) {
    const made = await makeItem(context, input, epoch, place, relays);
    if (made === null) {
      skipped.push(place.id);
      continue;
    }
    const { item, hash } = made;
    const bytes = itemBytes(item);
    const full = batch.items.length === LIMITS.itemsPerHandover || batch.bytes + bytes > bytesMax;
    if (full && batch.items.length > 0) {
      yield batch;
      batch = { items: [], ids: [], hashes: [], bytes: 0 };
    }
    batch.items.push(item);
    batch.ids.push(place.id);
    batch.hashes.push(hash);
    batch.bytes += bytes;
  }
  if (batch.items.length > 0) yield batch;
}

/**
 * Seals the content keys of chosen records to the successor's epoch and commits them to both logs, in as many transactions
 * as their size asks for. Refused with `unknown_phase`, `unknown_record`, `key_missing`, `too_many_handovers`,
 * `nothing_to_hand_over` or the ledger's outcome when not even the first batch was taken.
 */
export async function handover(context: Context, input: HandoverInput): Promise<HandoverReceipt | Refusal> {
  const source = await context.follower.catchUp(input.source);
  if (source === null) return unknownPhase(input.source);
  const epoch = await targetEpochOf(context, input);
  if (isReject(epoch)) return epoch;
  const places = selectPlaces(context, input);
  if (isReject(places)) return places;
  const fault = input.records === null ? null : await checkNamed(context, input.source, places);
  if (fault !== null) return fault;
  const deed: Deed = { kind: 'phaseHandover', target: input.target, records: input.records ?? [] };
  const waiting = places.length === 0 ? null : await awaitApproval(context, source, deed, places);
  if (waiting !== null) return waiting;
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
