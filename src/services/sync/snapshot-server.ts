import { assertDefined } from '../../core/base/assert.ts';
import type { LogId, Suite } from '../../core/base/ids.ts';
import { type Reject, reject } from '../../core/base/reject.ts';
import { logIdOf } from '../../core/codec/transaction.ts';
import type { CertifiedBlock, SnapshotChunk, SnapshotRequest } from '../../core/snapshot/chunks.ts';
import { cutBlocks, cutLeaves } from '../../core/snapshot/serve.ts';
import type { ChainStore, ServedSnapshots } from '../../ports/chain-store.ts';
import type { Clock } from '../../ports/clock.ts';
import { type SnapshotOffer, SYNC_WIRE_LIMITS } from '../../wire/sync.ts';
import { SubtreeCache } from '../light-server/subtree-cache.ts';
import type { SyncLimits } from './limits.ts';

export interface SnapshotServerConfig {
  readonly store: ChainStore;
  readonly served: ServedSnapshots;
  readonly suite: Suite;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly limits: Pick<SyncLimits, 'snapshotPeriodMs' | 'answerBytesTarget' | 'subtreesKept'>;
}

/** Takes a snapshot now and then, and answers questions for parts of one. */
export class SnapshotServer {
  private readonly subtrees: SubtreeCache;
  private takenMs: number;

  constructor(private readonly config: SnapshotServerConfig) {
    this.takenMs = config.clock.monotonicMs();
    this.subtrees = new SubtreeCache(config.limits.subtreesKept);
  }

  /**
   * After each commit, before the next. The first block of a period is taken, by the blocks' own times: so every node has
   * snapshots of the same heights, and a fetcher asks several of them at once.
   * @param catchesUp then many periods pass in a moment: at most two a period are taken by the clock of this node. It must
   * not be none, for one whose sources are silent, or lie about their heads, catches up for ever
   */
  onCommitted(height: number, catchesUp: boolean): void {
    const { store, served, limits, clock } = this.config;
    const nowMs = clock.monotonicMs();
    // half a period: a whole one would now and then be missed by a moment
    if (catchesUp && nowMs < this.takenMs + limits.snapshotPeriodMs / 2) return;
    const block = store.block(height);
    const parent = store.block(height - 1);
    if (block === null || parent === null) return;
    const period = (timeMs: number) => Math.floor(timeMs / limits.snapshotPeriodMs);
    const isFirst = period(block.block.header.timeMs) > period(parent.block.header.timeMs);
    // a state that is built anew has had these heights before
    if (!isFirst || height <= (served.heights()[0] ?? 0)) return;
    served.take();
    this.takenMs = nowMs;
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

  /** The newest snapshot above the asker's head, with the set changes on the way. */
  async offer(knownHeight: number): Promise<SnapshotOffer> {
    const { store, served } = this.config;
    const height = served.heights()[0] ?? 0;
    const stored = height > knownHeight ? store.block(height) : null;
    if (stored === null || stored.certificate === null) {
      return { snapshotHeight: 0, changes: [], certified: null };
    }
    const most = SYNC_WIRE_LIMITS.setChangesPerOffer;
    const found = await store.setChanges(knownHeight, height, most + 1);
    const changes = found.slice(0, most);
    const isCut = found.length > changes.length;
    const certified = isCut
      ? changes.at(-1)!.certified
      : { header: stored.block.header, certificate: stored.certificate };
    return { snapshotHeight: height, changes, certified };
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
