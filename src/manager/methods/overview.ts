import { z } from 'zod';
import { defineMethod, type RpcMethod } from '../../rpc/method.ts';
import { phaseStateSchema } from '../../rpc/methods/phase/present.ts';
import { count, hashText } from '../../rpc/schemas.ts';
import type { ManagerApi } from '../api.ts';
import { MANAGER_LIMITS } from '../limits.ts';
import { mayManage } from '../rights.ts';
import {
  headAgeSchema,
  presentHeadAge,
  presentPhaseStates,
  presentProject,
  projectViewSchema,
} from '../schemas.ts';

const { overviewProjectsMax } = MANAGER_LIMITS;

const memberLineSchema = z.object({
  id: z.string(),
  name: z.string(),
  revoked: z.boolean(),
  suspended: z.boolean(),
  version: count,
});

export const overview = ({ member, node, data, clock }: ManagerApi): RpcMethod =>
  defineMethod({
    name: 'manager_overview',
    summary: 'Everything at one certified head: projects, phases, participants, members and versions.',
    access: 'member',
    params: z.strictObject({
      from: count.default(0).meta({ description: 'number of the first project; `next` of the page before' }),
      limit: count.min(1).max(overviewProjectsMax).default(overviewProjectsMax),
    }),
    result: z.object({
      member: z.string(),
      chainId: hashText,
      nodeVersion: z.string(),
      head: headAgeSchema,
      systemVersion: count,
      validators: count,
      administrators: z.array(z.string()),
      members: z.array(memberLineSchema),
      projectsTotal: count,
      next: count.nullable(),
      projects: z.array(z.object({ project: projectViewSchema, phases: z.array(phaseStateSchema) })),
    }),
    errors: [],
    handle: async ({ from, limit }, { caller }) => {
      const system = data.system();
      const mine = data.projects().filter(project => mayManage(data, caller, project.owner));
      return {
        member,
        chainId: data.chainId,
        nodeVersion: node.status().version,
        head: presentHeadAge(data, clock.nowMs()),
        systemVersion: system.version,
        validators: system.validatorSet.validators.length,
        administrators: [...system.administrators],
        members: system.members.map(({ id, name, revoked, suspendedHeight, version }) => {
          return { id, name, revoked, suspended: suspendedHeight > 0, version };
        }),
        projectsTotal: mine.length,
        next: from + limit < mine.length ? from + limit : null,
        projects: await Promise.all(
          mine.slice(from, from + limit).map(async project => ({
            project: await presentProject(data, project),
            phases: await presentPhaseStates(data, project),
          })),
        ),
      };
    },
  });
