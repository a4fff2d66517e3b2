import { assertDefined } from '../base/assert.ts';
import { equalBytes } from '../base/bytes.ts';
import { deedBytes } from '../codec/flow.ts';
import type { ApprovalRequest, ApprovalRule, Deed } from '../types/flow.ts';
import { LIMITS } from '../types/limits.ts';
import type { ParticipantAdd, ParticipantRole } from '../types/operation.ts';
import { OUTCOMES } from '../types/outcome.ts';
import type { PhaseState, SystemState } from '../types/state.ts';
import { type CheckContext, demand, firstRefusal, type LedgerReader, type Rule } from './rule.ts';
import { isActive, isSuspended, participantOf, phaseFor } from './standing.ts';

export function deedOfAdd({ member, roles, grant, fromEpoch }: ParticipantAdd): Deed {
  return { kind: 'participantAdd', member, roles, grant, fromEpoch };
}

export function deedOfRole({ member, roles }: ParticipantRole): Deed {
  return { kind: 'participantRole', member, roles };
}

const GUARDED = ['close', 'handover', 'add', 'remove'] as const;

function sameRule(a: ApprovalRule, b: ApprovalRule): boolean {
  return a.roles === b.roles && a.k === b.k;
}

/**
 * What the policy asks of a deed. Who chooses the roles chooses the approvers, so a change of roles counts as adding; so do
 * holders of shares, since enough of them can read, and the removal of an approver, since fewer would do without it; and who
 * may change a rule alone has none, so a change of it needs what the rule itself asks for, and a shorter retention what ending
 * the phase asks for.
 */
function rulesFor(phase: PhaseState, deed: Deed): ApprovalRule[] {
  const { approvals } = phase.policy;
  if (deed.kind === 'phaseHandover') return [approvals.handover];
  if (['participantAdd', 'participantRole', 'recoveryShares'].includes(deed.kind)) return [approvals.add];
  if (deed.kind === 'participantRemove') {
    const roles = participantOf(phase, deed.member)?.roles ?? 0;
    const approves = GUARDED.some(name => approvals[name].k > 0 && (approvals[name].roles & roles) !== 0);
    return approves && approvals.add.k > 0 ? [approvals.remove, approvals.add] : [approvals.remove];
  }
  if (deed.kind !== 'phasePolicy') return [approvals.close];
  const after = deed.policy.approvals;
  const changed = GUARDED.filter(name => !sameRule(approvals[name], after[name])).map(
    name => approvals[name],
  );
  return deed.policy.retentionDays < phase.policy.retentionDays ? [...changed, approvals.close] : changed;
}

export interface ApprovalTally {
  readonly roles: number;
  /** Not more than there are active participants with the roles: the revoked must not stop a phase for ever. */
  readonly needed: number;
  readonly approvals: number;
  readonly rejections: number;
}

/** Of what is asked of the deed now: only participants who are active and have the roles now count. */
export function tallyOf(
  system: SystemState,
  phase: PhaseState,
  deed: Deed,
  votes: ApprovalRequest['votes'],
): ApprovalTally[] {
  return rulesFor(phase, deed).map(({ roles, k }) => {
    const voters = phase.participants.filter(
      entry => (entry.roles & roles) !== 0 && isActive(system, entry.member),
    );
    const names = new Set(voters.map(entry => entry.member));
    // a suspension takes votes away, and does not lower what is asked for
    const cast = votes.filter(vote => names.has(vote.member) && !isSuspended(system, vote.member));
    const approvals = cast.filter(vote => vote.approve).length;
    return { roles, needed: Math.min(k, names.size), approvals, rejections: cast.length - approvals };
  });
}

function isSatisfied(tallies: readonly ApprovalTally[]): boolean {
  return tallies.every(({ approvals, needed }) => approvals >= needed);
}

/** A member that was revoked is removed by whoever may, at once [DESIGN.md section 5]. */
function isExempt(system: SystemState, deed: Deed): boolean {
  return deed.kind === 'participantRemove' && !isActive(system, deed.member);
}

/** Whether the phase's policy asks for approvals of this deed at all. */
export function needsApproval(system: SystemState, phase: PhaseState, deed: Deed): boolean {
  return !isExempt(system, deed) && !isSatisfied(tallyOf(system, phase, deed, []));
}

/** One that can still be approved and carried out. */
export function isAlive(phase: PhaseState, request: ApprovalRequest, height: number): boolean {
  return (
    request.version === phase.version &&
    request.membershipVersion === phase.membershipVersion &&
    height <= request.expiresHeight
  );
}

/** Where a record stands in the phase's log that hands it over. */
type HandedPlace = { readonly id: string; readonly position: number };

export function covers(request: ApprovalRequest, deed: Deed, handed: readonly HandedPlace[]): boolean {
  const asked = request.deed;
  if (deed.kind !== 'phaseHandover' || asked.kind !== 'phaseHandover') {
    return equalBytes(deedBytes(asked), deedBytes(deed));
  }
  if (asked.target !== deed.target) return false;
  if (asked.records.length === 0) return handed.every(({ position }) => position < request.number);
  const ids = new Set<string>(asked.records);
  return handed.every(({ id }) => ids.has(id));
}

