import type { MemberId } from '../base/ids.ts';
import type { Validator, ValidatorSet } from './chain.ts';
import type { MemberCard } from './member.ts';
import type { Parameters } from './state.ts';

/** Who decides about the consortium: `threshold` of `members`. */
export interface Administration {
  readonly members: readonly MemberId[];
  readonly threshold: number;
}

export interface ParameterChange {
  readonly name: keyof Parameters;
  readonly before: number;
  readonly after: number;
}

/** What ballots do to one member; a proposal with such an action has no other. */
export type MemberAction =
  | { readonly type: 'memberSuspend'; readonly member: MemberId; readonly reason: string }
  | { readonly type: 'memberResume'; readonly member: MemberId }
  | { readonly type: 'memberRevoke'; readonly member: MemberId; readonly reason: string }
  /** Other keys and nodes for a member that has lost its keys; `proof` is that of its registration, by the new signing key. */
  | {
      readonly type: 'memberRekey';
      /** Version of the member that the proposer saw. */
      readonly before: number;
      readonly card: MemberCard;
      readonly proof: Uint8Array;
    };

/** What a proposal does when it passes. `before` is what the proposer saw: another value makes the proposal stale. */
export type Action =
  | {
      readonly type: 'validatorAdd';
      readonly validator: Validator;
      /** Multiaddrs at which the others reach it. */
      readonly addresses: readonly string[];
      /** Signature of its consensus key over `validatorKeyBytes`: proof of possession. */
      readonly proof: Uint8Array;
    }
  | { readonly type: 'validatorRemove'; readonly name: string }
  /** The same validator and peer id with a new consensus key, which signs `proof` over `validatorKeyBytes`. */
  | {
      readonly type: 'validatorRekey';
      readonly name: string;
      readonly publicKey: Uint8Array;
      readonly proof: Uint8Array;
    }
  | { readonly type: 'parameters'; readonly changes: readonly ParameterChange[] }
  | { readonly type: 'administrators'; readonly before: Administration; readonly after: Administration }
  /** Blocks from `height` on carry `version`. */
  | {
      readonly type: 'protocolVersion';
      readonly before: number;
      readonly version: number;
      readonly height: number;
    }
  | MemberAction;

export type ActionType = Action['type'];

/** The numbers are part of the chain: never reuse or renumber. */
export const ACTION_TYPES = {
  validatorAdd: 0,
  validatorRemove: 1,
  validatorRekey: 2,
  parameters: 3,
  administrators: 4,
  protocolVersion: 5,
  memberSuspend: 6,
  memberResume: 7,
  memberRevoke: 8,
  memberRekey: 9,
} as const satisfies Record<ActionType, number>;

/** Changeable parameters by the number that stands for their name in a proposal: never reuse or renumber. */
export const PARAMETER_NUMBERS: Readonly<Record<keyof Parameters, number>> = {
  blockTransactionsMax: 0,
  blockBytesMax: 1,
  transactionBytesMax: 2,
  replayWindowBlocks: 3,
  memberTransactionsPerBlockMax: 4,
  memberBytesPerBlockMax: 5,
  clockDriftMsMax: 6,
  checkpointIntervalBlocks: 7,
  windowBlocks: 8,
  viewTimeoutMs: 9,
  viewTimeoutMsMax: 10,
  rotationBlocks: 11,
};

/** Only `open` takes ballots. The numbers are part of the chain: never reuse or renumber. */
export const PROPOSAL_STATUS = {
  open: 0,
  executed: 1,
  rejected: 2,
  withdrawn: 3,
  /** What it changes was changed meanwhile. */
  stale: 4,
  /** It passed, and the ledger refused the change: `reason` says why. */
  failed: 5,
  expired: 6,
} as const;

export type ProposalStatus = keyof typeof PROPOSAL_STATUS;

export interface Ballot {
  readonly member: MemberId;
  readonly approve: boolean;
  readonly height: number;
}

export interface Proposal {
  /** Counts up from 1 in the order of the log. */
  readonly number: number;
  readonly proposer: MemberId;
  readonly title: string;
  /** Height of its block, and its position in the system log. */
  readonly height: number;
  readonly position: number;
  /** The last height at which a ballot may be cast. */
  readonly expiresHeight: number;
  /** The set that its validator actions were made for. */
  readonly validatorSetId: number;
  readonly actions: readonly Action[];
  /** In the order in which they were cast; the proposer's approval first. */
  readonly ballots: readonly Ballot[];
  readonly status: ProposalStatus;
  /** Outcome code that says why a `failed` proposal changed nothing; 0 otherwise. */
  readonly reason: number;
  /** 0 while it is open. */
  readonly closedHeight: number;
}

/** Messages that a validator signs once a slot, and whose second one convicts it. The numbers are those on the wire: `MESSAGE_KINDS` has them from here. */
export const EVIDENCE_KINDS = {
  prePrepare: 1,
  prepare: 2,
  commit: 3,
  checkpoint: 4,
  viewChange: 5,
  newView: 6,
} as const;

export type EvidenceKind = keyof typeof EVIDENCE_KINDS;

export interface EvidenceRecord {
  readonly validatorSetId: number;
  /** Index in that set. */
  readonly signer: number;
  readonly validator: string;
  readonly kind: EvidenceKind;
  /** The slot: 0 where the kind has no view, or no height. */
  readonly view: number;
  readonly slotHeight: number;
  /** Height of the block that recorded it, and its position in the system log. */
  readonly height: number;
  readonly position: number;
}

/** A version of the protocol that blocks carry from `height` on. */
export interface Activation {
  readonly version: number;
  readonly height: number;
}

/** The part of the system scope that only proposals and evidence change. */
export interface Governance {
  /** Version of the headers below the activation's height. */
  readonly protocolVersion: number;
  readonly activation: Activation | null;
  /** The set before the current one, so that evidence against it can still be recorded; null under the first set. */
  readonly previousSet: ValidatorSet | null;
  /** Where validators that were added by a proposal listen; those of genesis stand in the nodes' configurations. */
  readonly addresses: readonly { readonly peerId: string; readonly addresses: readonly string[] }[];
  readonly nextProposal: number;
  /** Ascending by number: the open ones, and the newest of the closed ones. */
  readonly proposals: readonly Proposal[];
  readonly evidence: readonly EvidenceRecord[];
}

export const INITIAL_GOVERNANCE: Governance = {
  protocolVersion: 1,
  activation: null,
  previousSet: null,
  addresses: [],
  nextProposal: 1,
  proposals: [],
  evidence: [],
};

/** The version that a block of this height carries. */
export function protocolVersionAt({ protocolVersion, activation }: Governance, height: number): number {
  return activation !== null && height >= activation.height ? activation.version : protocolVersion;
}
