import { assertDefined } from '../base/assert.ts';
import { LIFECYCLE } from '../types/operation.ts';
import { OUTCOMES } from '../types/outcome.ts';
import { demand, firstRefusal, type Rule } from './rule.ts';
import { checkNewcomer, ownProject } from './standing.ts';

export const projectCreate: Rule<'projectCreate'> = {
  scopes: ({ state }, [content]) => [state.logIdOf('project', content.project)],
  check: ({ state, sender }, [content]) =>
    firstRefusal(
      () => demand(state.project(content.project) === null, OUTCOMES.projectExists),
      () => checkNewcomer(state, sender.id),
    ),
  apply: {
    project: (_, { project, card }, { sender }) => ({
      id: project,
      owner: sender,
      card,
      archived: false,
      version: 0,
      phases: [],
    }),
  },
};

function hasEnded(lifecycle: number): boolean {
  return lifecycle !== LIFECYCLE.draft && lifecycle !== LIFECYCLE.open;
}

/** A project is archived when all its phases have ended; no phase can be added after that. */
export const projectArchive: Rule<'projectArchive'> = {
  scopes: ({ state }, [content]) => [state.logIdOf('project', content.project)],
  check: (context, [content]) => {
    const project = ownProject(context, content.project);
    if (typeof project === 'number') return project;
    return firstRefusal(
      () => demand(!project.archived, OUTCOMES.projectArchived),
      () => demand(content.expectedVersion === project.version, OUTCOMES.staleVersion),
      () =>
        demand(
          project.phases.every(({ id }) => hasEnded(context.state.phase(id)?.lifecycle ?? LIFECYCLE.draft)),
          OUTCOMES.wrongLifecycle,
        ),
    );
  },
  apply: {
    project: state => {
      const project = assertDefined(state, 'a project that is archived exists');
      return { ...project, archived: true, version: project.version + 1 };
    },
  },
};
