import type { TransactionId } from '../../core/base/ids.ts';
import type { Clock } from '../../ports/clock.ts';
import type { PeerId } from '../../ports/transport.ts';
import type { PoolLimits } from './limits.ts';
import type { PoolEntry } from './mempool.ts';

export interface InboxChecks {
  /** Starts on another thread what `check` would take long for; null when there is nothing to wait for. */
  ahead(entry: PoolEntry): Promise<void> | null;
  check(from: PeerId, entry: PoolEntry): void;
}

/**
 * Gossiped wrappers that wait for their checks, taken a few a turn, so that votes do not wait behind a burst; in the order in
 * which they came.
 */
export class Inbox {
  private readonly waiting: { readonly from: PeerId; readonly entry: PoolEntry }[] = [];
  private readonly ids = new Map<TransactionId, number>();
  private bytes = 0;
  /** How many have been checked. */
  private checked = 0;
  private scheduled = false;
  private stopped = false;
  /** The first ones, while they are verified on other threads. */
  private verifying: Promise<void> | null = null;

  constructor(
    private readonly limits: PoolLimits,
    private readonly clock: Clock,
    private readonly checks: InboxChecks,
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

  /** Resolves when everything that waits now was checked. */
  async drain(): Promise<void> {
    const goal = this.checked + this.waiting.length;
    while (this.checked < goal && !this.stopped) {
      const verifying = this.turn();
      if (verifying !== null) await verifying;
    }
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
    this.clock.defer(async () => {
      const verifying = this.turn();
      if (verifying !== null) await verifying;
      this.scheduled = false;
      this.schedule();
    });
  }

  /** Checks the first few; null when that is done. */
  private turn(): Promise<void> | null {
    if (this.verifying !== null) return this.verifying;
    const first = this.waiting.slice(0, this.limits.checksPerTurn);
    const ahead = first.map(({ entry }) => this.checks.ahead(entry)).filter(verified => verified !== null);
    if (ahead.length === 0) {
      this.take(first.length);
      return null;
    }
    this.verifying = Promise.all(ahead).then(() => {
      this.verifying = null;
      this.take(first.length);
    });
    return this.verifying;
  }

  private take(count: number): void {
    for (const { from, entry } of this.waiting.splice(0, count)) {
      const { id, bytes } = entry.transaction;
      this.checked += 1;
      this.bytes -= bytes;
      const left = (this.ids.get(id) ?? 1) - 1;
      if (left === 0) this.ids.delete(id);
      else this.ids.set(id, left);
      this.checks.check(from, entry);
    }
  }
}
