import { z } from 'zod';
import { defineMethod, type RpcMethod } from '../../rpc/method.ts';
import type { ManagerApi } from '../api.ts';
import { mayManage } from '../rights.ts';
import { headAgeSchema, presentHeadAge, presentProject, projectViewSchema } from '../schemas.ts';

export const projectList = ({ data, clock }: ManagerApi): RpcMethod =>
  defineMethod({
    name: 'manager_projectList',
    summary: 'The projects that the caller may manage, with the state of their phases.',
    access: 'member',
    params: z.strictObject({}),
    result: z.object({ head: headAgeSchema, projects: z.array(projectViewSchema) }),
    errors: [],
    handle: async (_, { caller }) => ({
      head: presentHeadAge(data, clock.nowMs()),
      projects: await Promise.all(
        data
          .projects()
          .filter(project => mayManage(data, caller, project.owner))
          .map(project => presentProject(data, project)),
      ),
    }),
  });
