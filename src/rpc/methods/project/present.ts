import { z } from 'zod';
import type { ProjectId } from '../../../core/base/ids.ts';
import type { ProjectReadApi } from '../../api.ts';
import type { Named } from '../../resolve.ts';
import { count, hashText } from '../../schemas.ts';
import { lifecycleName } from '../phase/present.ts';

export const projectSchema = z.object({
  id: hashText,
  label: z.string().nullable().meta({ description: 'null where no card of the project opens here' }),
  owner: z.string(),
  /** False where this member only sees the phases it is in. */
  whole: z.boolean(),
  archived: z.boolean().nullable(),
  version: count.nullable(),
  phases: z.array(
    z.object({
      id: hashText,
      label: z.string().nullable(),
      predecessors: z.array(hashText).nullable(),
      lifecycle: z.string().nullable(),
    }),
  ),
});

export type ProjectSummary = z.input<typeof projectSchema> & Named & { readonly id: ProjectId };

/** Projects that this member owns, whole, and of the others the part that it sees. */
export async function listProjects(
  api: Pick<ProjectReadApi, 'projects' | 'phases'>,
): Promise<ProjectSummary[]> {
  const views = new Map((await api.phases()).map(view => [view.state.id, view]));
  const projects = new Map<ProjectId, ProjectSummary>();
  for (const { state: project, label, phaseLabels } of await api.projects()) {
    projects.set(project.id, {
      id: project.id,
      label,
      owner: project.owner,
      whole: true,
      archived: project.archived,
      version: project.version,
      phases: project.phases.map(phase => {
        const view = views.get(phase.id);
        return {
          id: phase.id,
          label: phaseLabels.get(phase.id) ?? null,
          predecessors: [...phase.predecessors],
          lifecycle: view === undefined ? null : lifecycleName(view.state),
        };
      }),
    });
  }
  for (const { state, label, projectLabel } of views.values()) {
    const known = projects.get(state.project);
    if (known?.whole) continue;
    const project = known ?? {
      id: state.project,
      label: projectLabel,
      owner: state.owner,
      whole: false,
      archived: null,
      version: null,
      phases: [],
    };
    projects.set(state.project, project);
    project.phases.push({
      id: state.id,
      label,
      predecessors: null,
      lifecycle: lifecycleName(state),
    });
  }
  return [...projects.values()];
}
