import { z } from 'zod';
import type { MemberReadApi } from '../../api.ts';
import { defineMethod, type RpcMethod } from '../../method.ts';
import { memberSchema, presentMember } from './present.ts';

export const memberList = (api: MemberReadApi): RpcMethod =>
  defineMethod({
    name: 'member_list',
    summary: 'All members with their key histories, revoked ones too.',
    access: 'session',
    params: z.strictObject({}),
    result: z.object({ members: z.array(memberSchema) }),
    errors: [],
    handle: () => {
      const administrators = api.administrators();
      return { members: api.members().map(member => presentMember(member, administrators)) };
    },
  });
