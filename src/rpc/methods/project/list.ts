import { z } from 'zod';
import type { ProjectReadApi } from '../../api.ts';
import { defineMethod, type RpcMethod } from '../../method.ts';
import { listProjects, projectSchema } from './present.ts';

export const projectList = (api: ProjectReadApi): RpcMethod =>
  defineMethod({
    name: 'project_list',
    summary: 'Projects of this member: those it owns, and what it sees of those whose phases it is in.',
    access: 'session',
    params: z.strictObject({}),
    result: z.object({ projects: z.array(projectSchema) }),
    errors: [],
    handle: async () => ({ projects: await listProjects(api) }),
  });
