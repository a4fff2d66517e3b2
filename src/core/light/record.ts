import { sourcePlaceOf, writtenRecordOf } from '../access/handover-item.ts';
import type { Hash, LogId, Sha256 } from '../base/ids.ts';
import { isReject, type Reject, reject } from '../base/reject.ts';
import { decodeHandoverItems, decodePhaseHandoverTarget, decodeRecordMeta } from '../codec/operation.ts';
import { encodeSignedTransaction, logIdOf, wrapperHash } from '../codec/transaction.ts';
import {
  type HandoverItem,
  type HandoverStep,
  KINDS,
  type PhaseHandoverTarget,
  type RecordMeta,
} from '../types/operation.ts';
import { OUTCOMES } from '../types/outcome.ts';
import type { Leaf, Transaction } from '../types/transaction.ts';

/** A leaf and the transaction it names. */
export interface LeafTransaction {
  readonly leaf: Leaf;
  readonly transaction: Transaction;
}

/** A committed record: what opening its payload needs. `logId` and `epoch` are those it was written under. */
export interface RecordContent {
  readonly logId: LogId;
  readonly meta: RecordMeta;
  /** Ciphertext; null where the payload was left out or deleted. */
  readonly payload: Uint8Array | null;
}

/** @param source the record's own leaf, or the handed-over one (`locateRecord`) */
export function readRecord(source: LeafTransaction): RecordContent | Reject {
  const { leaf, transaction } = source;
  if (transaction.body.kind !== KINDS.recordPut) return reject('not_a_record', `leaf ${leaf.position}`);
  if (leaf.outcome !== OUTCOMES.committed) return reject('refused_record', `leaf ${leaf.position}`);
  const [metaPart = null, payloadPart = null] = transaction.signed.parts;
  if (metaPart === null) return reject('no_metadata', `leaf ${leaf.position}`);
  const meta = decodeRecordMeta(metaPart.content);
  if (isReject(meta)) return meta;
  return { logId: leaf.logId, meta, payload: payloadPart?.content ?? null };
}

/** How a handed-over record came to the log in which it was found. */
export interface HandedOver {
  readonly target: PhaseHandoverTarget;
  readonly item: HandoverItem;
  /** Every handover of the record up to this one, oldest first. */
  readonly steps: readonly HandoverStep[];
}

/** A record as its author signed it; `leaf` is that of the log in which it was written. */
export interface LocatedRecord extends LeafTransaction {
  /** Null for a record that was written in this log. */
  readonly handed: HandedOver | null;
}

/** Rebuilds the original record's transaction, which proves its author in every later phase too. */
export function originalOf(sha256: Sha256, item: HandoverItem): LeafTransaction | Reject {
  const written = writtenRecordOf(sha256, item);
  if (isReject(written)) return written;
  const { body, signature, batch, meta, payload } = item;
  const signed = { body, signature, batch, parts: [meta, payload] };
  const transaction: Transaction = {
    id: written.leaf.transactionId,
    wrapperHash: wrapperHash(sha256, signed),
    body: written.body,
    signed,
    bytes: encodeSignedTransaction(signed).length,
  };
  return { leaf: written.leaf, transaction };
}

/** The target's parts of a committed handover. */
export function readHandover(
  source: LeafTransaction,
): { readonly target: PhaseHandoverTarget; readonly items: readonly HandoverItem[] } | Reject {
  const { leaf, transaction } = source;
  const [, targetPart = null, itemsPart = null] = transaction.signed.parts;
  const isHandover = transaction.body.kind === KINDS.phaseHandover && leaf.outcome === OUTCOMES.committed;
  if (!isHandover || targetPart === null || itemsPart === null) {
    return reject('not_a_handover', `leaf ${leaf.position}`);
  }
  const target = decodePhaseHandoverTarget(targetPart.content);
  if (isReject(target)) return target;
  const items = decodeHandoverItems(itemsPart.content);
  return isReject(items) ? items : { target, items };
}

/** The item must name a leaf of the phase that handed it over, and prove every earlier handover down to its author. */
function locateItem(sha256: Sha256, source: LeafTransaction, index: number): LocatedRecord | Reject {
  const { leaf, transaction } = source;
  const handover = readHandover(source);
  if (isReject(handover)) return handover;
  const { target, items } = handover;
  const item = items[index];
  if (item === undefined) {
    return reject('unknown_item', `leaf ${leaf.position} hands over ${items.length} records`);
  }
  const place = sourcePlaceOf(sha256, item);
  if (isReject(place)) return place;
  const logId = logIdOf(sha256, transaction.body.chainId, 'phase', target.source);
  if (place.leaf.logId !== logId || place.leaf.position !== item.position) {
    return reject('wrong_source', `item ${index} is not of the phase that handed it over`);
  }
  const original = originalOf(sha256, item);
  if (isReject(original)) return original;
  const step = {
    source: target.source,
    handover: transaction.id,
    sender: transaction.body.sender,
    ...{ position: leaf.position, height: leaf.height, timeMs: leaf.timeMs },
  };
  return { ...original, handed: { target, item, steps: [...place.steps, step] } };
}

/**
 * The record at a leaf, or at one item of a leaf that handed records over, however often they were handed over before.
 * @param item index in the handover's items; null for the leaf itself
 */
export function locateRecord(
  sha256: Sha256,
  source: LeafTransaction,
  item: number | null,
): LocatedRecord | Reject {
  return item === null ? { ...source, handed: null } : locateItem(sha256, source, item);
}

/** Opens a payload; null when the key is not the committed one or the bytes do not open (`src/crypto` has it). */
export type OpenPayload = (
  contentKey: Uint8Array,
  context: { readonly logId: LogId; readonly epoch: number; readonly keyCommitment: Hash },
  sealed: Uint8Array,
) => Uint8Array | null;
