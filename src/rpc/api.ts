import type { BlockHash, Hash, MemberId, PhaseId, TransactionId, UserId } from '../core/base/ids.ts';
import type { Reject } from '../core/base/reject.ts';
import type { SignedMessage } from '../core/pbft/messages.ts';
import type { Block, Certificate, Validator } from '../core/types/chain.ts';
import type { EvidenceRecord } from '../core/types/governance.ts';
import type { MemberCard } from '../core/types/operation.ts';
import type { Genesis, LogEntry, Member, PhaseState, ProjectState } from '../core/types/state.ts';
import type { Lineage } from '../services/records/lineage.ts';
import type {
  CopiesWanted,
  FileApi,
  FileInput,
  FileView,
  StagedFile,
  StagedInput,
  StageInput,
} from './file-api.ts';
import type { ProofApi } from './proof-api.ts';
import type { NamedPhase } from './resolve.ts';
import type { TrailApi } from './trail-api.ts';
import type { Uploads } from './uploads.ts';
import type { UserCredentials, UsersApi } from './users-api.ts';

export type { AdminApi } from './admin-api.ts';
export type {
  CopiesView,
  CopiesWanted,
  FileApi,
  FileInput,
  FileReference,
  FileStatus,
  FileView,
  StagedFile,
  StagedInput,
  StageInput,
} from './file-api.ts';
export type { ProofApi } from './proof-api.ts';

/**
 * What the RPC methods ask of a node: ports that the roles implement. Values are domain values; the methods turn them
 * into JSON. A refusal is a `Reject` (its code becomes `data.reason`, `errors.ts` says with which error code), a failure
 * of disk or network is a thrown OperatingError, a broken invariant an assertion. Names given by people (labels, id
 * prefixes) are resolved before these calls: ids here are whole.
 */

/** Calls back after each change until the returned function is called; the listener must not throw. */
export type OnChange = (listener: () => void) => () => void;

export interface HeadView {
  readonly height: number;
  readonly hash: BlockHash;
  readonly timeMs: number;
  /** Entries of the block; null on a node that holds headers only. */
  readonly transactions: number | null;
}

/** Every node: what `/readyz`, `node_status` and the head subscription show. */
export interface NodeApi {
  status(): NodeStatus;
  /** The lowest head that this node verified at or above `height`; null when there is none yet. */
  headFrom(height: number): HeadView | null;
  readonly onHead: OnChange;
}

export interface NodeStatus {
  readonly role: 'consensus' | 'participant' | 'manager';
  /** Validator name or member id. */
  readonly name: string;
  readonly version: string;
  readonly chainId: Hash;
  readonly chainName: string;
  readonly peerId: string;
  /** Listening multiaddrs. */
  readonly addresses: readonly string[];
  readonly head: HeadView | null;
  readonly peers: readonly {
    readonly peer: string;
    readonly name: string | null;
    readonly connected: boolean;
    /** What is wrong with it as a source of a member's node; null or left out when nothing is known against it. */
    readonly note?: string | null;
  }[];
  /** Empty when the node is ready; each reason is one short sentence. */
  readonly notReady: readonly string[];
  readonly startedMs: number;
}

/** Consensus nodes. Everything answers from the committed state. */
export interface ConsensusNodeApi extends NodeApi, MemberReadApi {
  chain(): ChainStatus;
  /** Block and certificate (null for genesis); null when the height is not committed or pruned. */
  block(height: number): { block: Block; hash: BlockHash; certificate: Certificate | null } | null;
  /** Conflicting messages of one validator that this node has seen since its start. */
  evidence(): readonly {
    readonly validator: string;
    readonly first: SignedMessage;
    readonly second: SignedMessage;
  }[];
  /** What the chain has recorded. */
  recordedEvidence(): readonly EvidenceRecord[];
  validators(): { readonly id: number; readonly validators: readonly Validator[] };
  genesis(): Genesis;
  /** @param signed encoded `SignedTransaction`; resolves once the pool took it, or with the pool's Reject */
  submit(signed: Uint8Array): Promise<{ readonly id: TransactionId } | Reject>;
  /** Waits at most `waitMs` for a final status; 0 answers at once. */
  transactionStatus(id: TransactionId, waitMs: number, signal: AbortSignal): Promise<TransactionStatus>;
}

