import type { Hash, LogId, PhaseId, ProjectId, TransactionId } from '../../core/base/ids.ts';
import type { Reject } from '../../core/base/reject.ts';
import type { PhaseState, ProjectState, SystemState } from '../../core/types/state.ts';
import type { Leaf, SignedTransaction, Transaction } from '../../core/types/transaction.ts';

/** One verified leaf with its transaction, which has the parts of this log's scope and no others. */
export interface LogItem {
  readonly leaf: Leaf;
  readonly transaction: Transaction;
}

/**
 * The lowest position of a log that is held and verified, and the end of the highest. `from` is above 0 where a grant starts
 * later; a member that was removed and added again may lack the time between, and `items` then leaves that out.
 */
export interface HeldRange {
  readonly from: number;
  readonly to: number;
}

/**
 * How a submitted transaction ended (DESIGN.md section 4): in a block with an outcome of `OUTCOMES`, expired before a
 * block took it, or turned away at admission.
 */
export type SubmitResult =
  | { readonly id: TransactionId; readonly end: 'block'; readonly outcome: number; readonly height: number }
  | { readonly id: TransactionId; readonly end: 'expired' }
  | { readonly id: TransactionId; readonly end: 'invalid'; readonly reject: Reject };

/**
 * The verified part of the ledger that this member may read: a light client's store on a participant node or a
 * management server. States are those of `head()`; every read answers verified data only.
 */
export interface LedgerAccess {
  readonly chainId: Hash;
  /** The highest verified block. */
  head(): { readonly height: number; readonly timeMs: number };
  system(): SystemState;
  /** Null when the project does not exist or this member may not read it. */
  project(id: ProjectId): ProjectState | null;
  projects(): readonly ProjectState[];
  /** Null when the phase does not exist or this member may not read it. After a removal: the state that removed it. */
  phase(id: PhaseId): PhaseState | null;
  phases(): readonly PhaseState[];
  /** Null when nothing of this log is held. */
  held(logId: LogId): HeldRange | null;
  /** Items [from, to) in order, cut to what is held. */
  items(logId: LogId, from: number, to: number): Promise<readonly LogItem[]>;
  /** The item of a transaction in one log; null when it is not held. */
  itemOf(logId: LogId, id: TransactionId): Promise<LogItem | null>;
  /**
   * Sends transactions and waits for the end of each, in the order given. When it resolves, `head()` and every read
   * include the blocks named. Rejects with OperatingError when no source can be reached.
   */
  submit(signed: readonly SignedTransaction[]): Promise<readonly SubmitResult[]>;
}
