import type { Hash, LogId, MemberId, PhaseId, ProjectId, TransactionId } from '../base/ids.ts';
import type { PhaseCardChange, ProjectCardChange } from './card.ts';
import type { EpochComplaint, RecoveryAsk, RecoveryOffer, RecoveryShares } from './custody.ts';
import type {
  ApprovalRequestContent,
  ApprovalVote,
  ApprovalWithdraw,
  FlowChange,
  PhasePolicy,
  PhasePolicyChange,
  PhaseSkipProject,
  Rewiring,
} from './flow.ts';
import type { Action, EvidenceKind } from './governance.ts';
import type {
  MemberRegister,
  MemberRevoke,
  MemberRotate,
  MemberSuspend,
  MemberUserAdd,
  MemberUserRevoke,
} from './member.ts';
import type { Part } from './transaction.ts';

export type { MemberCard } from './member.ts';

/** Transaction kinds. The numbers are part of the chain: never reuse or renumber. */
export const KINDS = {
  memberRegister: 1,
  memberRotate: 2,
  memberRevoke: 3,
  memberUserAdd: 4,
  memberUserRevoke: 5,
  memberSuspend: 6,
  projectCreate: 16,
  projectArchive: 17,
  flowChange: 18,
  projectCard: 19,
  phaseAdd: 32,
  phaseOpen: 33,
  phaseClose: 34,
  phaseHandover: 35,
  phaseReopen: 36,
  phasePolicy: 37,
  phaseArchive: 38,
  phaseSkip: 39,
  approvalRequest: 40,
  approvalVote: 41,
  approvalWithdraw: 42,
  phaseCard: 43,
  participantAdd: 48,
  participantRemove: 49,
  participantRole: 50,
  epochRotate: 51,
  epochComplaint: 52,
  recoveryShares: 53,
  recoveryOffer: 54,
  recoveryAsk: 55,
  recordPut: 64,
  fileReceipt: 65,
  filePurge: 66,
  filePurgeAck: 67,
  proposalCreate: 80,
  proposalVote: 81,
  proposalWithdraw: 82,
  evidence: 85,
} as const;

export type KindName = keyof typeof KINDS;

/** Roles of a participant, as bits; every participant may read. */
export const ROLES = { reader: 1, contributor: 2, approver: 4, steward: 8 } as const;
export type RoleName = keyof typeof ROLES;

/** @param bits of `ROLES` */
export function roleNames(bits: number): RoleName[] {
  return (Object.keys(ROLES) as RoleName[]).filter(name => (bits & ROLES[name]) !== 0);
}

export const CUSTODY = { manager: 0, participants: 1 } as const;
export const GRANTS = { none: 0, fromEpoch: 1, all: 2 } as const;
export const LIFECYCLE = { draft: 0, open: 1, closed: 2, skipped: 3, archived: 4 } as const;

/** An HPKE envelope (enc ‖ ciphertext) with epoch secrets for one member's sealing key. */
export interface Envelope {
  readonly member: MemberId;
  readonly keyId: number;
  readonly sealed: Uint8Array;
}

/** A new key epoch: its secret stays in the envelopes, the chain has the commitment and the public key derived from it. */
export interface EpochOpening {
  readonly number: number;
  readonly commitment: Hash;
  readonly publicKey: Uint8Array;
  readonly envelopes: readonly Envelope[];
  /** The phase's card, sealed under this epoch: those who are not in it any more cannot open it. */
  readonly card: Uint8Array;
  /**
   * First epoch whose secret those are given who were granted it and lack it: nobody but them has more than `number` in its
   * envelope. `number` where nobody is given more.
   */
  readonly historyFrom: number;
  /** The secret sealed to the phase's recovery key; empty where the phase has none. */
  readonly recovery: Uint8Array;
}

/** A content key under an epoch: `epoch` with the epoch's payload key (participants), `hpke` to its public key (outsiders). */
export interface WrappedKey {
  readonly mode: 'epoch' | 'hpke';
  readonly bytes: Uint8Array;
}

export interface FileReference {
  /** CIDv1 text of the UnixFS root over the ciphertext. */
  readonly cid: string;
  readonly ciphertextBytes: number;
  readonly keyCommitment: Hash;
}

/** The signed metadata of a record; everything that may stay private is in the encrypted payload. */
export interface RecordMeta {
  readonly epoch: number;
  readonly wrappedKey: WrappedKey;
  readonly keyCommitment: Hash;
  /** Root over the salted fields of the payload (`core/light/fields.ts`): one can be shown without the others. */
  readonly fieldsRoot: Hash;
  readonly files: readonly FileReference[];
  readonly references: readonly TransactionId[];
}

/** A handover that a record has gone through. */
export interface HandoverStep {
  /** The phase that handed the record over. */
  readonly source: PhaseId;
  readonly handover: TransactionId;
  readonly sender: MemberId;
  /** Position of the handover in the receiving phase's log, where the record stands from then on. */
  readonly position: number;
  readonly height: number;
  readonly timeMs: number;
}

