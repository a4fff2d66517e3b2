import type { Clock, Timer } from '../../ports/clock.ts';

/**
 * Keeps an observer at the head. It can sign no STATUS, so nobody sends it what it has missed, and a view that it does not
 * know hides every proposal from it: while others talk, it asks now and then what they have committed. Silent when they are.
 */
export class Observer {
  private timer: Timer | null = null;

  constructor(
    private readonly clock: Clock,
    private readonly delayMs: number,
    private readonly explore: () => void,
  ) {}

  /** Others are deciding something. */
  heard(): void {
    this.timer ??= this.clock.setTimer(this.delayMs, () => {
      this.timer = null;
      this.explore();
    });
  }

  stop(): void {
    this.timer?.cancel();
    this.timer = null;
  }
}
