import type { Hash, MemberId, PhaseId, TransactionId } from '../core/base/ids.ts';
import type { Reject } from '../core/base/reject.ts';
import type { FileCare, HolderProof } from '../services/files/api.ts';
import type { Check } from './api.ts';

export interface FileView {
  readonly cid: string;
  readonly name: string;
  readonly mediaType: string;
  /** Plaintext length. */
  readonly bytes: number;
  /** SHA-256 of the plaintext, as the record's author says. */
  readonly sha256: Hash;
  readonly ciphertextBytes: number;
  readonly keyCommitment: Hash;
}

/** A file on its way in; `source` is read once, with back-pressure, and never held whole. */
export interface FileInput {
  readonly name: string;
  readonly mediaType: string;
  readonly source: AsyncIterable<Uint8Array>;
  /** Known length in bytes, or null. */
  readonly bytes: number | null;
}

export type StageInput = Pick<FileInput, 'source' | 'bytes'>;

/** A file that is stored here, encrypted, and that no record names yet. */
export interface StagedFile {
  /** Names it in this process. */
  readonly id: string;
  readonly cid: string;
  /** Plaintext length. */
  readonly bytes: number;
  /** SHA-256 of the plaintext. */
  readonly sha256: Hash;
  /** True when the phase had the same content already: nothing more is kept. */
  readonly reused: boolean;
}

export interface StagedInput {
  readonly name: string;
  readonly mediaType: string;
  /** Id of a staged file. */
  readonly staged: string;
}

export interface CopiesWanted {
  /** Copies of each file, this node's own among them; null for the minimum of the phase's policy. */
  readonly copies: number | null;
  /** After this time the record is refused with `too_few_copies`; its staged files stay. */
  readonly waitMs: number;
  /** Called when a node confirmed something. */
  readonly onProgress?: (state: CopiesView) => void;
}

/** Before a record names the files: what nodes said that they hold, not signed yet. */
export interface CopiesView {
  /** Of the file that has fewest. */
  readonly copies: number;
  readonly wanted: number;
  /** Ciphertext bytes that other nodes have confirmed. */
  readonly bytesConfirmed: number;
}

export interface FileStatus {
  readonly file: FileView;
  readonly record: TransactionId;
  readonly position: number;
  /** Members that signed for the file; `reachable` says whether a node of theirs answered just now that it has it whole. */
  readonly holders: readonly {
    readonly member: MemberId;
    readonly height: number;
    readonly reachable: boolean;
  }[];
  readonly copiesTarget: number;
  readonly copiesMinimum: number;
  /** What this node itself has. */
  readonly local: 'none' | 'partial' | 'whole';
  /** Members that should hold the file and have not signed for it. */
  readonly missing: readonly MemberId[];
  /** Why this node has no whole copy although it should; null when there is nothing to say. */
  readonly reason: string | null;
  /** True when this node keeps its copy whatever the placement says. */
  readonly pinned: boolean;
  /** What other members' nodes showed of their copies when this one asked for a proof. */
  readonly proofs: readonly HolderProof[];
}

/** A record that names a file, and would lose it. */
export interface FileReference {
  readonly phase: PhaseId;
  readonly record: TransactionId;
  readonly position: number;
}

/** Files of a phase whose retention is over. */
export interface DueFiles {
  readonly phase: PhaseId;
  readonly days: number;
  /** Unix time in milliseconds since when they are due. */
  readonly dueMs: number;
  readonly files: readonly {
    readonly cid: string;
    readonly ciphertextBytes: number;
    readonly records: readonly TransactionId[];
  }[];
}

export interface FileApi {
  /**
   * Opens a file for reading. The stream fails in the middle rather than yield unverified bytes (SCENARIOS 85).
   * @param range first byte and length of the plaintext; null for all
   */
  readFile(
    phase: PhaseId,
    cid: string,
    range: { readonly offset: number; readonly bytes: number } | null,
    signal: AbortSignal,
  ): Promise<{ file: FileView; stream: AsyncIterable<Uint8Array> } | Reject>;
  /** All files of the phase with `cid` null. */
  fileStatus(phase: PhaseId, cid: string | null): Promise<readonly FileStatus[] | Reject>;
  verifyFile(phase: PhaseId, cid: string): Promise<readonly Check[] | Reject>;
  /** Fetches what is missing or damaged from the phase's nodes. */
  repairFile(
    phase: PhaseId,
    cid: string,
    signal: AbortSignal,
  ): Promise<{ readonly whole: boolean; readonly reason: string | null } | Reject>;
  /** Records that name the file, in this phase and in others that this node reads. */
  fileReferences(phase: PhaseId, cid: string): Promise<readonly FileReference[] | Reject>;
  /** By this node's clock; phases without such files are left out. @param phase null for every phase that this node reads */
  filesDue(phase: PhaseId | null): Promise<readonly DueFiles[] | Reject>;
  /** A file that proves the purge offline (core/light/purge-certificate.ts). Reject `not_purged`, `not_ready`. */
  purgeCertificate(phase: PhaseId, cid: string): Promise<Uint8Array | Reject>;
  /** The file service's own calls. */
  readonly fileCare: Pick<
    FileCare,
    | 'pin'
    | 'unpin'
    | 'usage'
    | 'verifyAll'
    | 'collectGarbage'
    | 'exportCar'
    | 'importCar'
    | 'purge'
    | 'purgeStatus'
  >;
}
