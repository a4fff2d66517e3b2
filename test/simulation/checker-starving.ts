import type { TransactionId } from '../../src/core/base/ids.ts';
import type { Pool } from '../../src/services/pool/pool.ts';

interface Waiting {
  readonly lastValidHeight: number;
  /** When all held it. */
  readonly height: number;
  readonly sinceMs: number;
  /** Transactions that waited at one node then. */
  readonly ahead: number;
}

/** An honest node that stays up. */
export interface Holder {
  readonly name: string;
  readonly program: { readonly pool: Pick<Pool, 'get' | 'dismissal' | 'size'> } | null;
}

/** How long one may wait that is held by all. */
export interface Patience {
  readonly blocks: number;
  /** Besides, for each that waits with it. */
  readonly blocksEach: number;
  readonly ms: number;
}

/**
 * After healing, a transaction that all honest nodes hold is committed before it expires, if it has time for that. One that no block
 * may contain any more for another reason is dismissed with that reason by whoever holds it.
 */
export class StarvingRules {
  private readonly waiting = new Map<TransactionId, Waiting>();

  constructor(
    private readonly patience: Patience,
    private readonly isExecuted: (id: TransactionId) => boolean,
    private readonly fail: (what: string) => never,
  ) {}

  /** @param open transactions that were submitted, each with its last valid height */
  look(
    now: { readonly height: number; readonly ms: number },
    open: Iterable<readonly [TransactionId, number]>,
    holders: readonly Holder[],
  ): void {
    if (holders.length === 0) return;
    for (const [id, lastValidHeight] of open) {
      if (this.waiting.has(id) || !holders.every(({ program }) => program?.pool.get(id) != null)) continue;
      const ahead = Math.max(0, ...holders.map(({ program }) => program?.pool.size ?? 0));
      this.waiting.set(id, { lastValidHeight, height: now.height, sinceMs: now.ms, ahead });
    }
    for (const [id, entry] of this.waiting) {
      if (this.isExecuted(id)) this.waiting.delete(id);
      else if (entry.lastValidHeight <= now.height) this.over(id, entry, now.ms, holders);
    }
  }

  /** Its last valid height is committed, without it. */
  private over(id: TransactionId, entry: Waiting, nowMs: number, holders: readonly Holder[]): void {
    const { lastValidHeight, height, sinceMs, ahead } = entry;
    const reasons = holders.map(({ program }) => program?.pool.dismissal(id)?.reject);
    // Some may not have the block yet.
    if (!reasons.includes('expired') && holders.some(({ program }) => program?.pool.get(id) != null)) return;
    this.waiting.delete(id);
    if (!reasons.includes('expired')) return;
    const { blocks, blocksEach, ms } = this.patience;
    const [waited, waitedMs] = [lastValidHeight - height, nowMs - sinceMs];
    if (waited >= blocks + blocksEach * ahead && waitedMs >= ms)
      this.fail(
        `${id} waited everywhere with ${ahead} others for ${waited} blocks, ${waitedMs} ms, and expired`,
      );
  }
}
