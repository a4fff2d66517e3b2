import type { MemberId, PhaseId, ProjectId } from '../base/ids.ts';
import type { ScopeRef } from '../codec/state.ts';
import { findMember } from '../ledger/read.ts';
import { LIMITS } from '../types/limits.ts';
import { type KindName, ROLES } from '../types/operation.ts';
import { OUTCOMES } from '../types/outcome.ts';
import type { Member, Participant, PhaseState, ProjectState, SystemState } from '../types/state.ts';
import type { CheckContext, LedgerReader } from './rule.ts';

/**
 * Who may do what; any one of the names suffices. `self` is the member concerned, `owner` the project's or phase's owner,
 * the other names after it are roles in the phase (for a handover: in the source). `standIn` is a contributor of a phase whose
 * owner and stewards are all revoked: without it nobody could ever open an epoch there again. `holder` is who holds a share of
 * the phase's recovery key. A revoked member may nothing.
 * Evidence has no member as its sender: `nobody`.
 */
export const WHO_MAY = {
  memberRegister: ['administrator'],
  memberRotate: ['self'],
  memberRevoke: ['administrator'],
  memberUserAdd: ['self'],
  memberUserRevoke: ['self'],
  memberSuspend: ['administrator'],
  projectCreate: ['member'],
  projectArchive: ['owner'],
  projectCard: ['owner'],
  phaseAdd: ['owner'],
  phaseOpen: ['owner', 'steward'],
  phaseClose: ['owner', 'steward'],
  phaseCard: ['owner', 'steward'],
  phaseHandover: ['owner', 'steward'],
  participantAdd: ['owner', 'steward'],
  participantRemove: ['owner', 'steward', 'standIn'],
  participantRole: ['owner', 'steward'],
  epochRotate: ['owner', 'steward', 'standIn'],
  // and of those, who holds the keys
  epochComplaint: ['owner', 'participant'],
  recoveryShares: ['owner', 'steward'],
  recoveryAsk: ['participant'],
  recoveryOffer: ['holder'],
  // and of those, whom the phase's policy lets write
  recordPut: ['participant'],
  fileReceipt: ['participant'],
  proposalCreate: ['administrator'],
  proposalVote: ['administrator'],
  proposalWithdraw: ['self'],
  evidence: ['nobody'],
  filePurge: ['owner', 'steward'],
  filePurgeAck: ['participant'],
  flowChange: ['owner'],
  phaseReopen: ['owner', 'steward'],
  phasePolicy: ['owner'],
  phaseArchive: ['owner'],
  phaseSkip: ['owner'],
  // who may do what is asked for: each kind of deed has its own line here
  approvalRequest: ['owner', 'steward'],
  approvalVote: ['participant'],
  approvalWithdraw: ['owner', 'participant'],
} as const satisfies Record<KindName, readonly Standing[]>;

export type Standing =
  | 'administrator'
  | 'self'
  | 'member'
  | 'owner'
  | 'steward'
  | 'contributor'
  | 'standIn'
  | 'holder'
  | 'participant'
  | 'nobody';

/** Neither revoked nor suspended: what it signs now counts. */
export function mayAct(member: Member): boolean {
  return !member.revoked && member.suspendedHeight === 0;
}

/** Is a member, and neither revoked nor suspended. */
export function isAble(system: SystemState, member: MemberId): boolean {
  const found = findMember(system, member);
  return found !== null && mayAct(found);
}

export function isSuspended(system: SystemState, member: MemberId): boolean {
  return (findMember(system, member)?.suspendedHeight ?? 0) > 0;
}

/** Of those who hold the office; one that is suspended keeps it, and cannot use it. */
export function activeAdministrators(system: SystemState): MemberId[] {
  return system.administrators.filter(id => isAble(system, id));
}

export function isAdministrator(system: SystemState, member: Member): boolean {
  return !member.revoked && system.administrators.includes(member.id);
}

