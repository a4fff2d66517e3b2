import { assert } from '../../core/base/assert.ts';
import type { LogId } from '../../core/base/ids.ts';
import { isReject } from '../../core/base/reject.ts';
import { decodeBody, decodeSignedTransaction } from '../../core/codec/transaction.ts';
import type { ChainStore, ServedSnapshots } from '../../ports/chain-store.ts';
import { OperatingError } from '../../ports/lifecycle.ts';

/** Blocks that lose their transactions in one write. */
const BLOCKS_PER_WRITE = 64;

export interface PrunerConfig {
  readonly store: ChainStore;
  readonly served: Pick<ServedSnapshots, 'heights'>;
  /** Blocks below the head that keep their transactions. Infinity keeps all. */
  readonly keepBlocks: number;
  readonly systemLog: () => LogId;
  fail(error: unknown): void;
}

/**
 * Deletes the transactions of old blocks in the background. Blocks, leaves and set changes stay, and so do the transactions of
 * the system log: every light node reads that log from its beginning.
 */
export class Pruner {
  private running: Promise<void> | null = null;
  private stopped = false;

  constructor(private readonly config: PrunerConfig) {}

  /** After each commit. */
  onCommitted(height: number): void {
    const { store, served, keepBlocks } = this.config;
    // whoever has taken the oldest snapshot goes on with the blocks after it; without one, whoever is new needs them all
    const oldest = served.heights().at(-1) ?? 0;
    const below = Math.min(height - keepBlocks, oldest) + 1;
    if (this.running !== null || this.stopped || store.history.bodiesFrom >= below) return;
    this.running = this.prune(below)
      .catch(error => this.config.fail(error))
      .finally(() => {
        this.running = null;
      });
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.running;
  }

  /** Resolves when nothing is being deleted. */
  async idle(): Promise<void> {
    await this.running;
  }

  private async prune(below: number): Promise<void> {
    const { store, systemLog } = this.config;
    const logId = systemLog();
    try {
      while (!this.stopped && store.history.bodiesFrom < below) {
        await store.prune(below, BLOCKS_PER_WRITE, wrapper => namesLog(wrapper, logId));
      }
    } catch (error) {
      // what has rotted is being fetched again (SCENARIOS 68); the next commit goes on
      if (!(error instanceof OperatingError) || error.code !== 'corrupt') throw error;
    }
  }
}

function namesLog(wrapper: Uint8Array, logId: LogId): boolean {
  const signed = decodeSignedTransaction(wrapper);
  const body = isReject(signed) ? signed : decodeBody(signed.body);
  assert(!isReject(body), 'a stored wrapper decodes');
  return body.scopes.includes(logId);
}
