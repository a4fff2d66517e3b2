import type { MemberId, TransactionId } from '../../core/base/ids.ts';
import { type Reject, reject } from '../../core/base/reject.ts';
import type { Transaction } from '../../core/types/transaction.ts';
import type { PoolLimits } from './limits.ts';

export interface PoolEntry {
  readonly transaction: Transaction;
  /** The encoded wrapper. */
  readonly bytes: Uint8Array;
  /** Monotonic milliseconds at which it came in. */
  readonly sinceMs: number;
}

/** What one block may hold, and one member's part of it. */
export interface TakeLimits {
  readonly transactionsMax: number;
  readonly bytesMax: number;
  readonly memberTransactionsMax: number;
  readonly memberBytesMax: number;
}

interface MemberQueue {
  readonly entries: Map<TransactionId, PoolEntry>;
  bytes: number;
}

/** The bounded set of pending transactions, in order of arrival for each member. No IO, no clock. */
export class Mempool {
  private readonly byId = new Map<TransactionId, PoolEntry>();
  private readonly members = new Map<MemberId, MemberQueue>();
  private readonly byExpiry = new Map<number, Set<TransactionId>>();
  private total = 0;
  /** The member whose turn it is to be first in the next proposal. */
  private turn = 0;

  constructor(private readonly limits: PoolLimits) {}

  get size(): number {
    return this.byId.size;
  }

  get bytes(): number {
    return this.total;
  }

  get(id: TransactionId): PoolEntry | null {
    return this.byId.get(id) ?? null;
  }

  ids(): TransactionId[] {
    return [...this.byId.keys()];
  }

  /** In order of arrival over all members. */
  select(select: (entry: PoolEntry) => boolean, idsMax: number): TransactionId[] {
    const ids: TransactionId[] = [];
    for (const entry of this.byId.values()) {
      if (ids.length >= idsMax) break;
      if (select(entry)) ids.push(entry.transaction.id);
    }
    return ids;
  }

  /** Members of whom some entry is selected. */
  senders(select: (entry: PoolEntry) => boolean): Set<MemberId> {
    const senders = new Set<MemberId>();
    for (const [member, { entries }] of this.members) {
      for (const entry of entries.values()) {
        if (!select(entry)) continue;
        senders.add(member);
        break;
      }
    }
    return senders;
  }

  /** The longest waiting entry. */
  oldest(): PoolEntry | null {
    for (const entry of this.byId.values()) return entry;
    return null;
  }

  checkRoom(transaction: Transaction): Reject | null {
    const { limits } = this;
    const queue = this.members.get(transaction.body.sender);
    if (this.byId.size >= limits.transactionsMax || this.total + transaction.bytes > limits.bytesMax) {
      return reject('pool_full', `${this.byId.size} transactions, ${this.total} bytes wait`, 'ignore');
    }
    const bytes = (queue?.bytes ?? 0) + transaction.bytes;
    if ((queue?.entries.size ?? 0) >= limits.memberTransactionsMax || bytes > limits.memberBytesMax) {
      const { sender } = transaction.body;
      return reject('pool_full', `${queue?.entries.size ?? 0} transactions of ${sender} wait`, 'ignore');
    }
    return null;
  }

  /** The caller has asked `checkRoom`, or returns what the pool held before. False when the id is there already. */
  add(entry: PoolEntry): boolean {
    const { transaction } = entry;
    const { id, body } = transaction;
    if (this.byId.has(id)) return false;
    let queue = this.members.get(body.sender);
    if (queue === undefined) {
      queue = { entries: new Map(), bytes: 0 };
      this.members.set(body.sender, queue);
    }
    let expiring = this.byExpiry.get(body.lastValidHeight);
    if (expiring === undefined) {
      expiring = new Set();
      this.byExpiry.set(body.lastValidHeight, expiring);
    }
    this.byId.set(id, entry);
    queue.entries.set(id, entry);
    queue.bytes += transaction.bytes;
    this.total += transaction.bytes;
    expiring.add(id);
    return true;
  }

  remove(id: TransactionId): PoolEntry | null {
    const entry = this.byId.get(id);
    if (entry === undefined) return null;
    const { transaction } = entry;
    const { sender, lastValidHeight } = transaction.body;
    const queue = this.members.get(sender) as MemberQueue;
    const expiring = this.byExpiry.get(lastValidHeight) as Set<TransactionId>;
    this.byId.delete(id);
    queue.entries.delete(id);
    queue.bytes -= transaction.bytes;
    this.total -= transaction.bytes;
    expiring.delete(id);
    if (queue.entries.size === 0) this.members.delete(sender);
    if (expiring.size === 0) this.byExpiry.delete(lastValidHeight);
    return entry;
  }

  /** Removes what no block above `height` may contain. */
  expire(height: number): PoolEntry[] {
    const expired: PoolEntry[] = [];
    for (const [lastValidHeight, ids] of this.byExpiry) {
      if (lastValidHeight > height) continue;
      for (const id of [...ids]) expired.push(this.remove(id) as PoolEntry);
    }
    return expired;
  }

  /**
   * Chooses transactions for a proposal, one of each member in turn, so that a member with many waiting does not push
   * out the others. Nothing is removed: that happens at commit.
   *
   * @param skip tells which ids are in blocks that are still in flight
   */
  take(limits: TakeLimits, skip: (id: TransactionId) => boolean): PoolEntry[] {
    const names = [...this.members.keys()];
    if (names.length === 0) return [];
    this.turn = (this.turn + 1) % names.length;
    let lanes = [...names.slice(this.turn), ...names.slice(0, this.turn)].map(name => ({
      waiting: (this.members.get(name) as MemberQueue).entries.values(),
      count: 0,
      bytes: 0,
    }));
    const taken: PoolEntry[] = [];
    let bytes = 0;
    while (lanes.length > 0) {
      const open: typeof lanes = [];
      for (const lane of lanes) {
        if (taken.length >= limits.transactionsMax) return taken;
        const entry = nextOf(lane.waiting, skip);
        if (entry === null) continue;
        const size = entry.transaction.bytes;
        // A member's lane closes at the first that does not fit, so that its order is kept.
        if (lane.bytes + size > limits.memberBytesMax || bytes + size > limits.bytesMax) continue;
        lane.count += 1;
        lane.bytes += size;
        bytes += size;
        taken.push(entry);
        if (lane.count < limits.memberTransactionsMax) open.push(lane);
      }
      lanes = open;
    }
    return taken;
  }
}

function nextOf(waiting: Iterator<PoolEntry>, skip: (id: TransactionId) => boolean): PoolEntry | null {
  for (let next = waiting.next(); !next.done; next = waiting.next()) {
    if (!skip(next.value.transaction.id)) return next.value;
  }
  return null;
}
