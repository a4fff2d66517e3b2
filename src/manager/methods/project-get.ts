import { z } from 'zod';
import { defineMethod, type RpcMethod } from '../../rpc/method.ts';
import { phaseStateSchema } from '../../rpc/methods/phase/present.ts';
import { nameSchema } from '../../rpc/schemas.ts';
import type { ManagerApi } from '../api.ts';
import { findProject } from '../find.ts';
import {
  headAgeSchema,
  presentHeadAge,
  presentPhaseStates,
  presentProject,
  projectViewSchema,
} from '../schemas.ts';

export const projectGet = ({ data, clock }: ManagerApi): RpcMethod =>
  defineMethod({
    name: 'manager_projectGet',
    summary: 'One project with the whole state of its phases: participants, roles, key epochs.',
    access: 'member',
    params: z.strictObject({ project: nameSchema }),
    result: z.object({
      head: headAgeSchema,
      project: projectViewSchema,
      phases: z.array(phaseStateSchema),
    }),
    errors: ['forbidden', 'not_found', 'ambiguous_name'],
    handle: async ({ project: name }, { caller }) => {
      const project = await findProject(data, caller, name);
      return {
        head: presentHeadAge(data, clock.nowMs()),
        project: await presentProject(data, project),
        phases: await presentPhaseStates(data, project),
      };
    },
  });
