import type { Hash, MemberId, PhaseId, TransactionId } from '../../core/base/ids.ts';
import type { Reject } from '../../core/base/reject.ts';
import type { PhasePolicy } from '../../core/types/operation.ts';
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

/** A phase at the verified head. */
export interface FilePhase {
  readonly id: PhaseId;
  readonly policy: PhasePolicy;
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
  phases(): readonly PhaseId[];
  phase(id: PhaseId): FilePhase | null;
  /** Files of committed records at positions from `fromPosition` on, in order. */
  files(phase: PhaseId, fromPosition: number): readonly FileEntry[];
  /** The records of a phase that name this root. */
  entries(phase: PhaseId, cid: string): readonly FileEntry[];
  /** Phases in whose committed records this root stands. */
  phasesOf(cid: string): readonly PhaseId[];
  /** Members whose receipts for this root stand in the phase's log. */
  receipts(phase: PhaseId, cid: string): readonly MemberId[];
  /** Called after the verified head moved and something of these phases changed. Answers how to stop. */
  onChange(listener: (phases: readonly PhaseId[]) => void): () => void;
  /**
   * Signs and submits one receipt transaction. Null when it is committed, a Reject when it was refused or expired; throws
   * OperatingError when no source can be reached.
   */
  submitReceipts(phase: PhaseId, receipts: readonly FileReceiptEntry[]): Promise<Reject | null>;
}
