import type { BlockHash } from '../../core/base/ids.ts';
import { isReject, type Reject, reject } from '../../core/base/reject.ts';
import type { Effect } from '../../core/pbft/effect.ts';
import type { ValidatorSet } from '../../core/types/chain.ts';
import type { Clock } from '../../ports/clock.ts';
import type { PoolEntry } from '../pool/mempool.ts';
import type { Pool } from '../pool/pool.ts';
import type { ChainReader } from './chain-reader.ts';
import { type Executor, entriesOf, wrapperOf } from './executor.ts';

type Execute = Extract<Effect, { type: 'execute' }>;

export interface ExecutionsConfig {
  readonly chain: ChainReader;
  readonly pool: Pool;
  readonly executor: Executor;
  readonly clock: Clock;
  readonly bodiesRetryMs: number;
  executed(effect: Execute, verdict: Reject | null, nextSet: ValidatorSet | null): void;
  fail(error: unknown): void;
}

/** Performs `execute`: gets the bodies however long that takes, executes while they are stored, answers. */
export class Executions {
  private readonly running = new Map<number, { readonly effect: Execute; readonly abort: AbortController }>();

  constructor(private readonly config: ExecutionsConfig) {}

  start(effect: Execute): void {
    const abort = new AbortController();
    this.running.set(effect.executionId, { effect, abort });
    this.run(effect, abort.signal)
      .catch(error => this.config.fail(error))
      .finally(() => this.running.delete(effect.executionId));
  }

  /** Gives up what the engine no longer wants. */
  discard(hashes: readonly BlockHash[]): void {
    for (const { effect, abort } of this.running.values()) {
      if (hashes.includes(effect.blockHash)) abort.abort();
    }
  }

  stop(): void {
    for (const { abort } of this.running.values()) abort.abort();
  }

  private async run(effect: Execute, signal: AbortSignal): Promise<void> {
    const { block, blockHash } = effect;
    if (this.isOvertaken(effect)) return;
    const early = this.checkClock(effect);
    if (early !== null) return this.config.executed(effect, early, null);
    const entries = await this.collect(effect, signal);
    if (entries === null || this.isOvertaken(effect)) return;
    const { executor, chain } = this.config;
    // The disk writes while the block is executed. The answer waits for both: whoever hears of it may vote.
    const stored = chain.store.putAhead(entries.map(wrapperOf));
    const overlay = executor.execute(block, blockHash, entries);
    await stored;
    if (signal.aborted || this.isOvertaken(effect)) return;
    if (isReject(overlay)) this.config.executed(effect, overlay, null);
    else this.config.executed(effect, null, overlay.nextSet);
  }

  /**
   * State transfer has committed the height meanwhile, or another block than the one below: the engine hears of that when the
   * transfer is over, and any answer now could contradict what it knows.
   */
  private isOvertaken({ block: { header } }: Execute): boolean {
    const { chain, executor } = this.config;
    return header.height <= chain.headHeight() || executor.inFlightTo(header.parentHash) === null;
  }

  private checkClock({ block, checkClock }: Execute): Reject | null {
    const { chain, clock } = this.config;
    const aheadMs = block.header.timeMs - clock.nowMs() - chain.parameters().clockDriftMsMax;
    return checkClock && aheadMs > 0 ? reject('time_ahead', `${aheadMs} ms`, 'ignore') : null;
  }

  /** Null when the work was given up. */
  private async collect(effect: Execute, signal: AbortSignal): Promise<PoolEntry[] | null> {
    const { pool, chain } = this.config;
    while (!signal.aborted) {
      const others = chain.connectedValidators().filter(peer => peer !== effect.proposerPeerId);
      const connected = chain.connectedValidators().includes(effect.proposerPeerId);
      const sources = connected ? [effect.proposerPeerId, ...others] : others;
      const found = await pool.collect(effect.block.entries, sources, signal);
      if (signal.aborted) return null;
      if (!found.includes(null)) return entriesOf(found);
      await this.rest(signal);
    }
    return null;
  }

  private rest(signal: AbortSignal): Promise<void> {
    return new Promise(resolve => {
      const end = () => {
        timer.cancel();
        signal.removeEventListener('abort', end);
        resolve();
      };
      const timer = this.config.clock.setTimer(this.config.bodiesRetryMs, end);
      signal.addEventListener('abort', end);
    });
  }
}
