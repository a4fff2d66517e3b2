import { isReject } from '../../core/base/reject.ts';
import { decodeHandoverItems } from '../../core/codec/operation.ts';
import {
  decodeBody,
  decodeLeaf,
  decodeSignedTransaction,
  encodeSignedTransaction,
} from '../../core/codec/transaction.ts';
import type { DossierItem } from '../../core/light/dossier.ts';
import { KINDS } from '../../core/types/operation.ts';
import type { SignedTransaction, TransactionBody } from '../../core/types/transaction.ts';

/** How much of records goes in: all, all but the encrypted payloads, or only what proves that they are there. */
export type RecordParts = 'all' | 'metadata' | 'none';

/** Number of the parts of a record that stay. */
const PARTS_KEPT: Record<RecordParts, number> = { all: 2, metadata: 1, none: 0 };

/** A stored item as a dossier has it; its bytes were verified when they were stored. */
export function dossierItem(
  raw: { readonly leaf: Uint8Array; readonly transaction: Uint8Array },
  parts: RecordParts,
): DossierItem {
  const leaf = stored(decodeLeaf(raw.leaf));
  const { height, timeMs, outcome } = leaf;
  const { signed, body } = decoded(raw.transaction);
  if (parts === 'all' || body.kind !== KINDS.recordPut) {
    return { height, timeMs, outcome, transaction: raw.transaction };
  }
  const kept = signed.parts.map((part, index) => (index < PARTS_KEPT[parts] ? part : null));
  return { height, timeMs, outcome, transaction: encodeSignedTransaction({ ...signed, parts: kept }) };
}

/** Everybody who signed something in an item: the sender, and the authors of records that were handed over. */
export function signersOf(item: DossierItem): string[] {
  const { signed, body } = decoded(item.transaction);
  const items = body.kind === KINDS.phaseHandover ? (signed.parts[2] ?? null) : null;
  const handed = items === null ? [] : decodeHandoverItems(items.content);
  if (isReject(handed)) return [body.sender];
  return [body.sender, ...handed.map(entry => stored(decodeBody(entry.body)).sender)];
}

function decoded(transaction: Uint8Array): { signed: SignedTransaction; body: TransactionBody } {
  const signed = stored(decodeSignedTransaction(transaction));
  return { signed, body: stored(decodeBody(signed.body)) };
}

function stored<T>(value: T): Exclude<T, { readonly reject: string }> {
  if (isReject(value)) throw new TypeError(`a stored item does not decode: ${value.detail}`);
  return value as Exclude<T, { readonly reject: string }>;
}
