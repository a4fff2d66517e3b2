export interface Timer {
  cancel(): void;
}

/** Time as the shells see it; tests and the simulator bring their own. */
export interface Clock {
  /** Unix time in milliseconds. */
  nowMs(): number;
  /** Monotonic milliseconds, for durations. */
  monotonicMs(): number;
  setTimer(delayMs: number, fire: () => void): Timer;
  /** Runs `later` once what has arrived by now was handled, without any delay; in the order in which it was asked. */
  defer(later: () => void): void;
}
