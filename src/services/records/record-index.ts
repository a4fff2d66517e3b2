import { formerPhasesOf } from '../../core/access/handover-item.ts';
import type { PhaseId, Sha256, TransactionId } from '../../core/base/ids.ts';
import { isReject } from '../../core/base/reject.ts';
import { decodePhaseHandoverSource } from '../../core/codec/operation.ts';
import { bodyId } from '../../core/codec/transaction.ts';
import { readHandover } from '../../core/light/record.ts';
import { KINDS } from '../../core/types/operation.ts';
import type { PhaseState } from '../../core/types/state.ts';
import type { PhaseVisitor } from './follower.ts';
import type { LogItem } from './ports.ts';

/** Where a phase's log has a record. */
export interface RecordPlace {
  readonly id: TransactionId;
  readonly position: number;
  /** Index in the handover that brought the record; null for one that was written here. */
  readonly item: number | null;
  /** The phases that the record was in before, oldest first. */
  readonly former: readonly PhaseId[];
}

interface PhaseRecords {
  readonly byId: Map<TransactionId, RecordPlace>;
  /** By position, items of a handover in their order. */
  readonly places: RecordPlace[];
  /** Ids already handed over, by target. */
  readonly handedOver: Map<PhaseId, Set<TransactionId>>;
}

/** Which records a phase has and where: ids and positions only. */
export class RecordIndex implements PhaseVisitor {
  private readonly phases = new Map<PhaseId, PhaseRecords>();

  constructor(private readonly sha256: Sha256) {}

  find(phase: PhaseId, id: TransactionId): RecordPlace | null {
    return this.phases.get(phase)?.byId.get(id) ?? null;
  }

  /** All records of the leaf at `position`; a handover brings several. */
  at(phase: PhaseId, position: number): RecordPlace[] {
    return this.from(phase, position, 1).filter(place => place.position === position);
  }

  /** At least `limit` places from `position` on if there are as many; the records of one leaf are never parted. */
  from(phase: PhaseId, position: number, limit: number): RecordPlace[] {
    const places = this.phases.get(phase)?.places ?? [];
    let low = 0;
    let high = places.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (places[middle]!.position < position) low = middle + 1;
      else high = middle;
    }
    let end = Math.min(low + limit, places.length);
    while (end > low && end < places.length && places[end]!.position === places[end - 1]!.position) end += 1;
    return places.slice(low, end);
  }

  wasHandedOver(source: PhaseId, target: PhaseId, id: TransactionId): boolean {
    return this.phases.get(source)?.handedOver.get(target)?.has(id) ?? false;
  }

  async visit(phase: PhaseState, { leaf, transaction }: LogItem): Promise<void> {
    const records = this.recordsOf(phase.id);
    const { kind } = transaction.body;
    if (kind === KINDS.recordPut) {
      this.add(records, { id: transaction.id, position: leaf.position, item: null, former: [] });
      return;
    }
    if (kind !== KINDS.phaseHandover) return;
    // Each side of a handover holds its own part only.
    const [source] = transaction.signed.parts;
    if (source && transaction.body.scopes[0] === leaf.logId) {
      const content = decodePhaseHandoverSource(source.content);
      if (!isReject(content))
        this.markHandedOver(
          records,
          content.target,
          content.records.map(entry => entry.id),
        );
    }
    if (transaction.body.scopes[1] !== leaf.logId) return;
    const handover = readHandover({ leaf, transaction });
    if (isReject(handover)) return;
    for (const [item, entry] of handover.items.entries()) {
      const former = formerPhasesOf(handover.target, entry);
      this.add(records, { id: bodyId(this.sha256, entry.body), position: leaf.position, item, former });
    }
  }

  private recordsOf(phase: PhaseId): PhaseRecords {
    let records = this.phases.get(phase);
    if (records === undefined) {
      records = { byId: new Map(), places: [], handedOver: new Map() };
      this.phases.set(phase, records);
    }
    return records;
  }

  /** A record that was handed over twice is one record; one that came with older history goes to its place. */
  private add({ byId, places }: PhaseRecords, place: RecordPlace): void {
    if (byId.has(place.id)) return;
    byId.set(place.id, place);
    const last = places.at(-1);
    places.push(place);
    if (last !== undefined && last.position > place.position) places.sort((a, b) => a.position - b.position);
  }

  private markHandedOver(records: PhaseRecords, target: PhaseId, ids: readonly TransactionId[]): void {
    const known = records.handedOver.get(target) ?? new Set();
    for (const id of ids) known.add(id);
    records.handedOver.set(target, known);
  }
}
