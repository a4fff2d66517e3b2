import type { Hash, LogId, PhaseId, ProjectId, TransactionId } from '../../core/base/ids.ts';
import type { Reject } from '../../core/base/reject.ts';
import type { Span } from '../../core/types/span.ts';
import type { PhaseState, ProjectState, SystemState } from '../../core/types/state.ts';
import type { Leaf, SignedTransaction, Transaction } from '../../core/types/transaction.ts';

/** One verified leaf with its transaction, which has the parts of this log's scope and no others. */
export interface LogItem {
  readonly leaf: Leaf;
  readonly transaction: Transaction;
}

/**
 * What is held and verified of a log: [from, to), or less where there are several ranges. `from` is above 0 where a grant
 * starts later; a member that was removed and added again may lack the time between.
 */
export interface HeldSpans extends Span {
  /** Ascending, with gaps between; at least one. */
  readonly ranges: readonly Span[];
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
  /**
   * Null when the phase does not exist or this member may not read it. After a removal: the state that removed it, or the
   * last one before when that cannot be computed, because this member was away from its last stay.
   */
  phase(id: PhaseId): PhaseState | null;
  phases(): readonly PhaseState[];
  /** Null when nothing of this log is held. */
  held(logId: LogId): HeldSpans | null;
  /** Items [from, to) in order, cut to the ranges that are held. */
  items(logId: LogId, from: number, to: number): Promise<readonly LogItem[]>;
  /** The item of a transaction in one log; null when it is not held. */
  itemOf(logId: LogId, id: TransactionId): Promise<LogItem | null>;
  /**
   * Sends transactions and waits for the end of each, in the order given. When it resolves, every read of the logs that a
   * transaction names includes its block, and `head()` too unless another log lags behind. Rejects with OperatingError when no source can be reached.
   */
  submit(signed: readonly SignedTransaction[]): Promise<readonly SubmitResult[]>;
}
