import type { PeerId } from '../../ports/transport.ts';
import type { PoolLimits } from './limits.ts';
import type { PoolEntry } from './mempool.ts';

/** Gossiped wrappers that wait for their checks, taken a few a turn, so that votes do not wait behind a burst. */
export class Inbox {
  private readonly waiting: { readonly from: PeerId; readonly entry: PoolEntry }[] = [];
  private bytes = 0;
  private scheduled = false;
  private stopped = false;

  constructor(
    private readonly limits: PoolLimits,
    private readonly check: (from: PeerId, entry: PoolEntry) => void,
  ) {}

  /** Drops the entry when the inbox is full: a proposal that names it makes it be fetched. */
  add(from: PeerId, entry: PoolEntry): void {
    const { inboxTransactionsMax, inboxBytesMax } = this.limits;
    const size = entry.transaction.bytes;
    if (this.waiting.length >= inboxTransactionsMax || this.bytes + size > inboxBytesMax) return;
    this.waiting.push({ from, entry });
    this.bytes += size;
    this.schedule();
  }

  /** Checks everything that waits now. */
  drain(): void {
    this.take(this.waiting.length);
  }

  stop(): void {
    this.stopped = true;
    this.waiting.length = 0;
  }

  private schedule(): void {
    if (this.scheduled || this.waiting.length === 0 || this.stopped) return;
    this.scheduled = true;
    setImmediate(() => {
      this.scheduled = false;
      this.take(this.limits.checksPerTurn);
      this.schedule();
    });
  }

  private take(count: number): void {
    for (const { from, entry } of this.waiting.splice(0, count)) {
      this.bytes -= entry.transaction.bytes;
      this.check(from, entry);
    }
  }
}