/** What a consensus node holds of the past. Leaves and set changes are held from the beginning. */
export interface HistoryView {
  readonly mode: 'archive' | 'pruned';
  /** Height of the snapshot that the node began with; 0: genesis. */
  readonly baseHeight: number;
  /** Lowest heights above genesis whose block, and whose transactions, are held with all above. */
  readonly blocksFrom: number;
  readonly bodiesFrom: number;
}

export interface ChainStatus {
  readonly head: HeadView;
  readonly view: number;
  readonly leader: string;
  readonly validatorSetId: number;
  readonly quorum: number;
  readonly poolTransactions: number;
  readonly poolBytes: number;
  /** Number of pieces of evidence against validators. */
  readonly evidence: number;
  readonly history: HistoryView;
}

/** `invalid`: refused in a block (`outcome` says why) or past its last valid height. */
export interface TransactionStatus {
  readonly status: 'unknown' | 'pending' | 'committed' | 'invalid';
  readonly height: number | null;
  /** Code of `OUTCOMES`; null while unknown or pending. */
  readonly outcome: number | null;
}

export interface MemberReadApi {
  members(): readonly Member[];
  member(id: MemberId): Member | null;
  administrators(): readonly MemberId[];
}

/** The verified answer that a phase's or project's state is current at this head. */
export interface At {
  readonly height: number;
  readonly timeMs: number;
}

/** A participant node: only what this member may read, from verified data. */
export interface ParticipantApi
  extends NodeApi,
    MemberReadApi,
    ProjectReadApi,
    RecordApi,
    FileApi,
    HandoverApi,
    ProofApi,
    TrailApi,
    UsersApi {
  /** Files on their way in. */
  readonly uploads: Uploads;
}

export interface PhaseView {
  readonly state: PhaseState;
  /** What this member calls it and its project; null where no card opens here. */
  readonly label: string | null;
  readonly projectLabel: string | null;
  readonly entry: LogEntry;
  /** False from this member's removal on: nothing after it is held. */
  readonly current: boolean;
  /** Numbers of the epochs whose secrets this node has. */
  readonly openEpochs: readonly number[];
  /** Numbers of those that the chain says this member was given, and whose secrets are not here. */
  readonly missingEpochs: readonly number[];
}

/** A project that this member owns. */
export interface ProjectView {
  readonly state: ProjectState;
  readonly label: string | null;
  /** Of the phases whose names open here. */
  readonly phaseLabels: ReadonlyMap<PhaseId, string>;
}

export interface ProjectReadApi {
  /** Head that the answers below are verified against; null before the first. */
  verifiedAt(): At | null;
  /** Projects that this member owns. */
  projects(): Promise<readonly ProjectView[]>;
  phases(): Promise<readonly PhaseView[]>;
  phase(id: PhaseId): Promise<PhaseView | null>;
}

export interface RecordView {
  readonly phase: PhaseId;
  readonly id: TransactionId;
  readonly position: number;
  readonly height: number;
  readonly timeMs: number;
  readonly author: MemberId;
  /** The user who signed for the author; null where the author's own key did. */
  readonly user: { readonly id: UserId; readonly name: string | null } | null;
  readonly epoch: number;
  readonly references: readonly TransactionId[];
  /** Set when the record came in by a handover: several records then share one position. */
  readonly handedOverFrom: {
    readonly phase: PhaseId;
    readonly position: number;
    readonly by: MemberId;
  } | null;
  /** False when a check of authorship, keys or content failed; `record_verify` names it. */
  readonly verified: boolean;
  /** Null with `unreadable` set: the epoch's secret is not this member's, or the payload does not open. */
  readonly content: RecordContent | null;
  readonly unreadable: string | null;
  /** Why it does not follow the types that its phase has now; null when it does. */
  readonly typeFault: string | null;
}

