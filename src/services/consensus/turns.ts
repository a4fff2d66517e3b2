import type { MemberId } from '../../core/base/ids.ts';

/** A member that had no turn for so many view timeouts, and in so many blocks for each member that waits, is passed over. */
const PASSED_TIMEOUTS = 4;
const BLOCKS_PER_MEMBER = 2;
/** At most so many times as long, after complaints that did not help. */
const PATIENCE_MAX = 32;

/** Whose transactions wait at this node. */
export interface Queue {
  /** Of these some are in no proposal under way. */
  readonly unproposed: ReadonlySet<MemberId>;
  /** Members with anything in the pool. */
  readonly members: number;
}

interface Waiting {
  /** Monotonic milliseconds. */
  readonly sinceMs: number;
  /** That were committed since then without anything of this member. */
  blocks: number;
}

/**
 * Whether every member has its turn, however full the blocks are (SCENARIOS 24): a primary takes of each member that waits in turn
 * (`Mempool.take`), so that none is left out of more blocks in a row than members wait. One who fills its blocks with the
 * transactions of a friend and leaves out another member is found out by that. Where the next primary does no better it is the
 * pools that differ, so each complaint doubles the patience until the member has its turn.
 */
export class Turns {
  private readonly waiting = new Map<MemberId, Waiting>();
  private readonly passed = new Set<MemberId>();
  private view = -1;
  private patience = 1;

  /** @param senders of what is in a committed block, as far as this node has held it */
  committed(senders: ReadonlySet<MemberId | undefined>): void {
    for (const [member, entry] of this.waiting) {
      if (senders.has(member)) this.waiting.delete(member);
      else entry.blocks += 1;
    }
    for (const member of this.passed) if (senders.has(member)) this.served();
  }

  /** @returns true when the primary of this view passes a member over */
  look(view: number, nowMs: number, { unproposed, members }: Queue, viewTimeoutMs: number): boolean {
    if (view !== this.view) this.waiting.clear();
    this.view = view;
    for (const member of this.waiting.keys()) if (!unproposed.has(member)) this.waiting.delete(member);
    for (const member of unproposed)
      if (!this.waiting.has(member)) this.waiting.set(member, { sinceMs: nowMs, blocks: 0 });
    const patienceMs = PASSED_TIMEOUTS * viewTimeoutMs * this.patience;
    const passed = [...this.waiting].filter(
      ([, { sinceMs, blocks }]) => nowMs - sinceMs > patienceMs && blocks >= BLOCKS_PER_MEMBER * members,
    );
    if (passed.length === 0) return false;
    this.patience = Math.min(this.patience * 2, PATIENCE_MAX);
    this.waiting.clear();
    for (const [member] of passed) this.passed.add(member);
    return true;
  }

  private served(): void {
    this.passed.clear();
    this.patience = 1;
  }
}
