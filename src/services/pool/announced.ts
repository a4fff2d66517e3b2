import type { TransactionId } from '../../core/base/ids.ts';
import type { PeerId } from '../../ports/transport.ts';
import { POOL_WIRE_LIMITS, type PoolReference } from '../../wire/pool.ts';
import type { PoolEntry } from './mempool.ts';

export interface AnnouncedWork {
  isMissing(id: TransactionId): boolean;
  fetch(references: readonly PoolReference[], from: PeerId): Promise<Iterable<PoolEntry>>;
  found(from: PeerId, entry: PoolEntry): void;
}

/** Announced ids that are still to be fetched, by peer: one fetch at a time each, bounded like the pool. */
export class Announced {
  private readonly queues = new Map<PeerId, TransactionId[]>();
  private stopped = false;

  /** @param idsMax ids of one peer that wait */
  constructor(
    private readonly idsMax: number,
    private readonly work: AnnouncedWork,
  ) {}

  stop(): void {
    this.stopped = true;
  }

  async fetch(from: PeerId, ids: readonly TransactionId[]): Promise<void> {
    const waiting = this.queues.get(from);
    if (waiting !== undefined) {
      waiting.push(...ids.slice(0, Math.max(0, this.idsMax - waiting.length)));
      return;
    }
    const queue = [...ids];
    this.queues.set(from, queue);
    try {
      while (queue.length > 0 && !this.stopped) {
        const chunk = queue
          .splice(0, POOL_WIRE_LIMITS.referencesPerFetch)
          .filter(id => this.work.isMissing(id));
        const references: PoolReference[] = chunk.map(id => ({ id, wrapperHash: null }));
        if (references.length === 0) continue;
        for (const entry of await this.work.fetch(references, from)) this.work.found(from, entry);
      }
    } finally {
      this.queues.delete(from);
    }
  }
}
