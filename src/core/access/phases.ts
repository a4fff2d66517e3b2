import { assertDefined } from '../base/assert.ts';
import { LIMITS } from '../types/limits.ts';
import {
  LIFECYCLE,
  type PhaseAddPhase,
  type PhaseAddProject,
  type PhaseLifecycle,
} from '../types/operation.ts';
import { OUTCOMES } from '../types/outcome.ts';
import type { PhaseState, ProjectState } from '../types/state.ts';
import { checkOpening, openEpoch } from './epochs.ts';
import { type CheckContext, demand, firstRefusal, isStrictlyAscending, type Rule } from './rule.ts';
import { checkNewcomer, ownProject, phaseFor } from './standing.ts';

/** Both parts speak of the same phase, in the one order that lists have. */
function isConsistent(project: PhaseAddProject, phase: PhaseAddPhase): boolean {
  return (
    project.project === phase.project &&
    project.phase === phase.phase &&
    new Set(project.predecessors).size === project.predecessors.length &&
    isStrictlyAscending(phase.participants.map(entry => entry.member)) &&
    phase.policy.copiesMinimum <= phase.policy.copiesTarget
  );
}

/** A new phase has no successor yet, so naming itself is the only way to close a circle. */
function checkPredecessors(project: ProjectState, content: PhaseAddProject): number {
  if (content.predecessors.includes(content.phase)) return OUTCOMES.cycle;
  const known = new Set(project.phases.map(phase => phase.id));
  return demand(
    content.predecessors.every(id => known.has(id)),
    OUTCOMES.unknownPhase,
  );
}

function checkParticipants({ state }: CheckContext, content: PhaseAddPhase): number {
  return firstRefusal(...content.participants.map(entry => () => checkNewcomer(state, entry.member)));
}

export const phaseAdd: Rule<'phaseAdd'> = {
  scopes: ({ state }, [inProject, inPhase]) => [
    state.logIdOf('project', inProject.project),
    state.logIdOf('phase', inPhase.phase),
  ],
  check: (context, [inProject, inPhase]) => {
    const project = ownProject(context, inProject.project);
    if (typeof project === 'number') return project;
    return firstRefusal(
      () => demand(!project.archived, OUTCOMES.projectArchived),
      () => demand(inProject.expectedVersion === project.version, OUTCOMES.staleVersion),
      () => demand(isConsistent(inProject, inPhase), OUTCOMES.malformed),
      () => demand(context.state.phase(inPhase.phase) === null, OUTCOMES.phaseExists),
      () => demand(project.phases.length < LIMITS.phasesPerProject, OUTCOMES.limitReached),
      () => checkPredecessors(project, inProject),
      () => checkNewcomer(context.state, project.owner),
      () => checkParticipants(context, inPhase),
      () => checkOpening(context, { ...inPhase, owner: project.owner }, 0, inPhase.epoch),
    );
  },
  apply: {
    project: (state, content) => {
      const project = assertDefined(state, 'a phase is added to a project that exists');
      const { phase: id, card, predecessors } = content;
      const phases = [...project.phases, { id, card, predecessors }];
      return { ...project, version: project.version + 1, phases };
    },
    phase: (_, content, place) => {
      const phase: PhaseState = {
        id: content.phase,
        project: content.project,
        owner: place.sender,
        card: { epoch: content.epoch.number, bytes: content.epoch.card },
        lifecycle: LIFECYCLE.draft,
        version: 0,
        membershipVersion: 0,
        custody: content.custody,
        policy: content.policy,
        frozen: false,
        participants: content.participants.map(entry => ({ ...entry, startPosition: 0, fromEpoch: 0 })),
        former: [],
        epochs: [],
      };
      return openEpoch(phase, content.epoch, place);
    },
  },
};

/** `PhaseState.version` counts lifecycle changes; membership has its own counter, so the two never collide. */
function lifecycleRule(
  kind: 'phaseOpen' | 'phaseClose',
  from: readonly number[],
  to: number,
): Rule<'phaseOpen' | 'phaseClose'> {
  return {
    scopes: ({ state }, [content]) => [state.logIdOf('phase', content.phase)],
    check: (context, [content]) => {
      const phase = phaseFor(context, kind, content.phase);
      if (typeof phase === 'number') return phase;
      return firstRefusal(
        () => demand(from.includes(phase.lifecycle), OUTCOMES.wrongLifecycle),
        () => demand(content.expectedVersion === phase.version, OUTCOMES.staleVersion),
      );
    },
    apply: {
      phase: (state: PhaseState | null, _: PhaseLifecycle) => {
        const phase = assertDefined(state, 'a phase that opens or closes exists');
        return { ...phase, lifecycle: to, version: phase.version + 1 };
      },
    },
  };
}

export const phaseOpen = lifecycleRule('phaseOpen', [LIFECYCLE.draft], LIFECYCLE.open);

/** From draft too: a phase that is skipped is closed without ever having been open. */
export const phaseClose = lifecycleRule('phaseClose', [LIFECYCLE.draft, LIFECYCLE.open], LIFECYCLE.closed);
