import type { Hash, LogId, MemberId, PhaseId, ProjectId, TransactionId, UserId } from '../base/ids.ts';
import type { SealedCard } from './card.ts';
import type { ValidatorSet } from './chain.ts';
import type { Complaint, Recovery } from './custody.ts';
import type { ApprovalRequest, PhasePolicy } from './flow.ts';
import type { Governance } from './governance.ts';

/** Limits of the consortium, fixed in genesis and changeable by governance. */
export interface Parameters {
  readonly blockTransactionsMax: number;
  readonly blockBytesMax: number;
  readonly transactionBytesMax: number;
  /** A transaction may name a last valid height at most this far above the head. Ids are remembered this long. */
  readonly replayWindowBlocks: number;
  readonly memberTransactionsPerBlockMax: number;
  readonly memberBytesPerBlockMax: number;
  /** A proposal's time may be this far ahead of a replica's clock. */
  readonly clockDriftMsMax: number;
  readonly checkpointIntervalBlocks: number;
  /** Blocks in flight: high watermark − low watermark. */
  readonly windowBlocks: number;
  readonly viewTimeoutMs: number;
  readonly viewTimeoutMsMax: number;
  /** The primary hands over after this many blocks of its view; 0: only when it fails. */
  readonly rotationBlocks: number;
}

interface SigningSpan {
  readonly signingKey: Uint8Array;
  readonly fromHeight: number;
  /** Height at which the key stopped being valid; 0 while it is. */
  readonly untilHeight: number;
}

/** A key of the member itself, with the key that others seal to. */
export interface OwnKey extends SigningSpan {
  readonly user: null;
  readonly sealingKey: Uint8Array;
  /** True where administrators gave it in place of keys that were lost. */
  readonly replaced: boolean;
}

/** A key of one of its users, who signs for the member in projects and phases. */
export interface UserKey extends SigningSpan {
  readonly user: UserId;
  readonly sealingKey: null;
}

export type MemberKey = OwnKey | UserKey;

export interface Member {
  readonly id: MemberId;
  readonly name: string;
  readonly version: number;
  readonly revoked: boolean;
  /** First height at which it may nothing, until administrators resume it; 0 while it is not suspended. */
  readonly suspendedHeight: number;
  readonly peerIds: readonly string[];
  /** All keys that ever were, in order; the key id is the index (SCENARIOS 91). `ownKeyOf` tells the current one. */
  readonly keys: readonly MemberKey[];
}

/** The state of the `system` scope. */
export interface SystemState {
  readonly version: number;
  readonly parameters: Parameters;
  readonly validatorSet: ValidatorSet;
  /** Height of the last block that changed the set; 0 when none has. */
  readonly setChangeHeight: number;
  readonly administrators: readonly MemberId[];
  readonly administratorThreshold: number;
  /** Sorted by id. */
  readonly members: readonly Member[];
  readonly governance: Governance;
}

export interface ProjectPhase {
  readonly id: PhaseId;
  /** Its name, sealed to the owner. */
  readonly card: Uint8Array;
  readonly predecessors: readonly PhaseId[];
}

export interface ProjectState {
  readonly id: ProjectId;
  readonly owner: MemberId;
  /** Its name, sealed to the owner. */
  readonly card: Uint8Array;
  readonly archived: boolean;
  /** Compare-and-set counter of the phase graph. */
  readonly version: number;
  readonly phases: readonly ProjectPhase[];
}

export interface Participant {
  readonly member: MemberId;
  /** Bits of `ROLES`. */
  readonly roles: number;
  /** First position of the log that this participant may read. */
  readonly startPosition: number;
  /** First epoch whose secret this participant was granted. */
  readonly fromEpoch: number;
  /** First epoch whose secret was sealed to it: later than granted while nobody who holds the others has done so. */
  readonly heldFrom: number;
}

/** A participant that was removed: it is served [startPosition, endPosition), the removal leaf being the last. */
export interface FormerParticipant {
  readonly member: MemberId;
  readonly startPosition: number;
  readonly endPosition: number;
}

export interface Epoch {
  readonly number: number;
  readonly commitment: Hash;
  readonly publicKey: Uint8Array;
  /** Position of the leaf that opened it, and its height. */
  readonly startPosition: number;
  readonly height: number;
  /** Who sealed it to the others. */
  readonly opener: MemberId;
}

export interface PhaseState {
  readonly id: PhaseId;
  readonly project: ProjectId;
  readonly owner: MemberId;
  /** What the participants call it. */
  readonly card: SealedCard;
  readonly lifecycle: number;
  /** Height at which it came into this state. */
  readonly lifecycleHeight: number;
  /** Time of the block that closed or skipped it, in milliseconds; 0 while it is a draft or open. Archiving keeps it. */
  readonly closedMs: number;
  readonly version: number;
  readonly membershipVersion: number;
  readonly custody: number;
  readonly policy: PhasePolicy;
  /** True from a revocation or an outside removal until the next epoch: records are refused. */
  readonly frozen: boolean;
  /** Sorted by member id. */
  readonly participants: readonly Participant[];
  readonly former: readonly FormerParticipant[];
  /** Ascending; the last is current. */
  readonly epochs: readonly Epoch[];
  /** Deeds that wait for approvals, oldest first; those that are over go with the next change of the list. */
  readonly requests: readonly ApprovalRequest[];
  /** Of the current epoch and the one before, sorted by member id. */
  readonly complaints: readonly Complaint[];
  /** The shares of the key that opens the history; null where there are none. */
  readonly recovery: Recovery | null;
}

/** What the certified map says of one log. `digest` is the hash of the scope's state: a fold of its own leaves. */
export interface LogEntry {
  readonly size: number;
  readonly root: Hash;
  readonly digest: Hash;
}

/**
 * The synchronous view that execution reads: an overlay over the committed state, or the committed state itself.
 * Keys and values are opaque bytes to the store; `core/ledger` owns the encodings.
 */
export interface StateView {
  /** Encoded scope states and indexes, by key. */
  get(key: string): Uint8Array | null;
  /** Encoded sparse map node by its hash. */
  mapNode(hash: Hash): Uint8Array | null;
  leafHash(logId: LogId, position: number): Hash | null;
  /** Height at which this id was committed or refused, within the replay window; null when unknown. */
  seen(id: TransactionId): number | null;
}

export interface NewLeaf {
  readonly logId: LogId;
  readonly position: number;
  /** Encoded leaf (`core/codec/leaf`). */
  readonly leaf: Uint8Array;
  readonly leafHash: Hash;
  readonly transactionId: TransactionId;
}

/** Everything that a block changes; applying it cannot fail (house rule 3). */
export interface Diff {
  readonly height: number;
  /** New encoded values by key; null deletes. */
  readonly state: ReadonlyMap<string, Uint8Array | null>;
  readonly mapNodes: ReadonlyMap<Hash, Uint8Array>;
  /** Nodes that the new root no longer reaches. */
  readonly staleMapNodes: readonly Hash[];
  readonly leaves: readonly NewLeaf[];
  readonly ids: readonly TransactionId[];
}

export interface Genesis {
  readonly name: string;
  readonly timeMs: number;
  readonly parameters: Parameters;
  readonly validators: ValidatorSet['validators'];
  readonly administrators: readonly MemberId[];
  readonly administratorThreshold: number;
  /** Members that exist from the start, with version 0 and their first key from height 0. */
  readonly members: readonly import('./operation.ts').MemberCard[];
}
