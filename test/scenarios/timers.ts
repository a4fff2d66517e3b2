import type { TimerName } from '../../src/core/pbft/effect.ts';

interface Armed {
  readonly delayMs: number;
  readonly generation: number;
}

/** The timers of a node: they fire when the transcript says so, also those that are over. */
export class ScenarioTimers {
  readonly armed = new Map<TimerName, Armed>();
  /** Of each timer the last that another took the place of, or that was stopped. */
  readonly replaced = new Map<TimerName, Armed>();

  set(name: TimerName, timer: Armed): void {
    this.stop(name);
    this.armed.set(name, timer);
  }

  stop(name: TimerName): void {
    const armed = this.armed.get(name);
    if (armed !== undefined) this.replaced.set(name, armed);
    this.armed.delete(name);
  }

  clear(): void {
    this.armed.clear();
    this.replaced.clear();
  }
}
