import type { MemberId, TransactionId } from '../../core/base/ids.ts';
import { blocksUnderWay, type Engine } from '../../core/pbft/engine.ts';
import type { Clock, Timer } from '../../ports/clock.ts';
import type { PoolEntry } from '../pool/mempool.ts';
import type { Pool } from '../pool/pool.ts';
import type { ChainReader } from './chain-reader.ts';
import { LOOKS_PER_TIMEOUT, Pace, type Sight } from './pace.ts';
import { Turns } from './turns.ts';

export interface SupervisorConfig {
  readonly chain: ChainReader;
  readonly pool: Pool;
  readonly clock: Clock;
  readonly reminderIdsMax: number;
  /** Null before the start. */
  engine(): Engine | null;
  /** The primary leaves a transaction out although its blocks have room, or is slow. */
  complain(reason: string): void;
}

/** Waiting this many view timeouts of one view, unproposed, while blocks with room are committed is censorship. */
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
  private readonly turns = new Turns();
  private view = -1;
  /** Monotonic milliseconds at which `view` was seen first. */
  private viewSinceMs = 0;
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

  /**
   * @param entries number of transactions in a block that was committed
   * @param senders of them, as far as this node has held them
   */
  committed(entries: number, senders: ReadonlySet<MemberId | undefined>): void {
    const { blockTransactionsMax, memberTransactionsPerBlockMax } = this.config.chain.parameters();
    const full = Math.min(blockTransactionsMax, memberTransactionsPerBlockMax);
    const nowMs = this.config.clock.monotonicMs();
    const hadRoom = entries * 2 < full;
    if (hadRoom) this.roomyAtMs = nowMs;
    this.pace.committed(nowMs, hadRoom);
    this.turns.committed(senders);
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
    const engine = this.config.engine();
    if (engine === null) return;
    const nowMs = clock.monotonicMs();
    const lookedAtMs = this.lookedAtMs;
    this.lookedAtMs = nowMs;
    if (engine.view !== this.view) {
      this.view = engine.view;
      this.viewSinceMs = nowMs;
    }
    const oldest = pool.oldest();
    const blocks = blocksUnderWay(engine);
    const named = new Set<TransactionId>();
    for (const { entries } of blocks) for (const { id } of entries) named.add(id);
    const isUnproposed = ({ transaction }: PoolEntry) => !named.has(transaction.id);
    const sight = this.sight(nowMs, blocks.length > 0, isUnproposed);
    if (this.pace.look(engine.view, sight, viewTimeoutMs)) this.config.complain('the primary is slow');
    if (this.leavesOut(sight, viewTimeoutMs)) this.config.complain('the primary leaves transactions out');
    const queue = { unproposed: pool.senders(isUnproposed), members: pool.senders(() => true).size };
    if (this.turns.look(engine.view, nowMs, queue, viewTimeoutMs))
      this.config.complain('the primary leaves a member out');
    if (oldest === null || nowMs - oldest.sinceMs < viewTimeoutMs) return;
    const due = ({ sinceMs }: PoolEntry) =>
      reminders(nowMs - sinceMs, viewTimeoutMs) > reminders(lookedAtMs - sinceMs, viewTimeoutMs);
    const ids = pool.pending(due, reminderIdsMax);
    for (const peer of chain.connectedValidators()) pool.announce(peer, ids);
  }

  /**
   * Each primary has that long: where what waits was late before its view, it would be replaced before its first block. What it
   * has proposed is committed with its blocks.
   */
  private leavesOut({ unproposedSinceMs }: Sight, viewTimeoutMs: number): boolean {
    if (unproposedSinceMs === null) return false;
    const sinceMs = Math.max(unproposedSinceMs, this.viewSinceMs);
    return this.roomyAtMs - sinceMs > CENSORED_TIMEOUTS * viewTimeoutMs;
  }

  private sight(nowMs: number, isUnderWay: boolean, isUnproposed: (entry: PoolEntry) => boolean): Sight {
    const { pool } = this.config;
    const [unproposed] = pool.pending(isUnproposed, 1);
    return {
      nowMs,
      oldestSinceMs: pool.oldest()?.sinceMs ?? null,
      unproposedSinceMs: unproposed === undefined ? null : (pool.get(unproposed)?.sinceMs ?? null),
      isUnderWay,
    };
  }
}

/** The others are reminded of a transaction when it has waited for one view timeout, two, four, eight, … */
function reminders(ageMs: number, viewTimeoutMs: number): number {
  return ageMs < viewTimeoutMs ? 0 : 1 + Math.floor(Math.log2(ageMs / viewTimeoutMs));
}
