import type { Hash, LogId, MemberId, PhaseId, TransactionId } from '../../core/base/ids.ts';
import type { Reject } from '../../core/base/reject.ts';
import type { CopiesPolicy } from '../../core/types/flow.ts';
import type { PeerId } from '../../ports/transport.ts';

/** One file as a committed record of a phase names it. */
export interface FileEntry {
  readonly phase: PhaseId;
  /** Position of the record in the phase's log, and its id. */
  readonly position: number;
  readonly record: TransactionId;
  /** The record as it was first written: the same in every phase that it was handed over to. */
  readonly origin: TransactionId;
  readonly author: MemberId;
  /** Root of the ciphertext's tree. */
  readonly cid: string;
  readonly ciphertextBytes: number;
  readonly keyCommitment: Hash;
}

export interface FileReceiptEntry {
  readonly position: number;
  readonly record: TransactionId;
  readonly cid: string;
}

/** An order of the ledger to purge a file from a phase; there is no way back from it. */
export interface PurgeOrder {
  readonly phase: PhaseId;
  readonly cid: string;
  /** Position of the order in the phase's log, and its transaction. */
  readonly position: number;
  readonly order: TransactionId;
  readonly height: number;
  readonly timeMs: number;
  readonly by: MemberId;
  readonly reason: string;
  /** Records of the phase that name the file. */
  readonly references: readonly TransactionId[];
  /** Records of other phases that name it, as far as whoever ordered it could see. */
  readonly elsewhere: readonly { readonly logId: LogId; readonly record: TransactionId }[];
}

export interface PurgeAck {
  readonly member: MemberId;
  /** Which of the member's nodes says so, for itself. */
  readonly node: PeerId;
  readonly height: number;
  /** True when the node keeps the file for a record of another phase. */
  readonly kept: boolean;
}

/** A phase at the verified head. */
export interface FilePhase {
  readonly id: PhaseId;
  readonly policy: CopiesPolicy;
  /** Changes with the list of participants. */
  readonly membershipVersion: number;
  /** Current participants that are not revoked; the nodes among which files are spread. */
  readonly participants: readonly MemberId[];
  /** Who may fetch: the participants, and the owner where the managing side has custody. */
  readonly readers: readonly MemberId[];
}

/**
 * What the file service reads of the verified ledger and sends to it. Every answer is of the highest verified head, so access
 * follows the chain without a restart (SCENARIOS 82).
 */
export interface FileLedger {
  /** The member that this node belongs to. */
  readonly member: MemberId;
  /** Null for peers of nobody and of revoked members. */
  memberOfPeer(peer: PeerId): MemberId | null;
  /** Peers of a member's nodes; empty when it is not known. */
  peersOf(member: MemberId): readonly PeerId[];
  /**
   * Reads on to the verified head. @returns its time, Unix milliseconds: what was committed until then is part of every answer,
   * however late it is on this machine
   */
  catchUp(): Promise<number>;
  phases(): readonly PhaseId[];
  phase(id: PhaseId): FilePhase | null;
  /** Files of committed records at positions from `fromPosition` on, in order; like all below, without those that were purged. */
  files(phase: PhaseId, fromPosition: number): readonly FileEntry[];
  /** The records of a phase that name this root. */
  entries(phase: PhaseId, cid: string): readonly FileEntry[];
  /** Phases in whose committed records this root stands. */
  phasesOf(cid: string): readonly PhaseId[];
  /** The records of a phase that name this root, purged or not. */
  references(phase: PhaseId, cid: string): readonly FileEntry[];
  /** Null when the file was not purged in the phase. */
  purgeOf(phase: PhaseId, cid: string): PurgeOrder | null;
  /** Every order of the phase, by position. */
  purges(phase: PhaseId): readonly PurgeOrder[];
  purgeAcks(phase: PhaseId, cid: string): readonly PurgeAck[];
  /** Members whose receipts for this root stand in the phase's log. */
  receipts(phase: PhaseId, cid: string): readonly MemberId[];
  /** Called after the verified head moved and something of these phases changed. Answers how to stop. */
  onChange(listener: (phases: readonly PhaseId[]) => void): () => void;
  /**
   * Signs and submits one receipt transaction. Null when it is committed, a Reject when it was refused or expired; throws
   * OperatingError when no source can be reached.
   */
  submitReceipts(phase: PhaseId, receipts: readonly FileReceiptEntry[]): Promise<Reject | null>;
  /** Orders the purge, with every record of the phase and those of `elsewhere`; ends as `submitReceipts` does. */
  submitPurge(
    phase: PhaseId,
    cid: string,
    reason: string,
    elsewhere: readonly FileEntry[],
  ): Promise<Reject | null>;
  /** @param node the member's node that carried them out: this one */
  submitPurgeAcks(
    phase: PhaseId,
    node: PeerId,
    acks: readonly { readonly order: PurgeOrder; readonly kept: boolean }[],
  ): Promise<Reject | null>;
}
