import { assertDefined } from '../base/assert.ts';
import type { LogId, MemberId, PhaseId, ProjectId } from '../base/ids.ts';
import { LIMITS } from '../types/limits.ts';
import {
  CUSTODY,
  LIFECYCLE,
  type PhaseAddPhase,
  type PhaseAddProject,
  type PhaseLifecycle,
  ROLES,
} from '../types/operation.ts';
import { OUTCOMES } from '../types/outcome.ts';
import type { PhaseState, ProjectState } from '../types/state.ts';
import { checkApproved } from './approvals.ts';
import { checkEnvelopes, openEpoch } from './epochs.ts';
import { bridged, checkFlow, checkFlowLimits, checkRewirings, isBridge, rewired } from './flow.ts';
import { hasPolicyForm } from './policies.ts';
import {
  type CheckContext,
  demand,
  firstRefusal,
  isStrictlyAscending,
  type LeafPlace,
  type Rule,
} from './rule.ts';
import { checkNewcomer, ownProject, phaseFor } from './standing.ts';

/** Both parts speak of the same phase, in the one order that lists have. */
function isConsistent(project: PhaseAddProject, phase: PhaseAddPhase): boolean {
  return (
    project.project === phase.project &&
    project.phase === phase.phase &&
    isStrictlyAscending(phase.participants.map(entry => entry.member)) &&
    hasPolicyForm(phase.policy)
  );
}

/** With the new phase, and with what comes after it from now on: both or neither. */
function grown(project: ProjectState, content: PhaseAddProject): ProjectState['phases'] {
  const { phase: id, card, predecessors, rewirings } = content;
  return rewired([...project.phases, { id, card, predecessors }], rewirings);
}

function checkParticipants({ state }: CheckContext, content: PhaseAddPhase): number {
  return firstRefusal(...content.participants.map(entry => () => checkNewcomer(state, entry.member)));
}

function projectAndPhase(
  { state }: CheckContext,
  [inProject, inPhase]: readonly [{ readonly project: ProjectId }, { readonly phase: PhaseId }],
): LogId[] {
  return [state.logIdOf('project', inProject.project), state.logIdOf('phase', inPhase.phase)];
}

/**
 * An owner that stays outside makes the first epoch, and nobody writes under it: the phase is frozen until a steward of it
 * has opened the next.
 */
function isFromOutside(custody: number, owner: MemberId, { participants }: PhaseAddPhase): boolean {
  return custody === CUSTODY.participants && participants.every(({ member }) => member !== owner);
}

function checkFirstEpoch(context: CheckContext, content: PhaseAddPhase): number {
  const { participants, custody, epoch } = content;
  const owner = context.sender.id;
  const led = participants.some(({ roles }) => (roles & ROLES.steward) !== 0);
  return firstRefusal(
    () => demand(led || !isFromOutside(custody, owner, content), OUTCOMES.lastSteward),
    () => checkEnvelopes(context, { owner, custody, participants, recovery: null }, 0, epoch),
  );
}

export const phaseAdd: Rule<'phaseAdd'> = {
  scopes: projectAndPhase,
  check: (context, [inProject, inPhase]) => {
    const project = ownProject(context, inProject.project);
    if (typeof project === 'number') return project;
    return firstRefusal(
      () => demand(!project.archived, OUTCOMES.projectArchived),
      () => demand(inProject.expectedVersion === project.version, OUTCOMES.staleVersion),
      () => demand(isConsistent(inProject, inPhase), OUTCOMES.malformed),
      () => demand(context.state.phase(inPhase.phase) === null, OUTCOMES.phaseExists),
      () => demand(project.phases.length < LIMITS.phasesPerProject, OUTCOMES.limitReached),
      () => checkRewirings(project, inProject.rewirings),
      () => checkFlow(grown(project, inProject)),
      () => checkNewcomer(context.state, project.owner),
      () => checkParticipants(context, inPhase),
      () => checkFirstEpoch(context, inPhase),
    );
  },
  apply: {
    project: (state, content) => {
      const project = assertDefined(state, 'a phase is added to a project that exists');
      return { ...project, version: project.version + 1, phases: grown(project, content) };
    },
    phase: (_, content, place) => {
      const phase: PhaseState = {
        id: content.phase,
        project: content.project,
        owner: place.sender,
        card: { epoch: content.epoch.number, bytes: content.epoch.card },
        lifecycle: LIFECYCLE.draft,
        lifecycleHeight: place.height,
        closedMs: 0,
        version: 0,
        membershipVersion: 0,
        custody: content.custody,
        policy: content.policy,
        frozen: false,
        participants: content.participants.map(entry => ({
          ...entry,
          ...{ startPosition: 0, fromEpoch: 0, heldFrom: 0 },
        })),
        former: [],
        epochs: [],
        requests: [],
        complaints: [],
        recovery: null,
      };
      const opened = openEpoch(phase, content.epoch, place);
      return { ...opened, frozen: isFromOutside(content.custody, place.sender, content) };
    },
  },
};

