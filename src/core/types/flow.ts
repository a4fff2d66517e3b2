import type { MemberId, PhaseId, ProjectId, TransactionId } from '../base/ids.ts';

/** Approvals that a deed needs: `k` participants that have one of the roles; none where k is 0. */
export interface ApprovalRule {
  /** Bits of `ROLES`. */
  readonly roles: number;
  readonly k: number;
}

/** What of a phase can ask for approvals. */
export type Guarded = 'close' | 'handover' | 'add' | 'remove';

export interface CopiesPolicy {
  /** Copies of each file that the phase's nodes work towards, and the number under which a record shows a gap. */
  readonly copiesTarget: number;
  readonly copiesMinimum: number;
}

export interface PhasePolicy extends CopiesPolicy {
  /** Bits of `ROLES`: who has one of them may write records. */
  readonly writers: number;
  readonly approvals: Readonly<Record<Guarded, ApprovalRule>>;
  /** Days after its end for which files of the phase may not be purged; then they are due. 0: no such time. */
  readonly retentionDays: number;
}

/** How what comes before a phase changes; `before` is compared with what is there. */
export interface Rewiring {
  readonly phase: PhaseId;
  readonly before: readonly PhaseId[];
  readonly after: readonly PhaseId[];
}

export interface FlowChange {
  readonly project: ProjectId;
  readonly expectedVersion: number;
  readonly changes: readonly Rewiring[];
}

/** The project's part of a skip: what came after the phase comes after its predecessors from then on. */
export interface PhaseSkipProject extends FlowChange {
  readonly phase: PhaseId;
}

export interface PhasePolicyChange {
  readonly phase: PhaseId;
  readonly expectedVersion: number;
  readonly before: PhasePolicy;
  readonly after: PhasePolicy;
}

/**
 * What approvers are asked for: the whole meaning of a transaction, without what is drawn anew each time it is made
 * (envelopes, salts).
 */
export type Deed =
  | { readonly kind: 'phaseClose' }
  | { readonly kind: 'phaseSkip' }
  /** Every record that the phase has when it is asked for, where `records` is empty. */
  | { readonly kind: 'phaseHandover'; readonly target: PhaseId; readonly records: readonly TransactionId[] }
  | {
      readonly kind: 'participantAdd';
      readonly member: MemberId;
      readonly roles: number;
      readonly grant: number;
      readonly fromEpoch: number;
    }
  | { readonly kind: 'participantRole'; readonly member: MemberId; readonly roles: number }
  | { readonly kind: 'participantRemove'; readonly member: MemberId }
  | { readonly kind: 'recoveryShares'; readonly threshold: number; readonly holders: readonly MemberId[] }
  | { readonly kind: 'phasePolicy'; readonly policy: PhasePolicy };

/** A deed that waits for approvals. It ends with its height, or when the phase or its members change. */
export interface ApprovalRequest {
  /** Position of its leaf in the phase's log. */
  readonly number: number;
  readonly deed: Deed;
  readonly requester: MemberId;
  readonly height: number;
  /** The last height at which it is approved or carried out. */
  readonly expiresHeight: number;
  /** Of the phase, when it was asked for. */
  readonly version: number;
  readonly membershipVersion: number;
  readonly votes: readonly { readonly member: MemberId; readonly approve: boolean }[];
}

export interface ApprovalRequestContent {
  readonly phase: PhaseId;
  readonly expectedVersion: number;
  readonly expectedMembershipVersion: number;
  readonly expiresHeight: number;
  readonly deed: Deed;
}

export interface ApprovalVote {
  readonly phase: PhaseId;
  readonly request: number;
  readonly approve: boolean;
}

export interface ApprovalWithdraw {
  readonly phase: PhaseId;
  readonly request: number;
}

const NO_APPROVALS: ApprovalRule = { roles: 4, k: 0 };

/** Contributors and stewards write, nobody approves, everything stays. */
export const DEFAULT_POLICY: PhasePolicy = {
  copiesTarget: 2,
  copiesMinimum: 1,
  writers: 2 | 8,
  approvals: { close: NO_APPROVALS, handover: NO_APPROVALS, add: NO_APPROVALS, remove: NO_APPROVALS },
  retentionDays: 0,
};