/** That the source phase received a record by an earlier handover: opens this one of its items, and no other. */
export interface HandoverRelay {
  /** Encoded leaf of the earlier handover in the source phase's log. */
  readonly leaf: Uint8Array;
  readonly body: Uint8Array;
  /** The target part of the earlier handover, which has the root of its items. */
  readonly target: Part;
  /** Index in the earlier handover's items, its salt there, and its RFC 9162 path to the root. */
  readonly item: number;
  readonly salt: Uint8Array;
  readonly path: readonly Hash[];
  /** The handovers before the earlier one, oldest first. */
  readonly steps: readonly HandoverStep[];
}

/** One record as it is handed over: the original proof of authorship, and its content key for the successor's epoch. */
export interface HandoverItem {
  /** Position in the source phase's log: of the record, or of the handover that brought it there. */
  readonly position: number;
  /** Null for a record that was written in the source phase. */
  readonly relay: HandoverRelay | null;
  /** 32 random bytes: nobody can guess an item from its hash in the tree. */
  readonly salt: Uint8Array;
  /** Encoded leaf of the log in which the record was written. */
  readonly leaf: Uint8Array;
  readonly body: Uint8Array;
  readonly signature: Uint8Array;
  readonly batch: { readonly treeSize: number; readonly index: number; readonly path: readonly Hash[] };
  readonly meta: Part;
  readonly payload: Part;
  readonly wrappedKey: WrappedKey;
}

/**
 * The content of each kind's parts, by scope. A kind's parts stand in the order of this list, one part a line:
 * - member*, proposal*, evidence: [system]
 * - projectCreate, projectArchive, projectCard, flowChange: [project]
 * - phaseAdd, phaseSkip: [project, phase]
 * - phaseOpen, phaseClose, phaseReopen, phaseArchive, phasePolicy, approval*: [phase]
 * - phaseCard, participant*, epoch*, recovery*, fileReceipt, filePurge, filePurgeAck: [phase]
 * - recordPut: [phase: meta, phase: payload]
 * - phaseHandover: [source phase, target phase, target phase: items]
 */
export interface ProjectCreate {
  readonly project: ProjectId;
  /** HPKE to the owner's sealing key. */
  readonly card: Uint8Array;
}
export interface ProjectArchive {
  readonly project: ProjectId;
  readonly expectedVersion: number;
}
export interface PhaseAddProject {
  readonly project: ProjectId;
  readonly expectedVersion: number;
  readonly phase: PhaseId;
  /** The owner's own copy of the phase's name, sealed as the project's card is. */
  readonly card: Uint8Array;
  readonly predecessors: readonly PhaseId[];
  /** What comes after it from now on: a phase that is inserted between others. */
  readonly rewirings: readonly Rewiring[];
}
export interface PhaseAddPhase {
  readonly project: ProjectId;
  readonly phase: PhaseId;
  readonly custody: number;
  readonly policy: PhasePolicy;
  readonly participants: readonly { readonly member: MemberId; readonly roles: number }[];
  readonly epoch: EpochOpening;
}
export interface PhaseLifecycle {
  readonly phase: PhaseId;
  readonly expectedVersion: number;
}
export interface PhaseHandoverSource {
  readonly phase: PhaseId;
  readonly target: PhaseId;
  /** Where the source's log has each record: `item` is null for a leaf of its own, otherwise the index in a handover's items. */
  readonly records: readonly {
    readonly position: number;
    readonly item: number | null;
    readonly id: TransactionId;
  }[];
}
export interface PhaseHandoverTarget {
  readonly phase: PhaseId;
  readonly source: PhaseId;
  readonly epoch: number;
  /** Size and root of the RFC 9162 tree over the items: whoever hands one of them on shows that one only. */
  readonly itemCount: number;
  readonly itemsRoot: Hash;
}
export interface ParticipantAdd {
  readonly phase: PhaseId;
  readonly expectedMembershipVersion: number;
  readonly member: MemberId;
  readonly roles: number;
  readonly grant: number;
  /** First epoch that the newcomer may open, for `GRANTS.fromEpoch`; 0 otherwise. */
  readonly fromEpoch: number;
  /** The secrets of the granted epochs for the newcomer; null with `GRANTS.none`, and from a sender who holds none. */
  readonly envelope: Envelope | null;
  /** The new epoch that `GRANTS.none` opens; null otherwise. Without either the phase is frozen until a participant rotates. */
  readonly epoch: EpochOpening | null;
}
export interface ParticipantRemove {
  readonly phase: PhaseId;
  readonly expectedMembershipVersion: number;
  readonly member: MemberId;
  /** Null when custody forbids the sender to make epochs: the phase is frozen until a participant rotates. */
  readonly epoch: EpochOpening | null;
}
export interface ParticipantRole {
  readonly phase: PhaseId;
  readonly expectedMembershipVersion: number;
  readonly member: MemberId;
  readonly roles: number;
}
export interface EpochRotate {
  readonly phase: PhaseId;
  readonly expectedMembershipVersion: number;
  readonly epoch: EpochOpening;
}
/** A leaf of the phase's log: position, transaction, and the encoded leaf, for the ledger keeps leaf hashes only. */
export interface LeafReference {
  readonly position: number;
  readonly record: TransactionId;
  readonly leaf: Uint8Array;
}
export interface FileReceipt {
  readonly phase: PhaseId;
  /** Records of this phase and, for each, the files of it that the sender's node holds whole. */
  readonly receipts: readonly (LeafReference & { readonly cids: readonly string[] })[];
}
export interface FilePurge {
  readonly phase: PhaseId;
  readonly cid: string;
  readonly reason: string;
  /** Records of this phase that name the file, or the handovers that brought them. */
  readonly references: readonly LeafReference[];
  /** Records of other phases that name it too, by log: what the sender can see, not checked. */
  readonly elsewhere: readonly { readonly logId: LogId; readonly record: TransactionId }[];
}
export interface FilePurgeAck {
  readonly phase: PhaseId;
  /** Peer id of the sender's node that speaks; a node speaks for itself. */
  readonly node: string;
  /** Orders of this phase; `kept` when a record of another phase still names the file, otherwise no byte of it is left. */
  readonly acks: readonly (LeafReference & { readonly cid: string; readonly kept: boolean })[];
}

