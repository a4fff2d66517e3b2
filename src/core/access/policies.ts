import { assertDefined } from '../base/assert.ts';
import { equalBytes } from '../base/bytes.ts';
import { policyBytes } from '../codec/flow.ts';
import type { PhasePolicy } from '../types/flow.ts';
import { LIMITS } from '../types/limits.ts';
import { LIFECYCLE } from '../types/operation.ts';
import { OUTCOMES } from '../types/outcome.ts';
import { checkApproved } from './approvals.ts';
import { demand, firstRefusal, type Rule } from './rule.ts';
import { phaseFor } from './standing.ts';

/** What the encoding does not hold to. */
export function hasPolicyForm({ copiesMinimum, copiesTarget, approvals }: PhasePolicy): boolean {
  const rules = Object.values(approvals);
  return copiesMinimum <= copiesTarget && rules.every(({ k }) => k <= LIMITS.participantsPerPhase);
}

function isSamePolicy(a: PhasePolicy, b: PhasePolicy): boolean {
  return equalBytes(policyBytes(a), policyBytes(b));
}

/** A change names what it replaces, so that its log entry says "before → after" by itself. */
export const phasePolicy: Rule<'phasePolicy'> = {
  scopes: ({ state }, [content]) => [state.logIdOf('phase', content.phase)],
  check: (context, [content]) => {
    const phase = phaseFor(context, 'phasePolicy', content.phase);
    if (typeof phase === 'number') return phase;
    const { before, after } = content;
    return firstRefusal(
      () => demand(phase.lifecycle !== LIFECYCLE.archived, OUTCOMES.wrongLifecycle),
      () => demand(content.expectedVersion === phase.version, OUTCOMES.staleVersion),
      () => demand(isSamePolicy(before, phase.policy), OUTCOMES.staleVersion),
      () => demand(hasPolicyForm(after) && !isSamePolicy(before, after), OUTCOMES.malformed),
      () => checkApproved(context, phase, { kind: 'phasePolicy', policy: after }),
    );
  },
  apply: {
    phase: (state, { after }) => {
      const phase = assertDefined(state, 'a phase with a policy exists');
      return { ...phase, policy: after, version: phase.version + 1 };
    },
  },
};
