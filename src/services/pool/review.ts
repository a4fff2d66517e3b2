import type { TransactionId } from '../../core/base/ids.ts';
import type { Reject } from '../../core/base/reject.ts';
import type { Mempool } from './mempool.ts';
import type { PoolChain } from './pool.ts';

/**
 * A block that changes members or parameters can make waiting transactions impossible: their key was replaced, their sender
 * revoked. Whoever kept them would wait for them for ever where no further block lets them expire, and change one view after
 * the other meanwhile.
 */
export class Review {
  /** Part of the system state, so another object whenever that changes. */
  private judgedUnder: object | null = null;

  constructor(private readonly chain: PoolChain) {}

  /** Once after each change of the system state: what no block can contain any more. */
  refused(mempool: Mempool): { readonly id: TransactionId; readonly reason: Reject }[] {
    const parameters = this.chain.parameters();
    const isNew = this.judgedUnder !== parameters;
    this.judgedUnder = parameters;
    if (!isNew) return [];
    return mempool.ids().flatMap(id => {
      const entry = mempool.get(id);
      const reason = entry === null ? null : this.chain.checkAdmission(entry.transaction);
      // what is too far ahead has only to wait
      return reason === null || reason.reject === 'too_far_ahead' ? [] : [{ id, reason }];
    });
  }
}
