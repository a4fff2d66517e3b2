import type { BlockHash } from '../../core/base/ids.ts';
import { outcomeName } from '../../core/types/outcome.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Metrics } from '../../ports/metrics.ts';
import type { Committed } from './committer.ts';

export interface ConsensusCounters {
  blocks: number;
  transactions: number;
  messagesIn: number;
  messagesOut: number;
  views: number;
  evidence: number;
}

/** What this node counts of its consensus: since its start as numbers, and for the operator as metrics. */
export class Meter {
  readonly counters: ConsensusCounters = {
    blocks: 0,
    transactions: 0,
    messagesIn: 0,
    messagesOut: 0,
    views: 0,
    evidence: 0,
  };
  /** Blocks in flight: when this node began to execute them, in monotonic milliseconds. */
  private readonly proposed = new Map<BlockHash, { readonly height: number; readonly atMs: number }>();

  constructor(
    private readonly metrics: Metrics,
    private readonly clock: Clock,
  ) {}

  began(hash: BlockHash, height: number): void {
    if (!this.proposed.has(hash)) this.proposed.set(hash, { height, atMs: this.clock.monotonicMs() });
  }

  gaveUp(hashes: readonly BlockHash[]): void {
    for (const hash of hashes) this.proposed.delete(hash);
  }

  committed({ stored }: Committed): void {
    const { header, entries } = stored.block;
    this.counters.blocks += 1;
    this.counters.transactions += entries.length;
    this.metrics.count('phaseline_blocks_committed_total');
    const byOutcome = new Map<number, number>();
    for (const { outcome } of entries) byOutcome.set(outcome, (byOutcome.get(outcome) ?? 0) + 1);
    for (const [outcome, count] of byOutcome) {
      const labels = { outcome: outcomeName(outcome) ?? String(outcome) };
      this.metrics.count('phaseline_transactions_committed_total', labels, count);
    }
    const began = this.proposed.get(stored.hash);
    if (began !== undefined) this.observe('phaseline_commit_seconds', began.atMs);
    for (const [hash, { height }] of this.proposed) if (height <= header.height) this.proposed.delete(hash);
  }

  viewChanged(): void {
    this.counters.views += 1;
    this.metrics.count('phaseline_view_changes_total');
  }

  async flushed<T>(flush: Promise<T>): Promise<T> {
    const startMs = this.clock.monotonicMs();
    const result = await flush;
    this.observe('phaseline_wal_flush_seconds', startMs);
    return result;
  }

  private observe(name: string, sinceMs: number): void {
    this.metrics.observe(name, (this.clock.monotonicMs() - sinceMs) / 1000);
  }
}
