import type { Clock, Timer } from '../../ports/clock.ts';
import type { PoolEntry } from '../pool/mempool.ts';
import type { Pool } from '../pool/pool.ts';
import type { ChainReader } from './chain-reader.ts';
import { LOOKS_PER_TIMEOUT, Pace } from './pace.ts';

export interface SupervisorConfig {
  readonly chain: ChainReader;
  readonly pool: Pool;
  readonly clock: Clock;
  readonly reminderIdsMax: number;
  view(): number;
  /** The primary leaves a transaction out although its blocks have room, or is slow. */
  complain(reason: string): void;
}

/** Waiting this many view timeouts while blocks with room are committed is censorship. */
const CENSORED_TIMEOUTS = 4;

/**
 * Watches what waits in the pool. The engine's own timer replaces a primary that commits nothing; this one tells the others
 * again what waits (gossip may have been lost), and complains about a primary that leaves somebody out (SCENARIOS 24) or is
 * slow (25).
 */
export class Supervisor {
  private timer: Timer | null = null;
  /** Monotonic milliseconds of the last committed block that had room for more. */
  private roomyAtMs = Number.NEGATIVE_INFINITY;
  private lookedAtMs = Number.NEGATIVE_INFINITY;
  private readonly pace = new Pace();
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
    if (entries * 2 >= full) return;
    this.roomyAtMs = this.config.clock.monotonicMs();
    this.pace.hadRoom();
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
    const nowMs = clock.monotonicMs();
    const lookedAtMs = this.lookedAtMs;
    this.lookedAtMs = nowMs;
    const oldest = pool.oldest();
    const ageMs = oldest === null ? 0 : nowMs - oldest.sinceMs;
    if (this.pace.look(this.config.view(), ageMs, viewTimeoutMs)) this.config.complain('the primary is slow');
    if (oldest === null || nowMs - oldest.sinceMs < viewTimeoutMs) return;
    const due = ({ sinceMs }: PoolEntry) =>
      reminders(nowMs - sinceMs, viewTimeoutMs) > reminders(lookedAtMs - sinceMs, viewTimeoutMs);
    const ids = pool.pending(due, reminderIdsMax);
    for (const peer of chain.connectedValidators()) pool.announce(peer, ids);
    const roomySinceMs = this.roomyAtMs - oldest.sinceMs;
    if (roomySinceMs > CENSORED_TIMEOUTS * viewTimeoutMs)
      this.config.complain('the primary leaves transactions out');
  }
}

/** The others are reminded of a transaction when it has waited for one view timeout, two, four, eight, … */
function reminders(ageMs: number, viewTimeoutMs: number): number {
  return ageMs < viewTimeoutMs ? 0 : 1 + Math.floor(Math.log2(ageMs / viewTimeoutMs));
}
