import type { Hash, LogId, TransactionId } from '../base/ids.ts';
import type { ScopeRef } from '../codec/state.ts';
import type { Frontier } from '../merkle/log.ts';
import type { MapProof } from '../merkle/map.ts';
import type { Block, Certificate } from '../types/chain.ts';
import type { LogEntry } from '../types/state.ts';

/** Limits of state transfer, each with its unit. */
export const SNAPSHOT_LIMITS = {
  /** Leaves that one question names of one log at most. */
  leavesPerSegment: 8192,
  /** Logs that one question names. */
  logsPerRequest: 64,
  /** Blocks that one question names. */
  blocksPerRequest: 256,
  /** Scopes in one answer. */
  scopesPerAnswer: 1024,
} as const;

/** One scope at the snapshot's height: the entry is in the header's map, the state hashes to the entry's digest. */
export interface SnapshotScope {
  readonly ref: ScopeRef;
  readonly entry: LogEntry;
  readonly proof: MapProof;
  /** Encoded scope state. */
  readonly state: Uint8Array;
}

/** Scopes in the order of their map keys. */
export interface ScopesChunk {
  readonly scopes: readonly SnapshotScope[];
  /** True when no scope follows. */
  readonly last: boolean;
}

/** What a leaf says beyond its log and position. */
export interface SnapshotLeaf {
  readonly height: number;
  /** Unix time in milliseconds. */
  readonly timeMs: number;
  readonly transactionId: TransactionId;
  readonly outcome: number;
}

/** Leaves of one log, proven to stand at their places in the log of the size that was asked for. */
export interface LeavesPart {
  readonly logId: LogId;
  /** Of the leaves before the first one here. */
  readonly frontier: Frontier;
  readonly leaves: readonly SnapshotLeaf[];
  /** RFC 9162 consistency proof from the last leaf here to the size that was asked for. */
  readonly consistency: readonly Hash[];
  /** Of the system log only: the encoded transaction of each leaf; light nodes read that log from its beginning. */
  readonly transactions: readonly Uint8Array[];
}

/** A block without its transactions. */
export interface CertifiedBlock {
  readonly block: Block;
  readonly certificate: Certificate;
}

/** Leaves [from, to) of a log that has `size` leaves at the snapshot. */
export interface LeavesSegment {
  readonly logId: LogId;
  readonly from: number;
  readonly to: number;
  readonly size: number;
}

export type SnapshotRequest =
  /** The scopes behind the map key `after`, of the snapshot of this height. */
  | { readonly kind: 'scopes'; readonly height: number; readonly after: Hash | null }
  | { readonly kind: 'leaves'; readonly segments: readonly LeavesSegment[] }
  /** Heights [from, to). */
  | { readonly kind: 'blocks'; readonly from: number; readonly to: number };

/** An answer may be shorter than the question; it holds at least one item, and what is missing is asked for again. */
export type SnapshotChunk =
  | ({ readonly kind: 'scopes' } & ScopesChunk)
  | { readonly kind: 'leaves'; readonly parts: readonly LeavesPart[] }
  | { readonly kind: 'blocks'; readonly blocks: readonly CertifiedBlock[] };
