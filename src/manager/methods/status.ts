import { z } from 'zod';
import { defineMethod, type RpcMethod } from '../../rpc/method.ts';
import { count, hashText } from '../../rpc/schemas.ts';
import type { ManagerApi } from '../api.ts';
import { isAdministrator } from '../rights.ts';
import { headAgeSchema, presentHeadAge } from '../schemas.ts';

export const managerStatus = ({ member, node, data, clock }: ManagerApi): RpcMethod =>
  defineMethod({
    name: 'manager_status',
    summary: 'Whom this server acts for, on which chain, and how old its verified head is.',
    access: 'member',
    params: z.strictObject({}),
    result: z.object({
      member: z.string(),
      chainId: hashText,
      version: z.string(),
      head: headAgeSchema,
      members: count,
      projects: count,
      ready: z.boolean(),
      notReady: z.array(z.string()),
      youAreAdministrator: z.boolean(),
    }),
    errors: [],
    handle: (_, { caller }) => {
      const { version, notReady } = node.status();
      return {
        member,
        chainId: data.chainId,
        version,
        head: presentHeadAge(data, clock.nowMs()),
        members: data.system().members.length,
        projects: data.projects().length,
        ready: notReady.length === 0,
        notReady: [...notReady],
        youAreAdministrator: isAdministrator(data, caller),
      };
    },
  });
