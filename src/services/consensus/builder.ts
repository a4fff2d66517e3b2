import type { Effect } from '../../core/pbft/effect.ts';
import type { Clock } from '../../ports/clock.ts';
import type { TakeLimits } from '../pool/mempool.ts';
import type { Pool } from '../pool/pool.ts';
import type { ChainReader } from './chain-reader.ts';
import type { Base, Executor, Overlay } from './executor.ts';

type Build = Extract<Effect, { type: 'build' }>;

export interface BuilderConfig {
  readonly chain: ChainReader;
  readonly pool: Pool;
  readonly executor: Executor;
  readonly clock: Clock;
  readonly batchTransactionsMin: number;
  /** The block was executed; its bodies are not durable yet. */
  built(build: Build, overlay: Overlay): void;
  /** There is nothing to build from. */
  empty(build: Build): void;
}

/**
 * Fills the primary's proposals. With nothing in flight it proposes at once; with blocks in flight it waits for a full
 * batch or for the next commit, so that load makes blocks larger and not more (SCENARIOS 3).
 */
export class Builder {
  private wanted: Build | null = null;

  constructor(private readonly config: BuilderConfig) {}

  /** A newer request replaces one that still waits: the engine has left that view. */
  request(build: Build): void {
    this.wanted = build;
    this.reconsider();
  }

  cancel(): void {
    this.wanted = null;
  }

  /** After a commit, and when a transaction came in. */
  reconsider(): void {
    const build = this.wanted;
    if (build === null) return;
    const base = this.config.executor.base(build.parentHash);
    if (base === null || !this.isTime(base)) return;
    this.wanted = null;
    const overlay = this.fill(base);
    if (overlay === null) this.config.empty(build);
    else this.config.built(build, overlay);
  }

  private isTime(base: Base): boolean {
    if (base.inFlight.length === 0) return true;
    const { pool, batchTransactionsMin } = this.config;
    const inFlight = base.inFlight.reduce((sum, overlay) => sum + overlay.ids.size, 0);
    const waiting = pool.size - inFlight;
    return waiting <= 0 || waiting >= Math.min(batchTransactionsMin, base.parameters.blockTransactionsMax);
  }

  private fill(base: Base): Overlay | null {
    const { pool, executor, clock } = this.config;
    const height = base.header.height + 1;
    const taken = pool.take(takeLimits(base), id => base.inFlight.some(overlay => overlay.ids.has(id)));
    const entries = taken.filter(entry => entry.transaction.body.lastValidHeight >= height);
    if (entries.length === 0) return null;
    const timeMs = Math.max(clock.nowMs(), base.header.timeMs + 1);
    return executor.build(base, timeMs, entries, (id, reason) => pool.dismiss(id, reason));
  }
}

function takeLimits({ parameters }: Base): TakeLimits {
  return {
    transactionsMax: parameters.blockTransactionsMax,
    bytesMax: parameters.blockBytesMax,
    memberTransactionsMax: parameters.memberTransactionsPerBlockMax,
    memberBytesMax: parameters.memberBytesPerBlockMax,
  };
}
