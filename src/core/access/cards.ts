import { assertDefined } from '../base/assert.ts';
import { LIFECYCLE } from '../types/operation.ts';
import { OUTCOMES } from '../types/outcome.ts';
import { currentEpoch, keyholders } from './epochs.ts';
import { demand, firstRefusal, type Rule } from './rule.ts';
import { ownProject, phaseFor } from './standing.ts';

/** What a card says nobody can check here: it is sealed. */
export const projectCard: Rule<'projectCard'> = {
  scopes: ({ state }, [content]) => [state.logIdOf('project', content.project)],
  check: (context, [content]) => {
    const project = ownProject(context, content.project);
    if (typeof project === 'number') return project;
    const { phase } = content;
    return firstRefusal(
      () => demand(content.expectedVersion === project.version, OUTCOMES.staleVersion),
      () => demand(phase === null || project.phases.some(({ id }) => id === phase), OUTCOMES.unknownPhase),
    );
  },
  apply: {
    project: (state, { phase, card }) => {
      const project = assertDefined(state, 'a project that is renamed exists');
      const version = project.version + 1;
      if (phase === null) return { ...project, card, version };
      const phases = project.phases.map(entry => (entry.id === phase ? { ...entry, card } : entry));
      return { ...project, phases, version };
    },
  },
};

export const phaseCard: Rule<'phaseCard'> = {
  scopes: ({ state }, [content]) => [state.logIdOf('phase', content.phase)],
  check: (context, [content]) => {
    const phase = phaseFor(context, 'phaseCard', content.phase);
    if (typeof phase === 'number') return phase;
    const holders = keyholders(context.state.system(), phase);
    return firstRefusal(
      () => demand(content.expectedMembershipVersion === phase.membershipVersion, OUTCOMES.staleMembership),
      () => demand(phase.lifecycle !== LIFECYCLE.archived, OUTCOMES.wrongLifecycle),
      () => demand(holders.has(context.sender.id), OUTCOMES.custodyForbids),
      // those who were removed still hold this epoch's secret
      () => demand(!phase.frozen, OUTCOMES.phaseFrozen),
      () => demand(content.card.epoch === currentEpoch(phase).number, OUTCOMES.staleEpoch),
    );
  },
  apply: {
    phase: (state, { card }) => {
      const phase = assertDefined(state, 'a phase that is renamed exists');
      return { ...phase, card, membershipVersion: phase.membershipVersion + 1 };
    },
  },
};
