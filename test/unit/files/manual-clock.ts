import type { Clock, Timer } from '../../../src/ports/clock.ts';

interface Alarm {
  readonly atMs: number;
  readonly fire: () => void;
}

/** Time that moves when the test says so. */
export class ManualClock implements Clock {
  private now = 1_700_000_000_000;
  private readonly alarms = new Set<Alarm>();

  nowMs(): number {
    return this.now;
  }

  monotonicMs(): number {
    return this.now;
  }

  setTimer(delayMs: number, fire: () => void): Timer {
    const alarm = { atMs: this.now + delayMs, fire };
    this.alarms.add(alarm);
    return { cancel: () => this.alarms.delete(alarm) };
  }

  defer(later: () => void): void {
    setImmediate(later);
  }

  advance(ms: number): void {
    this.now += ms;
    for (const alarm of [...this.alarms].sort((a, b) => a.atMs - b.atMs)) {
      if (alarm.atMs <= this.now && this.alarms.delete(alarm)) alarm.fire();
    }
  }
}