export function participantOf(phase: PhaseState, member: MemberId): Participant | null {
  return phase.participants.find(entry => entry.member === member) ?? null;
}

export function hasRole(participant: Participant | null, role: keyof typeof ROLES): boolean {
  return participant !== null && (participant.roles & ROLES[role]) !== 0;
}

/** Not revoked; a suspended member keeps its place. */
export function isActive(system: SystemState, member: MemberId): boolean {
  return findMember(system, member)?.revoked === false;
}

/** Holds a share of the recovery key; need not be a participant. */
export function isHolder({ recovery }: PhaseState, member: MemberId): boolean {
  return recovery?.holders.some(entry => entry.member === member) ?? false;
}

/** Participants, and holders of shares: whoever reads on with the log, besides the owner. */
export function partakersOf({ participants, recovery }: PhaseState): ReadonlySet<MemberId> {
  return new Set([...participants, ...(recovery?.holders ?? [])].map(({ member }) => member));
}

/** An owner that is there, even without keys, can make somebody a steward; only when nobody can, a contributor stands in. */
export function isStandIn(system: SystemState, phase: PhaseState, member: MemberId): boolean {
  const isLed =
    isActive(system, phase.owner) ||
    phase.participants.some(entry => hasRole(entry, 'steward') && isActive(system, entry.member));
  return !isLed && hasRole(participantOf(phase, member), 'contributor');
}

function hasStanding(system: SystemState, phase: PhaseState, member: MemberId, standing: Standing): boolean {
  if (standing === 'owner') return phase.owner === member;
  if (standing === 'standIn') return isStandIn(system, phase, member);
  if (standing === 'holder') return isHolder(phase, member);
  const participant = participantOf(phase, member);
  if (standing === 'participant') return participant !== null;
  if (standing === 'steward' || standing === 'contributor') return hasRole(participant, standing);
  return false;
}

/** The phase if the sender may do this in it; otherwise the outcome that says why not. */
export function phaseFor(context: CheckContext, kind: KindName, id: PhaseId): PhaseState | number {
  const phase = context.state.phase(id);
  if (phase === null) return OUTCOMES.unknownPhase;
  const member = context.sender.id;
  if (WHO_MAY[kind].some(standing => hasStanding(context.state.system(), phase, member, standing))) {
    return phase;
  }
  return participantOf(phase, member) === null ? OUTCOMES.notParticipant : OUTCOMES.roleMissing;
}

/** The project if the sender owns it; otherwise the outcome that says why not. */
export function ownProject(context: CheckContext, id: ProjectId): ProjectState | number {
  const project = context.state.project(id);
  if (project === null) return OUTCOMES.unknownProject;
  return project.owner === context.sender.id ? project : OUTCOMES.notOwner;
}

/** A member that may be brought into a phase. */
export function checkNewcomer(state: LedgerReader, id: MemberId): number {
  const member = findMember(state.system(), id);
  if (member === null) return OUTCOMES.unknownMember;
  if (member.revoked) return OUTCOMES.memberRevoked;
  if (!mayAct(member)) return OUTCOMES.memberSuspended;
  return state.memberScopeCount(id) < LIMITS.scopesPerMember ? OUTCOMES.committed : OUTCOMES.limitReached;
}

/**
 * Whether a refused transaction of this member leaves a leaf in the scope: only where it has a say, so that a stranger cannot
 * write into a foreign log, nor anybody into the log that every node must read.
 */
export function mayLeaveRefusal(state: LedgerReader, member: Member, ref: ScopeRef): boolean {
  if (!mayAct(member)) return false;
  if (ref.scope === 'system') return isAdministrator(state.system(), member);
  if (ref.scope === 'project') return state.project(ref.id)?.owner === member.id;
  const phase = state.phase(ref.id);
  if (phase === null) return false;
  return phase.owner === member.id || participantOf(phase, member.id) !== null || isHolder(phase, member.id);
}
