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
}
