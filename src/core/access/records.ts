import type { MemberId } from '../base/ids.ts';
import { LIFECYCLE } from '../types/operation.ts';
import { OUTCOMES } from '../types/outcome.ts';
import type { PhaseState } from '../types/state.ts';
import { currentEpoch } from './epochs.ts';
import { demand, firstRefusal, type Rule } from './rule.ts';
import { participantOf, phaseFor } from './standing.ts';

/** What keeps a member from writing records into a phase as it is; `committed` when nothing does. */
export function writerOutcome(phase: PhaseState, member: MemberId): number {
  const participant = participantOf(phase, member);
  return firstRefusal(
    () => demand(participant !== null, OUTCOMES.notParticipant),
    () => demand(((participant?.roles ?? 0) & phase.policy.writers) !== 0, OUTCOMES.roleMissing),
    () => demand(phase.lifecycle === LIFECYCLE.open, OUTCOMES.wrongLifecycle),
    () => demand(!phase.frozen, OUTCOMES.phaseFrozen),
  );
}

/** The phase is named by its log id only: the parts of a record do not repeat it. A record changes no state but its log. */
export const recordPut: Rule<'recordPut'> = {
  scopes: ({ scopes }) => scopes.slice(0, 1),
  check: (context, [meta]) => {
    const ref = context.state.logScope(context.scopes[0]!);
    if (ref === null) return OUTCOMES.unknownPhase;
    if (ref.scope !== 'phase') return OUTCOMES.wrongScopes;
    const phase = phaseFor(context, 'recordPut', ref.id);
    if (typeof phase === 'number') return phase;
    return firstRefusal(
      () => writerOutcome(phase, context.sender.id),
      () => demand(meta.epoch === currentEpoch(phase).number, OUTCOMES.staleEpoch),
    );
  },
  apply: {},
};
