import type { Hash, LogId, MemberId, Sha256, TransactionId } from '../../core/base/ids.ts';
import { isReject } from '../../core/base/reject.ts';
import { kindName, LAYOUTS } from '../../core/codec/operation.ts';
import { bodyId } from '../../core/codec/transaction.ts';
import { readHandover } from '../../core/light/record.ts';
import { KINDS } from '../../core/types/operation.ts';
import { outcomeName } from '../../core/types/outcome.ts';
import type { LogItem } from '../records/ports.ts';

export type TrailValue = string | number | boolean;

/** One leaf of a log as an event that people and programs can read. */
export interface TrailEvent {
  readonly position: number;
  readonly height: number;
  readonly timeMs: number;
  readonly transaction: TransactionId;
  /** Name of the kind: `recordPut`, `participantAdd`. */
  readonly kind: string;
  readonly member: MemberId;
  /** Which of the member's keys signed. */
  readonly keyId: number;
  /** Null where it was committed; otherwise why the ledger refused it. */
  readonly refused: string | null;
  /** Records that it writes or hands over. */
  readonly records: readonly TransactionId[];
  /** What the log's own part says in plain values; nothing encrypted, no keys. */
  readonly details: Readonly<Record<string, TrailValue>>;
}

const LIST_ITEMS_MAX = 64;

/** Numbers, texts and lists of texts of a part, as they are; everything binary or nested stays out. */
function plainValues(content: object): Record<string, TrailValue> {
  const values: Record<string, TrailValue> = {};
  for (const [name, value] of Object.entries(content)) {
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
      values[name] = value;
    if (!Array.isArray(value) || value.length === 0 || value.length > LIST_ITEMS_MAX) continue;
    const members = value.map(entry =>
      typeof entry === 'string' ? entry : (entry as { member?: unknown })?.member,
    );
    if (members.every(entry => typeof entry === 'string')) values[name] = members.join(' ');
  }
  return values;
}

function ownContent(logId: LogId, { transaction }: LogItem): object | null {
  const { body, signed } = transaction;
  const name = kindName(body.kind);
  if (name === null || name === 'recordPut') return null;
  const layout: readonly { readonly scope: number; decode(bytes: Uint8Array): unknown }[] = LAYOUTS[name];
  const scope = body.scopes.indexOf(logId);
  const index = layout.findIndex(entry => entry.scope === scope);
  const part = signed.parts[index] ?? null;
  const content = part === null ? null : layout[index]!.decode(part.content);
  return typeof content === 'object' && !isReject(content) ? content : null;
}

function recordsOf(sha256: Sha256, item: LogItem): Hash[] {
  const { kind } = item.transaction.body;
  if (kind === KINDS.recordPut) return [item.transaction.id];
  const handover = kind === KINDS.phaseHandover ? readHandover(item) : null;
  if (handover === null || isReject(handover)) return [];
  return handover.items.map(entry => bodyId(sha256, entry.body));
}

/** @param item a verified leaf of the log with the parts of its scope */
export function trailEvent(sha256: Sha256, item: LogItem): TrailEvent {
  const { leaf, transaction } = item;
  const { kind, sender, keyId } = transaction.body;
  const content = ownContent(leaf.logId, item);
  const name = outcomeName(leaf.outcome);
  return {
    ...{ position: leaf.position, height: leaf.height, timeMs: leaf.timeMs, transaction: transaction.id },
    ...{ kind: kindName(kind) ?? `kind ${kind}`, member: sender, keyId },
    refused: leaf.outcome === 0 ? null : (name ?? `outcome ${leaf.outcome}`),
    records: recordsOf(sha256, item),
    details: content === null ? {} : plainValues(content),
  };
}
