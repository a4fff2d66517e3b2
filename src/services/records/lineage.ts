import type { MemberId, PhaseId, TransactionId } from '../../core/base/ids.ts';
import { isReject } from '../../core/base/reject.ts';
import { decodeApprovalRequest, decodeApprovalVote } from '../../core/codec/flow.ts';
import { decodePhaseHandoverSource } from '../../core/codec/operation.ts';
import type { Deed } from '../../core/types/flow.ts';
import { KINDS } from '../../core/types/operation.ts';
import { OUTCOMES } from '../../core/types/outcome.ts';
import { type Context, phaseLog } from './context.ts';
import type { LogItem } from './ports.ts';
import { type RecordView, readRecord } from './reading.ts';
import { type Refusal, refuse, short } from './refusal.ts';

/** Items of a log that are read at a time. */
const CHUNK_ITEMS = 256;

/** A request for approvals that covered a handover, and the ballots that were cast before it. */
export interface LineageRequest {
  readonly number: number;
  readonly requester: MemberId;
  readonly height: number;
  readonly votes: readonly {
    readonly member: MemberId;
    readonly approve: boolean;
    readonly height: number;
  }[];
}

/** One handover of a record. */
export interface LineageStep {
  readonly from: PhaseId;
  readonly to: PhaseId;
  readonly handover: TransactionId;
  readonly by: MemberId;
  readonly height: number;
  readonly timeMs: number;
  /** In the log of `from`, and in that of `to`; null where this member does not read that log. */
  readonly sourcePosition: number | null;
  readonly position: number | null;
  /** The last one that covered it; null where there was none, or where this member does not read the log of `from`. */
  readonly request: LineageRequest | null;
}

/** The way of a record through phases, as far as this member may see it. */
export interface Lineage {
  readonly id: TransactionId;
  readonly author: MemberId;
  /** Where it was written. */
  readonly phase: PhaseId;
  readonly position: number;
  readonly height: number;
  readonly timeMs: number;
  /** Oldest first; a record that was handed to several phases has a step for each. */
  readonly steps: readonly LineageStep[];
  /** The phases on the way that this member reads. */
  readonly readable: readonly PhaseId[];
}

interface Asked extends LineageRequest {
  readonly deed: Deed;
  readonly votes: LineageRequest['votes'][number][];
}

function covers(
  deed: Deed,
  target: PhaseId,
  id: TransactionId,
  recordPosition: number,
  asked: number,
): boolean {
  if (deed.kind !== 'phaseHandover' || deed.target !== target) return false;
  return deed.records.length === 0 ? recordPosition < asked : deed.records.includes(id);
}

/** Reads the log of a phase that has the record for the handovers of it to others, each with the request it was done under. */
class SourceReading {
  readonly steps: LineageStep[] = [];
  private readonly requests = new Map<number, Asked>();

  constructor(
    private readonly phase: PhaseId,
    private readonly id: TransactionId,
    private readonly recordPosition: number,
  ) {}

  take({ leaf, transaction }: LogItem): void {
    if (leaf.outcome !== OUTCOMES.committed) return;
    const { kind, sender } = transaction.body;
    const part = transaction.signed.parts[0] ?? null;
    if (part === null) return;
    const { position, height, timeMs } = leaf;
    if (kind === KINDS.approvalRequest) {
      const asked = decodeApprovalRequest(part.content);
      if (isReject(asked)) return;
      const request = { number: position, requester: sender, height, deed: asked.deed, votes: [] };
      this.requests.set(position, request);
    }
    if (kind === KINDS.approvalVote) {
      const vote = decodeApprovalVote(part.content);
      if (isReject(vote)) return;
      const { approve } = vote;
      this.requests.get(vote.request)?.votes.push({ member: sender, approve, height });
    }
    if (kind !== KINDS.phaseHandover) return;
    const handed = decodePhaseHandoverSource(part.content);
    if (isReject(handed) || handed.phase !== this.phase) return;
    if (!handed.records.some(({ id }) => id === this.id)) return;
    const step = {
      from: this.phase,
      to: handed.target,
      handover: transaction.id,
      by: sender,
      height,
      timeMs,
    };
    const places = { sourcePosition: position, position: null };
    this.steps.push({ ...step, ...places, request: this.requestFor(handed.target) });
  }

  private requestFor(target: PhaseId): LineageRequest | null {
    const fits = [...this.requests.values()].findLast(({ deed, number }) =>
      covers(deed, target, this.id, this.recordPosition, number),
    );
    if (fits === undefined) return null;
    const { number, requester, height, votes } = fits;
    return { number, requester, height, votes: [...votes] };
  }
}

async function handedOnFrom(
  context: Context,
  phase: PhaseId,
  id: TransactionId,
): Promise<readonly LineageStep[]> {
  const { access, index } = context;
  const logId = phaseLog(context, phase);
  const held = access.held(logId);
  const place = index.find(phase, id);
  if (held === null || place === null) return [];
  const reading = new SourceReading(phase, id, place.position);
  for (let from = held.from; from < held.to; from += CHUNK_ITEMS) {
    for (const item of await access.items(logId, from, Math.min(held.to, from + CHUNK_ITEMS))) {
      reading.take(item);
    }
  }
  return reading.steps;
}

/** The handovers that brought a record to a phase, as its items show them. */
function broughtBy({ phase, origins }: RecordView): LineageStep[] {
  return origins.map((origin, at) => ({
    ...{ from: origin.phase, to: origins[at + 1]?.phase ?? phase },
    ...{ handover: origin.handover, by: origin.handedOverBy },
    ...{ height: origin.handoverHeight, timeMs: origin.handoverTimeMs },
    ...{ sourcePosition: null, request: null },
    // where the next handover took it from, or where it stands now
    position: origins[at + 1]?.position ?? null,
  }));
}

/**
 * The way of a record through phases: from every phase that has it and that this member reads, back to where it was written and on
 * to wherever it was handed. A handover between two phases that this member does not read is known by the items it brought later.
 */
export async function recordLineage(context: Context, id: TransactionId): Promise<Lineage | Refusal> {
  const steps = new Map<TransactionId, LineageStep>();
  const readable: PhaseId[] = [];
  let seen: RecordView | null = null;
  for (const phase of context.access.phases().map(state => state.id)) {
    await context.follower.catchUp(phase);
    const place = context.index.find(phase, id);
    const view = place === null ? null : await readRecord(context, phase, place);
    if (view === null) continue;
    readable.push(phase);
    seen = seen === null || view.origins.length < seen.origins.length ? view : seen;
    for (const step of broughtBy(view)) {
      const position = step.to === phase ? view.position : step.position;
      const known = steps.get(step.handover);
      steps.set(step.handover, { ...step, ...known, position: known?.position ?? position });
    }
    for (const step of await handedOnFrom(context, phase, id)) {
      const position = steps.get(step.handover)?.position ?? null;
      steps.set(step.handover, { ...step, position });
    }
  }
  if (seen === null) {
    const detail = `no phase that ${context.member} reads has a record ${short(id)}`;
    return refuse('unknown_record', detail, 'The list of records shows those of a phase.');
  }
  const first = seen.origins[0];
  const { author, height, timeMs } = seen;
  const ordered = [...steps.values()].sort((a, b) => a.height - b.height || (a.to < b.to ? -1 : 1));
  const origin = { phase: first?.phase ?? seen.phase, position: first?.position ?? seen.position };
  return { id, author, ...origin, height, timeMs, steps: ordered, readable };
}
