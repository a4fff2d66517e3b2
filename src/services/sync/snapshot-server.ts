import { assertDefined } from '../../core/base/assert.ts';
import type { LogId, Suite } from '../../core/base/ids.ts';
import { type Reject, reject } from '../../core/base/reject.ts';
import { logIdOf } from '../../core/codec/transaction.ts';
import type { CertifiedBlock, SnapshotChunk, SnapshotRequest } from '../../core/snapshot/chunks.ts';
import { cutBlocks, cutLeaves } from '../../core/snapshot/serve.ts';
import type { ChainStore, ServedSnapshots } from '../../ports/chain-store.ts';
import { SubtreeCache } from '../light-server/subtree-cache.ts';
import type { SyncLimits } from './limits.ts';

export interface SnapshotServerConfig {
  readonly store: ChainStore;
  readonly served: ServedSnapshots;
  readonly suite: Suite;
  readonly limits: Pick<SyncLimits, 'snapshotPeriodMs' | 'answerBytesTarget' | 'subtreesKept'>;
}

/** Takes a snapshot now and then, and answers questions for parts of one. */
export class SnapshotServer {
  private readonly subtrees: SubtreeCache;

  constructor(private readonly config: SnapshotServerConfig) {
    this.subtrees = new SubtreeCache(config.limits.subtreesKept);
  }

  /**
   * After each commit, before the next. The first block of a period is taken, by the blocks' own times: so every node has
   * snapshots of the same heights, and a fetcher asks several of them at once.
   */
  onCommitted(height: number): void {
    const { store, served, limits } = this.config;
    const block = store.block(height);
    const parent = store.block(height - 1);
    if (block === null || parent === null) return;
    const period = (timeMs: number) => Math.floor(timeMs / limits.snapshotPeriodMs);
    if (period(block.block.header.timeMs) > period(parent.block.header.timeMs)) served.take();
  }

  /** @returns `gone` when what was asked for is not here, or not any more */
  async answer(request: SnapshotRequest): Promise<SnapshotChunk | Reject> {
    const { store, served, suite, limits } = this.config;
    const gone = reject('gone', request.kind, 'ignore');
    const bytesMax = limits.answerBytesTarget;
    if (request.kind === 'scopes') {
      const chunk = await served.scopes(request.height, request.after, bytesMax);
      return chunk === null ? gone : { kind: 'scopes', ...chunk };
    }
    if (request.kind === 'leaves') {
      const memory = (logId: LogId) => this.subtrees.of(logId);
      const parts = cutLeaves(suite.sha256, store, this.systemLog(), request.segments, bytesMax, memory);
      return parts === null ? gone : { kind: 'leaves', parts };
    }
    const blocks = cutBlocks(height => this.block(height), request.from, request.to, bytesMax);
    return blocks.length === 0 ? gone : { kind: 'blocks', blocks };
  }

  private systemLog(): LogId {
    const { chainId } = assertDefined(this.config.store.head(), 'the chain has genesis').block.header;
    return logIdOf(this.config.suite.sha256, chainId, 'system', chainId);
  }

  private block(height: number): CertifiedBlock | null {
    const stored = this.config.store.block(height);
    return stored?.certificate ? { block: stored.block, certificate: stored.certificate } : null;
  }
}
