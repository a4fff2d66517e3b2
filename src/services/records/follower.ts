import type { MemberId, PhaseId, Sha256 } from '../../core/base/ids.ts';
import { logIdOf } from '../../core/codec/transaction.ts';
import { OUTCOMES } from '../../core/types/outcome.ts';
import type { PhaseState } from '../../core/types/state.ts';
import type { LedgerAccess, LogItem } from './ports.ts';

/** Items that are read at a time. */
const CHUNK_ITEMS = 256;

/** Hears of every committed leaf of a phase, in order; again from the start when older history became readable. */
export interface PhaseVisitor {
  visit(phase: PhaseState, item: LogItem): Promise<void>;
}

interface Progress {
  next: number;
  /** Where this member's reading began, and what was held below `next`; a new grant can change both. */
  start: string;
  running: Promise<void>;
}

/** Walks each phase's log once, for all that is learnt from it; the log itself stays with the light client. */
export class PhaseFollower {
  private readonly progress = new Map<PhaseId, Progress>();

  constructor(
    private readonly access: LedgerAccess,
    private readonly sha256: Sha256,
    private readonly member: MemberId,
    private readonly visitors: readonly PhaseVisitor[],
  ) {}

  /** The phase after every held leaf was visited; null when it cannot be read here. */
  async catchUp(id: PhaseId): Promise<PhaseState | null> {
    if (this.access.phase(id) === null) return null;
    let progress = this.progress.get(id);
    if (progress === undefined) {
      progress = { next: 0, start: '', running: Promise.resolve() };
      this.progress.set(id, progress);
    }
    const current = progress;
    const run = current.running.catch(() => undefined).then(() => this.walk(id, current));
    current.running = run;
    await run;
    return this.access.phase(id);
  }

  private async walk(id: PhaseId, progress: Progress): Promise<void> {
    const logId = logIdOf(this.sha256, this.access.chainId, 'phase', id);
    const phase = this.access.phase(id);
    const held = this.access.held(logId);
    if (phase === null || held === null) return;
    const own = phase.participants.find(entry => entry.member === this.member);
    // What came in below shows there; a walk from the start again meets leaves that the visitors know.
    const below = (next: number) => {
      const ranges = held.ranges.filter(range => range.from < next);
      return [own?.startPosition, ...ranges.map(({ from, to }) => `${from}-${Math.min(to, next)}`)].join();
    };
    if (below(progress.next) !== progress.start) progress.next = held.from;
    for (const range of held.ranges) {
      progress.next = Math.max(progress.next, range.from);
      while (progress.next < range.to) {
        const to = Math.min(progress.next + CHUNK_ITEMS, range.to);
        for (const item of await this.access.items(logId, progress.next, to)) {
          if (item.leaf.outcome !== OUTCOMES.committed) continue;
          for (const visitor of this.visitors) await visitor.visit(phase, item);
        }
        progress.next = to;
      }
    }
    progress.start = below(progress.next);
  }
}