type LifecycleKind = 'phaseOpen' | 'phaseClose' | 'phaseReopen' | 'phaseArchive';

/** Retention counts from the end of the phase: archiving what is closed does not begin it anew. */
function moved(state: PhaseState | null, lifecycle: number, { height, timeMs }: LeafPlace): PhaseState {
  const phase = assertDefined(state, 'a phase whose state changes exists');
  const ended = lifecycle > LIFECYCLE.open;
  const closedMs = ended ? phase.closedMs || timeMs : 0;
  return { ...phase, lifecycle, lifecycleHeight: height, closedMs, version: phase.version + 1 };
}

/**
 * `PhaseState.version` counts changes of state and policy; membership has its own counter, so the two never collide.
 * @param also what is asked besides
 */
function lifecycleRule(
  kind: LifecycleKind,
  from: readonly number[],
  to: number,
  also: (context: CheckContext, phase: PhaseState) => number = () => OUTCOMES.committed,
): Rule<LifecycleKind> {
  return {
    scopes: ({ state }, [content]) => [state.logIdOf('phase', content.phase)],
    check: (context, [content]) => {
      const phase = phaseFor(context, kind, content.phase);
      if (typeof phase === 'number') return phase;
      return firstRefusal(
        () => demand(from.includes(phase.lifecycle), OUTCOMES.wrongLifecycle),
        () => demand(content.expectedVersion === phase.version, OUTCOMES.staleVersion),
        () => also(context, phase),
      );
    },
    apply: { phase: (state: PhaseState | null, _: PhaseLifecycle, place) => moved(state, to, place) },
  };
}

export const phaseOpen = lifecycleRule('phaseOpen', [LIFECYCLE.draft], LIFECYCLE.open);

/** From draft too: nothing was written in it, and nothing will be. */
export const phaseClose = lifecycleRule(
  'phaseClose',
  [LIFECYCLE.draft, LIFECYCLE.open],
  LIFECYCLE.closed,
  (context, phase) => checkApproved(context, phase, { kind: 'phaseClose' }),
);

/** A frozen phase opens too: records wait for the next key epoch, as after any freeze. */
export const phaseReopen = lifecycleRule(
  'phaseReopen',
  [LIFECYCLE.closed, LIFECYCLE.skipped],
  LIFECYCLE.open,
  ({ state }, phase) => demand(state.project(phase.project)?.archived === false, OUTCOMES.projectArchived),
);

/** For good: nothing is written, handed over or changed in it any more, but it can be read and purged. */
export const phaseArchive = lifecycleRule(
  'phaseArchive',
  [LIFECYCLE.closed, LIFECYCLE.skipped],
  LIFECYCLE.archived,
);

/** By the owner of the project: both logs say so, and the flow goes round the phase from then on. */
export const phaseSkip: Rule<'phaseSkip'> = {
  scopes: projectAndPhase,
  check: (context, [inProject, inPhase]) => {
    const project = ownProject(context, inProject.project);
    if (typeof project === 'number') return project;
    const phase = phaseFor(context, 'phaseSkip', inPhase.phase);
    if (typeof phase === 'number') return phase;
    const canSkip = phase.lifecycle === LIFECYCLE.draft || phase.lifecycle === LIFECYCLE.open;
    return firstRefusal(
      () => demand(!project.archived, OUTCOMES.projectArchived),
      () => demand(inProject.phase === phase.id && phase.project === project.id, OUTCOMES.malformed),
      () => demand(canSkip, OUTCOMES.wrongLifecycle),
      () => demand(inProject.expectedVersion === project.version, OUTCOMES.staleVersion),
      () => demand(inPhase.expectedVersion === phase.version, OUTCOMES.staleVersion),
      () => checkFlowLimits(bridged(project.phases, phase.id)),
      () => demand(isBridge(project.phases, phase.id, inProject.changes), OUTCOMES.malformed),
      () => checkApproved(context, phase, { kind: 'phaseSkip' }),
    );
  },
  apply: {
    project: (state, { changes }) => {
      const project = assertDefined(state, 'a project with phases exists');
      return { ...project, version: project.version + 1, phases: rewired(project.phases, changes) };
    },
    phase: (state, _, place) => moved(state, LIFECYCLE.skipped, place),
  },
};