export interface RecordContent {
  /** The application's name for the kind of record; may be empty. */
  readonly type: string;
  /** What people read in a list; may be empty. */
  readonly title: string;
  readonly mediaType: string;
  readonly data: Uint8Array;
  readonly files: readonly FileView[];
}

export interface RecordInput {
  readonly phase: PhaseId;
  readonly type: string;
  readonly title: string;
  readonly mediaType: string;
  readonly data: Uint8Array;
  readonly files: readonly (FileInput | StagedInput)[];
  readonly references: readonly TransactionId[];
  /** Set when the record is to be written only after its files have so many copies. */
  readonly waitForCopies?: CopiesWanted | null;
  /** Who signs it; the member itself when left out. */
  readonly asUser?: UserCredentials | null;
}

/** What a committed transaction of this node came to. A refusal by the ledger is a Reject with the outcome's name. */
export interface Receipt {
  readonly id: TransactionId;
  readonly height: number;
  readonly timeMs: number;
}

export interface RecordReceipt extends Receipt {
  readonly position: number;
  /** `reused`: the phase had the content already. */
  readonly files: readonly (FileView & { readonly reused: boolean })[];
}

export interface RecordApi {
  /**
   * Encrypts and stores files for a record of this phase that is written later, all or none; durable when it resolves. What no
   * record came to name is dropped at a later start.
   * @throws what a source throws; OperatingError `file_too_large`, and what the disk says
   */
  stageFiles(
    phase: PhaseId,
    files: readonly StageInput[],
    signal: AbortSignal,
  ): Promise<readonly StagedFile[] | Reject>;
  /** Forgets a staged file, and drops it unless a record that was sent may name it; an unknown one is none. */
  discardStaged(id: string): Promise<void>;
  /**
   * Resolves when the record is committed and verified by this node. Staged files are used up, except by a refusal: they stay,
   * for another try.
   */
  putRecord(input: RecordInput, signal: AbortSignal): Promise<RecordReceipt | Reject>;
  /**
   * Records at positions ≥ `from`, ascending, about `limit` (those of one position come together); `next` continues,
   * `size` is the log's size.
   */
  records(
    phase: PhaseId,
    from: number,
    limit: number,
  ): Promise<{ records: readonly RecordView[]; next: number; size: number } | Reject>;
  record(phase: PhaseId, key: TransactionId | number): Promise<RecordView | Reject>;
  /** What this member checks when it opens a record: author, key commitment, payload, fields. `ProofApi` proves the rest. */
  verifyRecord(phase: PhaseId, key: TransactionId | number): Promise<readonly Check[] | Reject>;
  /** The way of a record through phases, as far as this member may see it. */
  lineage(id: TransactionId): Promise<Lineage | Reject>;
  /** Called for changes of any phase. */
  readonly onRecords: OnChange;
}

export interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
}

export interface HandoverApi {
  /** Phases that follow `source` and to which this node may hand over; their state need not be readable here. */
  successors(source: PhaseId): Promise<readonly NamedPhase[]>;
  /**
   * To each of the targets; what became of each, unless nothing was done for any.
   * @param records ids of records of `source`, and `files` CIDs of files whose records go too; both null for all that this
   *   node can open
   */
  handover(input: {
    readonly source: PhaseId;
    readonly targets: readonly PhaseId[];
    readonly records: readonly TransactionId[] | null;
    readonly files: readonly string[] | null;
  }): Promise<readonly HandoverResult[] | Reject>;
}

export interface HandoverResult {
  readonly target: PhaseId;
  /** One a batch, in order. */
  readonly transactions: readonly Receipt[];
  readonly items: number;
  /** Records left out with `records: null`, because they do not open here or came by a handover. */
  readonly skipped: readonly TransactionId[];
  /** Set when a batch was refused: the earlier ones stand. */
  readonly refusal: (Reject & { readonly hint: string }) | null;
}

/** A node that acts for a member: what it shows to have the member registered. */
export interface IdentityApi {
  card(): { readonly card: MemberCard; readonly proof: Uint8Array };
  /** Signs a management server's challenge to this node's card. */
  answer(nonce: Uint8Array): Uint8Array;
}
