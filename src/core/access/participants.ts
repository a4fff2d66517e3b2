import { assertDefined } from '../base/assert.ts';
import type { MemberId } from '../base/ids.ts';
import { LIMITS } from '../types/limits.ts';
import { CUSTODY, GRANTS, type ParticipantAdd } from '../types/operation.ts';
import { OUTCOMES } from '../types/outcome.ts';
import type { Participant, PhaseState, SystemState } from '../types/state.ts';
import { checkApproved, deedOfAdd, deedOfRole } from './approvals.ts';
import { checkOpening, hasEpochLeft, heldFrom, isForCurrentKey, keyholders, openEpoch } from './epochs.ts';
import { recoveryWithout, withoutClaims } from './recovery.ts';
import { type CheckContext, demand, firstRefusal, insertById, type LeafPlace, type Rule } from './rule.ts';
import { checkNewcomer, hasRole, isActive, isStandIn, participantOf, phaseFor } from './standing.ts';
import { formerWith } from './visibility.ts';

function withoutMember(phase: PhaseState, member: MemberId): PhaseState {
  return { ...phase, participants: phase.participants.filter(entry => entry.member !== member) };
}

/**
 * One who holds no keys gives none: the phase is frozen, and a participant seals to the newcomer what it was granted. Nobody
 * lets itself in this way.
 */
function checkKeyless(context: CheckContext, phase: PhaseState, content: ParticipantAdd): number {
  return firstRefusal(
    () => demand(content.envelope === null && content.epoch === null, OUTCOMES.custodyForbids),
    () => demand(content.member !== context.sender.id, OUTCOMES.custodyForbids),
    () => demand(content.fromEpoch < phase.epochs.length, OUTCOMES.staleEpoch),
    () => demand(hasEpochLeft(phase), OUTCOMES.limitReached),
  );
}

/** A grant of history hands out only what the sender holds; a grant of none opens a new epoch. */
function checkGrant(context: CheckContext, phase: PhaseState, content: ParticipantAdd): number {
  const { envelope, epoch, fromEpoch, grant } = content;
  if (grant !== GRANTS.fromEpoch && fromEpoch !== 0) return OUTCOMES.malformed;
  const held = heldFrom(context.state.system(), phase, context.sender.id);
  if (held === null) return checkKeyless(context, phase, content);
  if (grant === GRANTS.none) {
    if (envelope !== null || epoch === null) return OUTCOMES.badEnvelopes;
    const participants = [...phase.participants, { member: content.member }];
    return checkOpening(context, { ...phase, participants }, phase.epochs.length, epoch);
  }
  if (envelope === null || epoch !== null) return OUTCOMES.badEnvelopes;
  return firstRefusal(
    () => demand(fromEpoch < phase.epochs.length, OUTCOMES.staleEpoch),
    () => demand(held <= fromEpoch, OUTCOMES.custodyForbids),
    () =>
      demand(
        envelope.member === content.member && isForCurrentKey(context.state.system(), envelope),
        OUTCOMES.badEnvelopes,
      ),
  );
}

/** What the newcomer may read: from its own leaf on, or from where the granted epoch begins. */
function newcomer(phase: PhaseState, content: ParticipantAdd, place: LeafPlace): Participant {
  const { member, roles, grant, fromEpoch, envelope } = content;
  const next = phase.epochs.length;
  if (grant === GRANTS.none) {
    return { member, roles, startPosition: place.position, fromEpoch: next, heldFrom: next };
  }
  const heldFrom = envelope === null ? next : fromEpoch;
  if (grant === GRANTS.all) return { member, roles, startPosition: 0, fromEpoch, heldFrom };
  const granted = assertDefined(phase.epochs[fromEpoch], 'a granted epoch exists');
  return { member, roles, startPosition: granted.startPosition, fromEpoch, heldFrom };
}

export const participantAdd: Rule<'participantAdd'> = {
  scopes: ({ state }, [content]) => [state.logIdOf('phase', content.phase)],
  check: (context, [content]) => {
    const phase = phaseFor(context, 'participantAdd', content.phase);
    if (typeof phase === 'number') return phase;
    return firstRefusal(
      () => demand(content.expectedMembershipVersion === phase.membershipVersion, OUTCOMES.staleMembership),
      () => demand(participantOf(phase, content.member) === null, OUTCOMES.alreadyParticipant),
      () => checkNewcomer(context.state, content.member),
      () => demand(phase.participants.length < LIMITS.participantsPerPhase, OUTCOMES.limitReached),
      // whoever is in can be removed: its place among the former ones is kept
      () =>
        demand(
          phase.former.length + phase.participants.length < LIMITS.formerPerPhase,
          OUTCOMES.limitReached,
        ),
      () => checkGrant(context, phase, content),
      () => checkApproved(context, phase, deedOfAdd(content)),
    );
  },
  apply: {
    phase: (state, content, place) => {
      const phase = assertDefined(state, 'a phase with participants exists');
      const participants = insertById(phase.participants, newcomer(phase, content, place));
      const grown = { ...phase, participants, membershipVersion: phase.membershipVersion + 1 };
      if (content.epoch !== null) return openEpoch(grown, content.epoch, place);
      return content.envelope === null ? { ...grown, frozen: true } : grown;
    },
  },
};

