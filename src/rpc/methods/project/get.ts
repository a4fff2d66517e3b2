import { z } from 'zod';
import type { ProjectReadApi } from '../../api.ts';
import { defineMethod, type RpcMethod } from '../../method.ts';
import { resolveProject } from '../../resolve.ts';
import { nameSchema } from '../../schemas.ts';
import { listProjects, projectSchema } from './present.ts';

export const projectGet = (api: ProjectReadApi): RpcMethod =>
  defineMethod({
    name: 'project_get',
    summary: 'One project with its phases.',
    access: 'session',
    params: z.strictObject({ project: nameSchema }),
    result: projectSchema,
    errors: ['not_found', 'ambiguous_name'],
    handle: async ({ project }) => resolveProject(project, await listProjects(api)),
  });
