import type { Clock, Timer } from '../../ports/clock.ts';
import type { Pool } from '../pool/pool.ts';
import type { ChainReader } from './chain-reader.ts';

export interface SupervisorConfig {
  readonly chain: ChainReader;
  readonly pool: Pool;
  readonly clock: Clock;
  readonly reminderIdsMax: number;
  /** The primary leaves a transaction out although its blocks have room. */
  complain(): void;
}

/** Fractions of the view timeout: how often to look, and from what age on the others are reminded of a transaction. */
const LOOKS_PER_TIMEOUT = 4;
/** Waiting this many view timeouts while blocks with room are committed is censorship. */
const CENSORED_TIMEOUTS = 4;

/**
 * Watches what waits in the pool. The engine's own timer replaces a primary that commits nothing; this one tells the others
 * again what waits (gossip may have been lost), and complains about a primary that leaves somebody out (SCENARIOS 24).
 */
export class Supervisor {
  private timer: Timer | null = null;
  /** Monotonic milliseconds of the last committed block that had room for more. */
  private roomyAtMs = Number.NEGATIVE_INFINITY;
  private stopped = false;

  constructor(private readonly config: SupervisorConfig) {}

  start(): void {
    this.stopped = false;
    this.schedule();
  }

  stop(): void {
    this.stopped = true;
    this.timer?.cancel();
    this.timer = null;
  }

  /** @param entries number of transactions in a block that was committed */
  committed(entries: number): void {
    const { blockTransactionsMax, memberTransactionsPerBlockMax } = this.config.chain.parameters();
    const full = Math.min(blockTransactionsMax, memberTransactionsPerBlockMax);
    if (entries * 2 < full) this.roomyAtMs = this.config.clock.monotonicMs();
  }

  private schedule(): void {
    if (this.stopped) return;
    const { viewTimeoutMs } = this.config.chain.parameters();
    this.timer = this.config.clock.setTimer(viewTimeoutMs / LOOKS_PER_TIMEOUT, () => {
      this.look(viewTimeoutMs);
      this.schedule();
    });
  }

  private look(viewTimeoutMs: number): void {
    const { pool, chain, clock, reminderIdsMax } = this.config;
    const oldest = pool.oldest();
    if (oldest === null) return;
    const ageMs = clock.monotonicMs() - oldest.sinceMs;
    if (ageMs < viewTimeoutMs / LOOKS_PER_TIMEOUT) return;
    for (const peer of chain.connectedValidators()) pool.announce(peer, reminderIdsMax);
    const roomySinceMs = this.roomyAtMs - oldest.sinceMs;
    if (roomySinceMs > CENSORED_TIMEOUTS * viewTimeoutMs) this.config.complain();
  }
}
