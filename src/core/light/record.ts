import type { Hash, LogId, Sha256 } from '../base/ids.ts';
import { isReject, type Reject, reject } from '../base/reject.ts';
import { decodePhaseHandoverTarget, decodeRecordMeta } from '../codec/operation.ts';
import { decodeLeaf, decodeTransaction, encodeSignedTransaction } from '../codec/transaction.ts';
import { type HandoverItem, KINDS, type RecordMeta } from '../types/operation.ts';
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

/** @param source the record's own leaf, or the handed-over one (`readHandoverItem`) */
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

/** Rebuilds the original record's leaf and transaction, which prove their author in the successor phase too. */
export function readHandoverItem(sha256: Sha256, item: HandoverItem): LeafTransaction | Reject {
  const leaf = decodeLeaf(item.leaf);
  if (isReject(leaf)) return leaf;
  const { body, signature, batch, meta, payload } = item;
  const signed = encodeSignedTransaction({ body, signature, batch, parts: [meta, payload] });
  const transaction = decodeTransaction(sha256, signed);
  if (isReject(transaction)) return transaction;
  const fits = transaction.id === leaf.transactionId && leaf.position === item.position;
  return fits ? { leaf, transaction } : reject('wrong_transaction', 'handover item names another record');
}

/**
 * The record at a leaf, or at one item of a leaf that handed records over.
 * @param item index in the handover's items; null for the leaf itself
 */
export function locateRecord(
  sha256: Sha256,
  source: LeafTransaction,
  item: number | null,
): LeafTransaction | Reject {
  if (item === null) return source;
  const { leaf, transaction } = source;
  const part = transaction.signed.parts[1] ?? null;
  if (transaction.body.kind !== KINDS.phaseHandover || part === null || leaf.outcome !== OUTCOMES.committed) {
    return reject('not_a_handover', `leaf ${leaf.position}`);
  }
  const handover = decodePhaseHandoverTarget(part.content);
  if (isReject(handover)) return handover;
  const handed = handover.items[item];
  return handed === undefined
    ? reject('unknown_item', `leaf ${leaf.position} hands over ${handover.items.length} records`)
    : readHandoverItem(sha256, handed);
}

/** Opens a payload; null when the key is not the committed one or the bytes do not open (`src/crypto` has it). */
export type OpenPayload = (
  contentKey: Uint8Array,
  context: { readonly logId: LogId; readonly epoch: number; readonly keyCommitment: Hash },
  sealed: Uint8Array,
) => Uint8Array | null;
