import type { BlockHash, Hash, LogId, TransactionId } from '../core/base/ids.ts';
import type { Block, Certificate } from '../core/types/chain.ts';
import type { Diff, StateView } from '../core/types/state.ts';

export interface StoredBlock {
  readonly block: Block;
  readonly hash: BlockHash;
  /** Null for genesis only. */
  readonly certificate: Certificate | null;
}

export interface TransactionLocation {
  readonly height: number;
  readonly index: number;
  readonly outcome: number;
}

/** A wrapper, which its hash names: one transaction id may have several that are valid (another signature or batch). */
export interface Wrapper {
  readonly id: TransactionId;
  readonly wrapperHash: Hash;
  /** Encoded `SignedTransaction`. */
  readonly bytes: Uint8Array;
}

export interface StoredLeaf {
  readonly leaf: Uint8Array;
  readonly transactionId: TransactionId;
}

/** What a consensus node keeps: blocks, bodies, logs and state. Reads see the committed state only. */
export interface ChainStore {
  readonly state: StateView;
  /** Null before genesis was applied. */
  head(): StoredBlock | null;
  block(height: number): StoredBlock | null;
  /** Encoded `SignedTransaction` as its block names it; null when it is not committed. */
  transaction(id: TransactionId): Uint8Array | null;
  /** Committed, or stored ahead of its block. */
  wrapper(wrapperHash: Hash): Uint8Array | null;
  locate(id: TransactionId): TransactionLocation | null;
  logSize(logId: LogId): number;
  /** Leaves [from, to) in order; at most `limit`. */
  leaves(logId: LogId, from: number, to: number, limit: number): readonly StoredLeaf[];
  leafHashes(logId: LogId, from: number, to: number): readonly Hash[];
  /** One atomic, synced write. `transactions[i]` is the encoded wrapper of `block.entries[i]`. */
  commit(stored: StoredBlock, diff: Diff, transactions: readonly Uint8Array[]): Promise<void>;
  /**
   * Durable before a PREPARE for a block that contains them leaves (DESIGN.md section 3). Wrappers of one id stay beside
   * each other until no block can contain them any more.
   */
  putAhead(wrappers: readonly Wrapper[]): Promise<void>;
}
