/** How often the oldest transaction is looked at, as a fraction of the view timeout. */
export const LOOKS_PER_TIMEOUT = 4;
/** A verdict takes this many looks: four view timeouts. */
const LOOKS_PER_VERDICT = 4 * LOOKS_PER_TIMEOUT;
/** A transaction that has waited for this part of the view timeout is late. */
const LATE_FRACTION = 1 / 4;
/** At most this many times as many looks for a verdict, after complaints that did not help. */
const PATIENCE_MAX = 32;

/**
 * The throughput floor (SCENARIOS 25; Clement et al., "Aardvark", NSDI 2009, 4.3): a primary that stays just below the view
 * timeout commits, so that no timer fires, and lets everybody wait. It is slow when at most looks something late was waiting
 * although its blocks had room. Where the next primary is no better it is the network or the machine that is slow, so each
 * complaint doubles the patience, and each good verdict halves it.
 */
export class Pace {
  private view = -1;
  private looks = 0;
  private lateLooks = 0;
  private roomy = false;
  private patience = 1;

  /** A block that was committed had room for more. */
  hadRoom(): void {
    this.roomy = true;
  }

  /**
   * @param oldestAgeMs of what waits; 0 when nothing does
   * @returns true when the primary of this view is too slow
   */
  look(view: number, oldestAgeMs: number, viewTimeoutMs: number): boolean {
    if (view !== this.view) this.begin(view);
    this.looks += 1;
    if (oldestAgeMs > viewTimeoutMs * LATE_FRACTION) this.lateLooks += 1;
    if (this.looks < LOOKS_PER_VERDICT * this.patience) return false;
    const slow = this.roomy && this.lateLooks * 2 > this.looks;
    this.patience = slow ? Math.min(this.patience * 2, PATIENCE_MAX) : Math.max(this.patience / 2, 1);
    this.begin(view);
    return slow;
  }

  private begin(view: number): void {
    this.view = view;
    this.looks = 0;
    this.lateLooks = 0;
    this.roomy = false;
  }
}