export interface ProposalCreate {
  readonly title: string;
  /** The last height at which a ballot may be cast. */
  readonly expiresHeight: number;
  /** The set that validator actions are made for. */
  readonly validatorSetId: number;
  readonly actions: readonly Action[];
}
export interface ProposalVote {
  readonly proposal: number;
  readonly approve: boolean;
}
export interface ProposalWithdraw {
  readonly proposal: number;
}
/** What a validator signed: the body of the message; of a PRE-PREPARE the fields that its signature covers. */
export interface EvidenceMessage {
  readonly body: Uint8Array;
  readonly signature: Uint8Array;
}
/** Two messages of one validator for one slot. It proves itself, so it has no member as its sender. */
export interface EvidenceProof {
  readonly validatorSetId: number;
  /** Index in that set. */
  readonly signer: number;
  readonly kind: EvidenceKind;
  readonly first: EvidenceMessage;
  readonly second: EvidenceMessage;
}

/** The contents of each kind's parts, in the order of the parts. */
export interface Contents {
  readonly memberRegister: readonly [MemberRegister];
  readonly memberRotate: readonly [MemberRotate];
  readonly memberRevoke: readonly [MemberRevoke];
  readonly memberUserAdd: readonly [MemberUserAdd];
  readonly memberUserRevoke: readonly [MemberUserRevoke];
  readonly memberSuspend: readonly [MemberSuspend];
  readonly projectCreate: readonly [ProjectCreate];
  readonly projectArchive: readonly [ProjectArchive];
  readonly projectCard: readonly [ProjectCardChange];
  readonly phaseAdd: readonly [PhaseAddProject, PhaseAddPhase];
  readonly phaseOpen: readonly [PhaseLifecycle];
  readonly phaseClose: readonly [PhaseLifecycle];
  readonly phaseCard: readonly [PhaseCardChange];
  readonly flowChange: readonly [FlowChange];
  readonly phaseReopen: readonly [PhaseLifecycle];
  readonly phasePolicy: readonly [PhasePolicyChange];
  readonly phaseArchive: readonly [PhaseLifecycle];
  readonly phaseSkip: readonly [PhaseSkipProject, PhaseLifecycle];
  readonly approvalRequest: readonly [ApprovalRequestContent];
  readonly approvalVote: readonly [ApprovalVote];
  readonly approvalWithdraw: readonly [ApprovalWithdraw];
  readonly phaseHandover: readonly [PhaseHandoverSource, PhaseHandoverTarget, readonly HandoverItem[]];
  readonly participantAdd: readonly [ParticipantAdd];
  readonly participantRemove: readonly [ParticipantRemove];
  readonly participantRole: readonly [ParticipantRole];
  readonly epochRotate: readonly [EpochRotate];
  readonly epochComplaint: readonly [EpochComplaint];
  readonly recoveryShares: readonly [RecoveryShares];
  readonly recoveryAsk: readonly [RecoveryAsk];
  readonly recoveryOffer: readonly [RecoveryOffer];
  /** Signed metadata, and the encrypted payload as it is. */
  readonly recordPut: readonly [RecordMeta, Uint8Array];
  readonly fileReceipt: readonly [FileReceipt];
  readonly filePurge: readonly [FilePurge];
  readonly filePurgeAck: readonly [FilePurgeAck];
  readonly proposalCreate: readonly [ProposalCreate];
  readonly proposalVote: readonly [ProposalVote];
  readonly proposalWithdraw: readonly [ProposalWithdraw];
  readonly evidence: readonly [EvidenceProof];
}

/** A decoded transaction content with its kind. */
export type Operation = { [K in KindName]: { readonly kind: K; readonly contents: Contents[K] } }[KindName];
