import { z } from 'zod';
import type { ProjectReadApi } from '../../api.ts';
import { defineMethod, type RpcMethod } from '../../method.ts';
import { resolveProject } from '../../resolve.ts';
import { nameSchema, time } from '../../schemas.ts';
import { listProjects } from '../project/present.ts';
import { phaseSchema, presentPhase, verifiedAtSchema } from './present.ts';

export const phaseList = (api: ProjectReadApi): RpcMethod =>
  defineMethod({
    name: 'phase_list',
    summary: 'The phases that this member may read or may have read, of one project or of all.',
    access: 'session',
    params: z.strictObject({ project: nameSchema.nullable().default(null) }),
    result: z.object({ verifiedAt: verifiedAtSchema, phases: z.array(phaseSchema) }),
    errors: ['not_found', 'ambiguous_name'],
    handle: async ({ project }) => {
      const id = project === null ? null : resolveProject(project, await listProjects(api)).id;
      const at = api.verifiedAt();
      return {
        verifiedAt: at === null ? null : { height: at.height, time: time(at.timeMs) },
        phases: (await api.phases())
          .filter(view => id === null || view.state.project === id)
          .map(presentPhase),
      };
    },
  });
