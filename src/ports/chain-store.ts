import type { BlockHash, Hash, LogId, TransactionId } from '../core/base/ids.ts';
import type { SetChange } from '../core/light/trust.ts';
import type { ScopesChunk } from '../core/snapshot/chunks.ts';
import type { SnapshotEnd, SnapshotWrites } from '../core/snapshot/fetch.ts';
import type { Block, Certificate } from '../core/types/chain.ts';
import type { Diff, NewLeaf, StateView } from '../core/types/state.ts';

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

/** What is held of the past. Leaves, their hashes and set changes are always held from the beginning. */
export interface History {
  /** Height of the snapshot that this store began with; 0 where it began with genesis. */
  readonly baseHeight: number;
  /** Lowest height above genesis whose block is here, with every block above it. */
  readonly blocksFrom: number;
  /** Lowest height above genesis whose transactions are all here, with those of every block above it. */
  readonly bodiesFrom: number;
}

/** What a consensus node keeps: blocks, bodies, logs and state. Reads see the committed state only. */
export interface ChainStore {
  readonly state: StateView;
  /** Null before genesis was applied. */
  head(): StoredBlock | null;
  readonly history: History;
  block(height: number): StoredBlock | null;
  /** Null where that height did not change the validator set. */
  setChange(height: number): SetChange | null;
  /** Set changes of the heights in (above, upTo], oldest first; at most `limit`. */
  setChanges(above: number, upTo: number, limit: number): Promise<readonly SetChange[]>;
  /** Encoded `SignedTransaction` as its block names it; null when it is not committed or was pruned. */
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
  /**
   * Deletes the transactions of the lowest blocks that still have theirs.
   * @param below no block of this height or above loses any
   * @param heightsMax blocks that one call looks at
   * @param keep true for a wrapper that stays
   */
  prune(below: number, heightsMax: number, keep: (wrapper: Uint8Array) => boolean): Promise<void>;
  /** Where a snapshot is put together; one at a time. */
  stage(): SnapshotStage;
}

/**
 * Takes a verified snapshot beside the state in force, which stays as it is until `install` replaces it in one step. After a
 * crash the database is the old one or the new one; leaves and blocks that have come are not fetched again.
 */
export interface SnapshotStage {
  /** Clears what an earlier attempt has left of scopes. */
  begin(): Promise<void>;
  /** Leaves [0, size) of a log that are here, committed or staged. */
  heldSize(logId: LogId): number;
  /** Of leaves below `heldSize`. */
  heldHashes(logId: LogId, from: number, to: number): readonly Hash[];
  hasBlock(height: number): boolean;
  /** Durable when it resolves. */
  put(writes: SnapshotWrites, setChanges: readonly SetChange[]): Promise<void>;
  /** The head becomes the snapshot's. No commit may be under way. */
  install(end: SnapshotEnd): Promise<void>;
}

/** A value that the disk no longer gives back as it was written, and that a peer has too. */
export type Damage = { readonly key: string } & (
  | { readonly kind: 'block'; readonly height: number }
  | { readonly kind: 'bodies'; readonly height: number }
  | { readonly kind: 'leaves'; readonly logId: LogId; readonly from: number; readonly to: number }
);

/** Verified values in the place of damaged ones; leaves are those of one whole page. */
export type Mending =
  | { readonly kind: 'block'; readonly stored: StoredBlock }
  | { readonly kind: 'bodies'; readonly wrappers: readonly Wrapper[] }
  | { readonly kind: 'leaves'; readonly leaves: readonly NewLeaf[] };

/** Snapshots that this node serves: the scopes as they were at a height, while the chain goes on. */
export interface ServedSnapshots {
  /** Heights, newest first. */
  heights(): readonly number[];
  /** Right after the commit of the head, before the next one: copies its scopes in the background. */
  take(): void;
  /** As many scopes as fit, at least one; null when there is no such snapshot any more. */
  scopes(height: number, after: Hash | null, bytesMax: number): Promise<ScopesChunk | null>;
  /** Resolves when nothing is being copied. */
  idle(): Promise<void>;
}
