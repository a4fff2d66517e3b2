import type { Effect, TimerName } from '../../core/pbft/effect.ts';
import type { Clock, Timer } from '../../ports/clock.ts';

/** The engine's timers on the clock port; one of each name. */
export class EngineTimers {
  private readonly running = new Map<TimerName, Timer>();

  constructor(
    private readonly clock: Clock,
    private readonly fired: (name: TimerName, generation: number) => void,
  ) {}

  set({ name, delayMs, generation }: Extract<Effect, { type: 'setTimer' }>): void {
    this.cancel(name);
    const timer = this.clock.setTimer(delayMs, () => {
      this.running.delete(name);
      this.fired(name, generation);
    });
    this.running.set(name, timer);
  }

  cancel(name: TimerName): void {
    this.running.get(name)?.cancel();
    this.running.delete(name);
  }

  stop(): void {
    for (const timer of this.running.values()) timer.cancel();
    this.running.clear();
  }
}