/** Participants that can make the next epoch when the managing side cannot. */
function rotatorCount(system: SystemState, phase: PhaseState): number {
  const active = phase.participants.filter(entry => isActive(system, entry.member));
  return active.filter(entry => entry.member === phase.owner || hasRole(entry, 'steward')).length;
}

/** Under custody of the participants, nobody else could ever open the next epoch. */
function keepsRotator(system: SystemState, before: PhaseState, after: PhaseState): boolean {
  if (before.custody !== CUSTODY.participants) return true;
  return rotatorCount(system, after) > 0 || rotatorCount(system, before) === 0;
}

export const participantRemove: Rule<'participantRemove'> = {
  scopes: ({ state }, [content]) => [state.logIdOf('phase', content.phase)],
  check: (context, [content]) => {
    const phase = phaseFor(context, 'participantRemove', content.phase);
    if (typeof phase === 'number') return phase;
    const system = context.state.system();
    const recovery = recoveryWithout(phase.recovery, content.member);
    const after = { ...withoutMember(phase, content.member), recovery };
    const senderHolds = keyholders(system, after).has(context.sender.id);
    const standsIn = isStandIn(system, phase, context.sender.id);
    const { epoch } = content;
    return firstRefusal(
      () => demand(content.expectedMembershipVersion === phase.membershipVersion, OUTCOMES.staleMembership),
      () => demand(participantOf(phase, content.member) !== null, OUTCOMES.notParticipant),
      // who stands in clears away the revoked, and disposes of nobody else
      () => demand(!standsIn || !isActive(system, content.member), OUTCOMES.roleMissing),
      () => demand(keepsRotator(system, phase, after), OUTCOMES.lastSteward),
      // without an epoch left, a removal freezes the phase for good: better than one that cannot be made
      () => demand(epoch !== null || !senderHolds || !hasEpochLeft(phase), OUTCOMES.badEnvelopes),
      // one who will not hold the epoch (an outside owner, or whoever removes itself) must not make it
      () => (epoch === null ? OUTCOMES.committed : checkOpening(context, after, phase.epochs.length, epoch)),
      () => checkApproved(context, phase, { kind: 'participantRemove', member: content.member }),
    );
  },
  apply: {
    phase: (state, content, place) => {
      const phase = assertDefined(state, 'a phase with participants exists');
      const leaving = assertDefined(participantOf(phase, content.member), 'who is removed was in the phase');
      const end = place.position + 1;
      const remaining = withoutClaims(withoutMember(phase, content.member), content.member, end);
      const shrunk = {
        ...remaining,
        former: formerWith(remaining.former, leaving, end),
        membershipVersion: phase.membershipVersion + 1,
      };
      return content.epoch === null ? { ...shrunk, frozen: true } : openEpoch(shrunk, content.epoch, place);
    },
  },
};

function withRoles(phase: PhaseState, member: MemberId, roles: number): PhaseState {
  const participants = phase.participants.map(entry =>
    entry.member === member ? { ...entry, roles } : entry,
  );
  return { ...phase, participants };
}

export const participantRole: Rule<'participantRole'> = {
  scopes: ({ state }, [content]) => [state.logIdOf('phase', content.phase)],
  check: (context, [content]) => {
    const phase = phaseFor(context, 'participantRole', content.phase);
    if (typeof phase === 'number') return phase;
    const after = withRoles(phase, content.member, content.roles);
    return firstRefusal(
      () => demand(content.expectedMembershipVersion === phase.membershipVersion, OUTCOMES.staleMembership),
      () => demand(participantOf(phase, content.member) !== null, OUTCOMES.notParticipant),
      () => demand(keepsRotator(context.state.system(), phase, after), OUTCOMES.lastSteward),
      () => checkApproved(context, phase, deedOfRole(content)),
    );
  },
  apply: {
    phase: (state, content) => {
      const phase = assertDefined(state, 'a phase with participants exists');
      const after = withRoles(phase, content.member, content.roles);
      return { ...after, membershipVersion: phase.membershipVersion + 1 };
    },
  },
};
