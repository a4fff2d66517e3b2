import type { Hash, MemberId, PhaseId, TransactionId } from '../../core/base/ids.ts';
import type { Reject } from '../../core/base/reject.ts';
import type { PeerId } from '../../ports/transport.ts';
import type { PurgeAck } from './ledger.ts';
import type { PutResult } from './local-files.ts';

/** What a caller may say of a file on its way in. */
export interface PutOptions {
  /** The phase whose quota the file counts against; only the node's own quota counts without it. */
  readonly phase?: PhaseId;
  /** Plaintext bytes, when they are known: what does not fit is refused before anything is read. */
  readonly bytes?: number | null;
  readonly signal?: AbortSignal;
  /** Called after each block is stored, with the plaintext bytes taken in so far. */
  readonly onProgress?: (bytes: number) => void;
}

/** Where copies stand before a record names the files: what their holders said over authenticated links, not yet signed. */
export interface CopiesState {
  /** By file, in the order given: members whose node said that it has the whole file, this one among them. */
  readonly holders: readonly (readonly MemberId[])[];
  /** The lowest number of holders of any of the files. */
  readonly copies: number;
  readonly wanted: number;
  /** Ciphertext bytes that other nodes have confirmed, all files and copies together. */
  readonly bytesConfirmed: number;
}

export interface WaitForCopies {
  /** Copies each file must have, this node's own among them; null for the minimum of the phase's policy. */
  readonly copies: number | null;
  readonly waitMs: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (state: CopiesState) => void;
}

/** What other nodes showed of a member's copy when they were asked to prove it with a fresh nonce. */
export interface HolderProof {
  readonly member: MemberId;
  /** Unix milliseconds of the last proof that this node checked; null when there was none. */
  readonly provenMs: number | null;
  /** Unix milliseconds since which its answers were wrong or empty; null while they are right. */
  readonly failedSinceMs: number | null;
}

/** An order to purge a file and what became of it. */
export interface PurgeStatus {
  readonly order: TransactionId;
  /** Position of the order in the phase's log. */
  readonly position: number;
  readonly height: number;
  readonly timeMs: number;
  readonly by: MemberId;
  readonly reason: string;
  /** Records of this phase that name the file and lose it. */
  readonly references: readonly TransactionId[];
  /** Records of other phases that name it too, as far as whoever ordered it could see. */
  readonly elsewhere: readonly { readonly logId: Hash; readonly record: TransactionId }[];
  /** Members that had signed to hold the file when it was purged. */
  readonly holders: readonly MemberId[];
  /** Signed acknowledgements, each of one node; `kept` when a record of another phase, in which it is not purged, still names the file. */
  readonly acknowledged: readonly PurgeAck[];
  /** Nodes of holders, as their cards name them now, that have not acknowledged yet; null of a holder whose card names none. */
  readonly open: readonly { readonly member: MemberId; readonly node: PeerId | null }[];
}

export interface StorageUse {
  readonly bytes: number;
  /** Null without a quota. */
  readonly bytesMax: number | null;
  readonly files: number;
}

export interface StorageUsage {
  readonly node: StorageUse;
  readonly phases: readonly (StorageUse & { readonly phase: PhaseId })[];
  /** Free bytes of the disk below the store; null where it has no such limit. */
  readonly freeBytes: number | null;
  readonly pinned: number;
  readonly scrub: ScrubStatus;
}

export interface ScrubStatus {
  readonly running: boolean;
  /** Of the round that is under way, or of the last one. */
  readonly blocks: number;
  readonly bytes: number;
  readonly bad: number;
  /** Unix milliseconds of the end of the last whole round; null before the first. */
  readonly roundMs: number | null;
}

export interface StoreVerification {
  readonly files: number;
  readonly blocks: number;
  readonly bytes: number;
  /** Files with missing or damaged blocks; they are fetched again by themselves. */
  readonly damaged: readonly { readonly cid: string; readonly blocks: number }[];
}

export interface GarbageReport {
  readonly files: number;
  readonly bytes: number;
  /** Blocks of no file; 0 while files are put or fetched, when they cannot be told apart. */
  readonly strayBlocks: number;
}

export interface CarImport {
  readonly blocks: number;
  /** True when the file is here whole now. */
  readonly whole: boolean;
  /** What is missing; null when nothing is. */
  readonly reason: string | null;
}

/** The calls of the file service beyond those that the class has already; `FileService` implements them. */
export interface FileCare {
  /** All files or none: small ones are stored with shared writes, so that thousands of them cost little. */
  putFiles(
    sources: readonly AsyncIterable<Uint8Array>[],
    options?: PutOptions,
  ): Promise<readonly PutResult[]>;
  /**
   * Offers files that no record names yet to the nodes of the phase and waits until enough of them have the files. What it
   * answers is the state at the end, with fewer copies than wanted after `waitMs`.
   */
  replicate(phase: PhaseId, files: readonly PutResult[], wait: WaitForCopies): Promise<CopiesState | Reject>;
  /** Keeps a copy whatever the placement says, and fetches it. Null, or why not. */
  pin(phase: PhaseId, cid: string): Promise<Reject | null>;
  unpin(cid: string): Promise<void>;
  isPinned(cid: string): boolean;
  usage(): Promise<StorageUsage>;
  /** Reads and hashes every block of every file here; what is damaged is fetched again. */
  verifyAll(options?: {
    readonly signal?: AbortSignal;
    readonly onProgress?: (bytes: number) => void;
  }): Promise<StoreVerification>;
  /** Removes what no record names, nobody pinned and nothing is at work with. */
  collectGarbage(): Promise<GarbageReport>;
  /** A CAR (version 1, one root) of this node's whole copy; Reject `unknown_file`, `not_whole` or `purged`. */
  exportCar(phase: PhaseId, cid: string): Promise<AsyncIterable<Uint8Array> | Reject>;
  /** Takes the blocks of a CAR as if holders had sent them; Reject `unknown_file`, `purged`, also meanwhile, or `bad_car`. */
  importCar(
    phase: PhaseId,
    cid: string,
    source: AsyncIterable<Uint8Array>,
    signal?: AbortSignal,
  ): Promise<CarImport | Reject>;
  /** Orders the purge of a file; the owner and stewards of the phase may. */
  purge(phase: PhaseId, cid: string, reason: string): Promise<PurgeStatus | Reject>;
  /** Null when the file was not purged in the phase. */
  purgeStatus(phase: PhaseId, cid: string): PurgeStatus | null;
  /** Last proofs of possession by other members' nodes, newest first. */
  proofs(phase: PhaseId, cid: string): readonly HolderProof[];
}
