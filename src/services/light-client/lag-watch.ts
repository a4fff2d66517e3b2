import type { ScopeRef } from '../../core/codec/state.ts';
import type { Clock } from '../../ports/clock.ts';

/** What is known to be there and is not held yet. */
export interface Lag {
  /** Certified, or announced by more sources than may be faulty. */
  readonly height: number;
  /** How long the published head has not moved meanwhile. */
  readonly forMs: number;
  /** Logs that are not complete at the trusted head. */
  readonly logs: readonly ScopeRef[];
}

/** Since when a head is known above the published one, which did not move meanwhile. */
export class LagWatch {
  private sinceMs: number | null = null;

  constructor(
    private readonly clock: Clock,
    private readonly publishedHeight: () => number,
    private readonly knownHeight: () => number,
    private readonly lagging: () => readonly ScopeRef[],
  ) {}

  /** A head was published: waiting starts anew. */
  published(): void {
    this.sinceMs = null;
    this.look();
  }

  /** A head may have become known. */
  look(): void {
    if (this.knownHeight() <= this.publishedHeight()) this.sinceMs = null;
    else this.sinceMs ??= this.clock.monotonicMs();
  }

  /** Null while the published head is the highest that is known. */
  lag(): Lag | null {
    this.look();
    if (this.sinceMs === null) return null;
    const forMs = this.clock.monotonicMs() - this.sinceMs;
    return { height: this.knownHeight(), forMs, logs: this.lagging() };
  }
}
