import { assertDefined } from '../base/assert.ts';
import type { PhaseId } from '../base/ids.ts';
import type { Rewiring } from '../types/flow.ts';
import { LIMITS } from '../types/limits.ts';
import { OUTCOMES } from '../types/outcome.ts';
import type { ProjectState } from '../types/state.ts';
import { demand, firstRefusal, type Rule } from './rule.ts';
import { ownProject } from './standing.ts';

/** A phase in the flow, and what comes before it. */
export interface FlowNode {
  readonly id: PhaseId;
  readonly predecessors: readonly PhaseId[];
}

export function rewired<T extends FlowNode>(phases: readonly T[], changes: readonly Rewiring[]): T[] {
  const after = new Map(changes.map(change => [change.phase, change.after]));
  return phases.map(phase => ({ ...phase, predecessors: after.get(phase.id) ?? phase.predecessors }));
}

/** Takes away phases that nothing unfinished comes before, until none is left (A. B. Kahn, CACM 5(11), 1962). */
function hasCycle(phases: readonly FlowNode[]): boolean {
  const successors = new Map<PhaseId, PhaseId[]>(phases.map(({ id }) => [id, []]));
  const waiting = new Map(phases.map(({ id, predecessors }) => [id, predecessors.length]));
  for (const { id, predecessors } of phases) {
    for (const before of predecessors) successors.get(before)?.push(id);
  }
  const ready = phases.filter(({ predecessors }) => predecessors.length === 0).map(({ id }) => id);
  for (const id of ready) {
    for (const next of successors.get(id) ?? []) {
      const left = (waiting.get(next) ?? 0) - 1;
      waiting.set(next, left);
      if (left === 0) ready.push(next);
    }
  }
  return ready.length < phases.length;
}

/** Every predecessor is there once, and nothing comes before itself. */
export function checkFlow(phases: readonly FlowNode[]): number {
  const known = new Set(phases.map(({ id }) => id));
  return firstRefusal(
    () =>
      demand(
        phases.every(({ predecessors }) => new Set(predecessors).size === predecessors.length),
        OUTCOMES.malformed,
      ),
    () =>
      demand(
        phases.every(({ predecessors }) => predecessors.every(id => known.has(id))),
        OUTCOMES.unknownPhase,
      ),
    () => demand(!hasCycle(phases), OUTCOMES.cycle),
  );
}

function sameIds(a: readonly PhaseId[], b: readonly PhaseId[]): boolean {
  return a.length === b.length && a.every((id, index) => id === b[index]);
}

/** Each names a phase once, what stands before it now, and something else. */
export function checkRewirings(project: ProjectState, changes: readonly Rewiring[]): number {
  const phases = new Map(project.phases.map(phase => [phase.id, phase.predecessors]));
  const named = new Set(changes.map(change => change.phase));
  return firstRefusal(
    () => demand(named.size === changes.length, OUTCOMES.malformed),
    () =>
      demand(
        changes.every(({ phase }) => phases.has(phase)),
        OUTCOMES.unknownPhase,
      ),
    () =>
      demand(
        changes.every(({ phase, before }) => sameIds(before, phases.get(phase) ?? [])),
        OUTCOMES.staleVersion,
      ),
    () =>
      demand(
        changes.every(({ before, after }) => !sameIds(before, after)),
        OUTCOMES.malformed,
      ),
  );
}

/** What a skip of the phase changes: it stands between nothing any more, its successors come after its predecessors. */
export function bridged(phases: readonly FlowNode[], skipped: PhaseId): Rewiring[] {
  const own = assertDefined(
    phases.find(({ id }) => id === skipped),
    'a phase of the project is skipped',
  );
  return phases
    .filter(({ predecessors }) => predecessors.includes(skipped))
    .map(({ id, predecessors }) => {
      const after = predecessors.flatMap(each => (each === skipped ? own.predecessors : [each]));
      return { phase: id, before: predecessors, after: [...new Set(after)] };
    });
}

/** A skip carries its rewiring, so that each log entry says "before → after" by itself; it can be one only. */
export function isBridge(phases: readonly FlowNode[], skipped: PhaseId, changes: readonly Rewiring[]) {
  const expected = bridged(phases, skipped);
  return (
    expected.length === changes.length &&
    expected.every(({ phase, before, after }, index) => {
      const given = changes[index]!;
      return given.phase === phase && sameIds(given.before, before) && sameIds(given.after, after);
    })
  );
}

/** Every list of predecessors fits, also those that a skip made longer. */
export function checkFlowLimits(changes: readonly Rewiring[]): number {
  return demand(
    changes.every(({ after }) => after.length <= LIMITS.predecessorsPerPhase),
    OUTCOMES.limitReached,
  );
}

/** The order of the phases while they run: what comes before what, all changes together or none. */
export const flowChange: Rule<'flowChange'> = {
  scopes: ({ state }, [content]) => [state.logIdOf('project', content.project)],
  check: (context, [content]) => {
    const project = ownProject(context, content.project);
    if (typeof project === 'number') return project;
    const { changes } = content;
    return firstRefusal(
      () => demand(!project.archived, OUTCOMES.projectArchived),
      () => demand(content.expectedVersion === project.version, OUTCOMES.staleVersion),
      () => demand(changes.length > 0, OUTCOMES.malformed),
      () => checkRewirings(project, changes),
      () => checkFlow(rewired(project.phases, changes)),
    );
  },
  apply: {
    project: (state, { changes }) => {
      const project = assertDefined(state, 'a project whose flow changes exists');
      return { ...project, version: project.version + 1, phases: rewired(project.phases, changes) };
    },
  },
};