/** The request under which the deed may be carried out at this height; null when there is none yet. */
export function approvedRequest(
  system: SystemState,
  phase: PhaseState,
  deed: Deed,
  height: number,
  handed: readonly HandedPlace[] = [],
): ApprovalRequest | null {
  const fits = (request: ApprovalRequest) =>
    isAlive(phase, request, height) &&
    covers(request, deed, handed) &&
    isSatisfied(tallyOf(system, phase, deed, request.votes));
  return phase.requests.find(fits) ?? null;
}

/**
 * Committed when the policy asks for nothing, or when a request for exactly this deed has its approvals.
 * @param handed of a handover: the records of this transaction
 */
export function checkApproved(
  { state, height }: { readonly state: Pick<LedgerReader, 'system'>; readonly height: number },
  phase: PhaseState,
  deed: Deed,
  handed: readonly HandedPlace[] = [],
): number {
  const system = state.system();
  if (!needsApproval(system, phase, deed)) return OUTCOMES.committed;
  const found = approvedRequest(system, phase, deed, height, handed);
  return demand(found !== null, OUTCOMES.approvalMissing);
}

function withRequests(phase: PhaseState, requests: readonly ApprovalRequest[], height: number): PhaseState {
  return { ...phase, requests: requests.filter(request => isAlive(phase, request, height)) };
}

/** By whoever may do the deed, who asks the others; its own approval comes with it where its roles count. */
export const approvalRequest: Rule<'approvalRequest'> = {
  scopes: ({ state }, [content]) => [state.logIdOf('phase', content.phase)],
  check: (context, [content]) => {
    const { deed } = content;
    const phase = phaseFor(context, deed.kind, content.phase);
    if (typeof phase === 'number') return phase;
    const alive = phase.requests.filter(request => isAlive(phase, request, context.height));
    const same = alive.some(request => equalBytes(deedBytes(request.deed), deedBytes(deed)));
    return firstRefusal(
      () => demand(content.expectedVersion === phase.version, OUTCOMES.staleVersion),
      () => demand(content.expectedMembershipVersion === phase.membershipVersion, OUTCOMES.staleMembership),
      () => demand(content.expiresHeight >= context.height, OUTCOMES.requestOver),
      () => demand(needsApproval(context.state.system(), phase, deed), OUTCOMES.approvalNotNeeded),
      // one handover of everything may follow another: more records have come since
      () => demand(!same || deed.kind === 'phaseHandover', OUTCOMES.requestExists),
      () => demand(alive.length < LIMITS.requestsPerPhase, OUTCOMES.limitReached),
    );
  },
  apply: {
    phase: (state, content, { sender, height, position }) => {
      const phase = assertDefined(state, 'a phase with requests exists');
      const { expectedVersion: version, expectedMembershipVersion: membershipVersion } = content;
      const request: ApprovalRequest = {
        ...{ number: position, deed: content.deed, requester: sender, height, version, membershipVersion },
        expiresHeight: content.expiresHeight,
        votes: participantOf(phase, sender) === null ? [] : [{ member: sender, approve: true }],
      };
      return withRequests(phase, [...phase.requests, request], height);
    },
  },
};

/** The request while it can be decided; otherwise the outcome that says why not. */
function openRequest({ height }: CheckContext, phase: PhaseState, number: number): ApprovalRequest | number {
  const request = phase.requests.find(entry => entry.number === number);
  if (request === undefined) return OUTCOMES.unknownRequest;
  return isAlive(phase, request, height) ? request : OUTCOMES.requestOver;
}

export const approvalVote: Rule<'approvalVote'> = {
  scopes: ({ state }, [content]) => [state.logIdOf('phase', content.phase)],
  check: (context, [content]) => {
    const phase = phaseFor(context, 'approvalVote', content.phase);
    if (typeof phase === 'number') return phase;
    const request = openRequest(context, phase, content.request);
    if (typeof request === 'number') return request;
    const roles = participantOf(phase, context.sender.id)?.roles ?? 0;
    const counts = rulesFor(phase, request.deed).some(rule => rule.k > 0 && (rule.roles & roles) !== 0);
    return firstRefusal(
      () => demand(counts, OUTCOMES.roleMissing),
      () => demand(!request.votes.some(({ member }) => member === context.sender.id), OUTCOMES.alreadyVoted),
    );
  },
  apply: {
    phase: (state, { request: number, approve }, { sender, height }) => {
      const phase = assertDefined(state, 'a phase with requests exists');
      const requests = phase.requests.map(request =>
        request.number === number
          ? { ...request, votes: [...request.votes, { member: sender, approve }] }
          : request,
      );
      return withRequests(phase, requests, height);
    },
  },
};

export const approvalWithdraw: Rule<'approvalWithdraw'> = {
  scopes: ({ state }, [content]) => [state.logIdOf('phase', content.phase)],
  check: (context, [content]) => {
    const phase = phaseFor(context, 'approvalWithdraw', content.phase);
    if (typeof phase === 'number') return phase;
    const request = phase.requests.find(entry => entry.number === content.request);
    if (request === undefined) return OUTCOMES.unknownRequest;
    return demand(request.requester === context.sender.id, OUTCOMES.notProposer);
  },
  apply: {
    phase: (state, { request }, { height }) => {
      const phase = assertDefined(state, 'a phase with requests exists');
      return withRequests(
        phase,
        phase.requests.filter(({ number }) => number !== request),
        height,
      );
    },
  },
};
