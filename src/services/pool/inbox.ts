import type { TransactionId } from '../../core/base/ids.ts';
import type { Clock } from '../../ports/clock.ts';
import type { PeerId } from '../../ports/transport.ts';
import type { PoolLimits } from './limits.ts';
import type { PoolEntry } from './mempool.ts';

/** Gossiped wrappers that wait for their checks, taken a few a turn, so that votes do not wait behind a burst. */
export class Inbox {
  private readonly waiting: { readonly from: PeerId; readonly entry: PoolEntry }[] = [];
  private readonly ids = new Map<TransactionId, number>();
  private bytes = 0;
  private scheduled = false;
  private stopped = false;

  constructor(
    private readonly limits: PoolLimits,
    private readonly clock: Clock,
    private readonly check: (from: PeerId, entry: PoolEntry) => void,
  ) {}

  /** Drops the entry when the inbox is full: a proposal that names it makes it be fetched. */
  add(from: PeerId, entry: PoolEntry): void {
    const { inboxTransactionsMax, inboxBytesMax } = this.limits;
    const size = entry.transaction.bytes;
    if (this.waiting.length >= inboxTransactionsMax || this.bytes + size > inboxBytesMax) return;
    this.waiting.push({ from, entry });
    this.bytes += size;
    const { id } = entry.transaction;
    this.ids.set(id, (this.ids.get(id) ?? 0) + 1);
    this.schedule();
  }

  /** Checks everything that waits now. */
  drain(): void {
    this.take(this.waiting.length);
  }

  /** True while a wrapper of this id waits. */
  has(id: TransactionId): boolean {
    return this.ids.has(id);
  }

  stop(): void {
    this.stopped = true;
    this.ids.clear();
    this.waiting.length = 0;
  }

  private schedule(): void {
    if (this.scheduled || this.waiting.length === 0 || this.stopped) return;
    this.scheduled = true;
    this.clock.defer(() => {
      this.scheduled = false;
      this.take(this.limits.checksPerTurn);
      this.schedule();
    });
  }

  private take(count: number): void {
    for (const { from, entry } of this.waiting.splice(0, count)) {
      const { id, bytes } = entry.transaction;
      this.bytes -= bytes;
      const left = (this.ids.get(id) ?? 1) - 1;
      if (left === 0) this.ids.delete(id);
      else this.ids.set(id, left);
      this.check(from, entry);
    }
  }
}
