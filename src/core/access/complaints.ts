import { assertDefined } from '../base/assert.ts';
import type { Complaint } from '../types/custody.ts';
import { LIFECYCLE } from '../types/operation.ts';
import { OUTCOMES } from '../types/outcome.ts';
import type { PhaseState, SystemState } from '../types/state.ts';
import { currentEpoch, keyholders } from './epochs.ts';
import { demand, firstRefusal, insertById, type Rule } from './rule.ts';
import { isActive, phaseFor } from './standing.ts';

/** Epochs in a row whose complaints of one member nodes act upon: who cries wolf cannot make them open epochs for ever. */
const HEEDED_TIMES = 3;

/** Of the current epoch, by those who are still there. */
export function openComplaints(system: SystemState, phase: PhaseState): Complaint[] {
  const { number } = currentEpoch(phase);
  return phase.complaints.filter(({ member, epoch }) => epoch === number && isActive(system, member));
}

/** Those upon which a node of a rotator opens the next epoch by itself. */
export function heededComplaints(system: SystemState, phase: PhaseState): Complaint[] {
  return openComplaints(system, phase).filter(({ times }) => times <= HEEDED_TIMES);
}

/** By a key holder, once an epoch: the ledger cannot see into envelopes, so it takes its word, under its name. */
export const epochComplaint: Rule<'epochComplaint'> = {
  scopes: ({ state }, [content]) => [state.logIdOf('phase', content.phase)],
  check: (context, [content]) => {
    const phase = phaseFor(context, 'epochComplaint', content.phase);
    if (typeof phase === 'number') return phase;
    const sender = context.sender.id;
    const known = phase.complaints.some(({ member, epoch }) => member === sender && epoch === content.epoch);
    return firstRefusal(
      () => demand(phase.lifecycle !== LIFECYCLE.archived, OUTCOMES.wrongLifecycle),
      () => demand(keyholders(context.state.system(), phase).has(sender), OUTCOMES.custodyForbids),
      () => demand(content.epoch === currentEpoch(phase).number, OUTCOMES.staleEpoch),
      () => demand(!known, OUTCOMES.complaintExists),
    );
  },
  apply: {
    phase: (state, { epoch, reason }, { sender: member, height }) => {
      const phase = assertDefined(state, 'a phase with epochs exists');
      const before = phase.complaints.find(entry => entry.member === member);
      const times = before?.epoch === epoch - 1 ? before.times + 1 : 1;
      const others = phase.complaints.filter(entry => entry.member !== member);
      return { ...phase, complaints: insertById(others, { member, epoch, reason, height, times }) };
    },
  },
};
