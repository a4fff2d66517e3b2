import type { MemberId, PhaseId, TransactionId } from '../../core/base/ids.ts';
import type { FileReference } from '../../core/types/operation.ts';
import type { Span } from '../../core/types/span.ts';
import type { Context } from './context.ts';
import type { RecordContent } from './payload.ts';
import { openForHandover, readRecord } from './reading.ts';
import type { RecordPlace } from './record-index.ts';
import { type Refusal, refuse, short, unknownPhase } from './refusal.ts';

/** A record with what shows it to someone who is not in the phase. */
export interface DisclosableRecord {
  readonly id: TransactionId;
  /** In the phase's log; `item` is its index in the handover that brought it, null for one that was written here. */
  readonly position: number;
  readonly item: number | null;
  readonly author: MemberId;
  readonly fileReferences: readonly FileReference[];
  /** Discloses this one record, and the keys of its files; null with `content` where this member cannot open it. */
  readonly contentKey: Uint8Array | null;
  readonly content: RecordContent | null;
}

async function disclosable(
  context: Context,
  phase: PhaseId,
  place: RecordPlace,
): Promise<DisclosableRecord | null> {
  const view = await readRecord(context, phase, place);
  if (view === null) return null;
  const { id, position, item } = place;
  const opened = view.content === null ? null : await openForHandover(context, phase, place);
  const { author, fileReferences } = view;
  const content = opened === null ? null : view.content;
  return { id, position, item, author, fileReferences, contentKey: opened?.contentKey ?? null, content };
}

/**
 * The records at positions [from, to), opened as far as this member can.
 * @param key one of them only, by its id or position
 */
export async function disclose(
  context: Context,
  phase: PhaseId,
  { from, to }: Span,
  key: TransactionId | number | null,
): Promise<readonly DisclosableRecord[] | Refusal> {
  if ((await context.follower.catchUp(phase)) === null) return unknownPhase(phase);
  const all = () =>
    context.index.from(phase, from, Number.MAX_SAFE_INTEGER).filter(place => place.position < to);
  const named = typeof key === 'string' ? context.index.find(phase, key) : null;
  const places = key === null ? all() : named === null ? [] : [named];
  const found = typeof key === 'number' ? context.index.at(phase, key) : places;
  if (key !== null && found.length !== 1) {
    const what = typeof key === 'string' ? short(key) : `at position ${key}`;
    const detail = `phase ${short(phase)} has ${found.length} records ${what}`;
    return refuse(
      'unknown_record',
      detail,
      'Name one record by its id; the list of records shows those of the phase.',
    );
  }
  const records: DisclosableRecord[] = [];
  for (const place of found) {
    const record = await disclosable(context, phase, place);
    if (record !== null) records.push(record);
  }
  return records;
}
