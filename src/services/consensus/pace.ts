/** How often what waits is looked at, as a fraction of the view timeout. */
export const LOOKS_PER_TIMEOUT = 4;
/** A verdict takes this many looks: four view timeouts. */
const LOOKS_PER_VERDICT = 4 * LOOKS_PER_TIMEOUT;
/** A primary that owes a proposal for this part of the view timeout is late. So long a transaction may take to reach it. */
const LATE_FRACTION = 1 / 4;
/** At most this many times as many looks for a verdict, after complaints that did not help. */
const PATIENCE_MAX = 32;
/** Commits that are remembered: more than a primary needs within the time in which it can be late. */
const COMMITS_MAX = 64;

/** What a replica sees at one moment, in monotonic milliseconds. */
export interface Sight {
  readonly nowMs: number;
  /** When what waits longest came in; null when nothing waits. */
  readonly oldestSinceMs: number | null;
  /** The same for what no proposal under way names. */
  readonly unproposedSinceMs: number | null;
  /** The primary has proposed what is not committed yet. */
  readonly isUnderWay: boolean;
}

/**
 * The throughput floor (SCENARIOS 25; Clement et al., "Aardvark", NSDI 2009, 4.3): a primary that stays just below the view
 * timeout commits, so that no timer fires, and lets everybody wait. It is slow when at most looks it was late although its
 * blocks had room. Late is who owes a proposal: once one is out, how long its commit takes is the doing of all nodes, and on a
 * machine that is loaded to its limit that is long. Where the next primary is no better it is the network or the machine that is
 * slow, so each complaint doubles the patience, and each good verdict halves it.
 */
export class Pace {
  private readonly commitsAtMs: number[] = [];
  private view = -1;
  private looks = 0;
  private lateLooks = 0;
  private roomy = false;
  private patience = 1;

  /** @param hadRoom the block could have held more */
  committed(nowMs: number, hadRoom: boolean): void {
    if (hadRoom) this.roomy = true;
    this.commitsAtMs.push(nowMs);
    if (this.commitsAtMs.length > COMMITS_MAX) this.commitsAtMs.shift();
  }

  /** @returns true when the primary of this view is too slow */
  look(view: number, sight: Sight, viewTimeoutMs: number): boolean {
    if (view !== this.view) this.begin(view);
    this.looks += 1;
    if (this.isLate(sight, viewTimeoutMs)) this.lateLooks += 1;
    if (this.looks < LOOKS_PER_VERDICT * this.patience) return false;
    const slow = this.roomy && this.lateLooks * 2 > this.looks;
    this.patience = slow ? Math.min(this.patience * 2, PATIENCE_MAX) : Math.max(this.patience / 2, 1);
    this.begin(view);
    return slow;
  }

  /** A whole view timeout is late whatever the reason: one that proposes at once may keep back its votes. */
  private isLate(sight: Sight, viewTimeoutMs: number): boolean {
    const { nowMs, oldestSinceMs, unproposedSinceMs } = sight;
    if (oldestSinceMs !== null && nowMs - oldestSinceMs > viewTimeoutMs) return true;
    if (unproposedSinceMs === null) return false;
    const graceMs = viewTimeoutMs * LATE_FRACTION;
    const owedSinceMs = this.owedSinceMs(unproposedSinceMs, sight.isUnderWay, graceMs);
    return owedSinceMs !== null && nowMs - owedSinceMs > graceMs;
  }

  /** With blocks in flight a primary may wait for the next commit (`Builder`), which comes after it has heard of what waits. */
  private owedSinceMs(sinceMs: number, isUnderWay: boolean, graceMs: number): number | null {
    const turn = this.commitsAtMs.find(atMs => atMs >= sinceMs + graceMs);
    if (turn !== undefined) return turn;
    return isUnderWay ? null : Math.max(sinceMs, this.commitsAtMs.at(-1) ?? sinceMs);
  }

  private begin(view: number): void {
    this.view = view;
    this.looks = 0;
    this.lateLooks = 0;
    this.roomy = false;
  }
}
