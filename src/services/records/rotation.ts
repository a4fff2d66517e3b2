import { heededComplaints, openComplaints } from '../../core/access/complaints.ts';
import { awaitingHistory, currentEpoch, hasEpochLeft, keyholders } from '../../core/access/epochs.ts';
import { awaitingAfterLoss } from '../../core/access/lost-keys.ts';
import { hasRole, isStandIn, isSuspended, participantOf } from '../../core/access/standing.ts';
import type { MemberId } from '../../core/base/ids.ts';
import { CUSTODY } from '../../core/types/operation.ts';
import type { Participant, PhaseState, SystemState } from '../../core/types/state.ts';

/** Why a phase needs its next epoch: nobody can write, somebody cannot read, or somebody lacks what it was granted. */
export type RotationReason = 'frozen' | 'complaint' | 'history';

/** @param givesFrom first epoch from which on whoever would rotate can hand out every secret */
export function rotationReason(
  system: SystemState,
  phase: PhaseState,
  givesFrom: number,
): RotationReason | null {
  if (!hasEpochLeft(phase)) return null;
  const lost = awaitingAfterLoss(system, phase);
  // administrators could choose these keys: what participants keep among themselves, a person hands out, or removes the member
  if (lost.length > 0 && phase.custody === CUSTODY.participants) return null;
  if (phase.frozen && phase.custody === CUSTODY.participants) return 'frozen';
  if (heededComplaints(system, phase).length > 0) return 'complaint';
  const isDue = lost.length > 0 && givesFrom < phase.epochs.length;
  return isDue || awaitingHistory(system, phase, givesFrom).length > 0 ? 'history' : null;
}

/** Somebody waits for secrets of the past that this one could give. */
function givesHistory(system: SystemState, phase: PhaseState, entry: Participant | null): boolean {
  return entry !== null && awaitingHistory(system, phase, entry.heldFrom).length > 0;
}

/**
 * Who may open the next epoch, in the order of their turns: it begins with another member at each epoch, so that one whose node
 * is gone does not delay every time. Whoever can give what somebody waits for comes before the others, whose envelopes are
 * complained about after them, and who has lost its keys last.
 */
export function rotatorsOf(system: SystemState, phase: PhaseState): MemberId[] {
  const holders = keyholders(system, phase);
  const isIn = participantOf(phase, phase.owner) !== null;
  const all = [...phase.participants.map(({ member }) => member), ...(isIn ? [] : [phase.owner])];
  const members = all.filter(id => holders.has(id) && !isSuspended(system, id));
  const led = members.filter(id => id === phase.owner || hasRole(participantOf(phase, id), 'steward'));
  const rotators = led.length > 0 ? led : members.filter(id => isStandIn(system, phase, id));
  if (rotators.length === 0) return [];
  const first = phase.epochs.length % rotators.length;
  const accused = openComplaints(system, phase).length > 0 ? currentEpoch(phase).opener : null;
  const lost = new Set(awaitingAfterLoss(system, phase).map(({ member }) => member));
  const rank = (id: MemberId) => {
    if (lost.has(id)) return 3;
    if (id === accused) return 2;
    return givesHistory(system, phase, participantOf(phase, id)) ? 0 : 1;
  };
  return [...rotators.slice(first), ...rotators.slice(0, first)].sort((a, b) => rank(a) - rank(b));
}
