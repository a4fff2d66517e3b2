import { z } from 'zod';
import { defineMethod, type RpcMethod } from '../../rpc/method.ts';
import { memberSchema, presentMember } from '../../rpc/methods/member/present.ts';
import type { ManagerApi } from '../api.ts';
import { headAgeSchema, presentHeadAge } from '../schemas.ts';

export const memberList = ({ data, clock }: ManagerApi): RpcMethod =>
  defineMethod({
    name: 'manager_memberList',
    summary: 'All members as certified data has them.',
    access: 'member',
    params: z.strictObject({}),
    result: z.object({ head: headAgeSchema, members: z.array(memberSchema) }),
    errors: [],
    handle: () => {
      const { members, administrators } = data.system();
      return {
        head: presentHeadAge(data, clock.nowMs()),
        members: members.map(member => presentMember(member, administrators)),
      };
    },
  });
