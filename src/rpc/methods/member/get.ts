import { z } from 'zod';
import type { MemberReadApi } from '../../api.ts';
import { failure } from '../../errors.ts';
import { defineMethod, type RpcMethod } from '../../method.ts';
import { memberIdSchema } from '../../schemas.ts';
import { memberSchema, presentMember } from './present.ts';

export const memberGet = (api: MemberReadApi): RpcMethod =>
  defineMethod({
    name: 'member_get',
    summary: 'One member with its key history.',
    access: 'session',
    params: z.strictObject({ member: memberIdSchema }),
    result: memberSchema,
    errors: ['not_found'],
    handle: ({ member }) => {
      const found = api.member(member);
      if (found !== null) return presentMember(found, api.administrators());
      throw failure(
        'not_found',
        'unknown_member',
        `there is no member "${member}"`,
        'member_list shows the members.',
      );
    },
  });
