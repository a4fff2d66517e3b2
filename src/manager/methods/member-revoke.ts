import { z } from 'zod';
import { isReject } from '../../core/base/reject.ts';
import { defineMethod, type RpcMethod } from '../../rpc/method.ts';
import { labelSchema, memberIdSchema } from '../../rpc/schemas.ts';
import type { ManagerApi } from '../api.ts';
import { requireMember } from '../identity.ts';
import { requireAdministrator } from '../rights.ts';
import { committedSchema, presentCommitted } from '../schemas.ts';

export const memberRevoke = ({ data, operations }: ManagerApi): RpcMethod =>
  defineMethod({
    name: 'manager_memberRevoke',
    summary: 'Revokes a member for good; every phase it is in is frozen until the next key epoch.',
    access: 'member',
    params: z.strictObject({
      member: memberIdSchema,
      reason: labelSchema.meta({ description: 'why; stands in the log of the consortium' }),
    }),
    result: committedSchema,
    errors: ['forbidden', 'not_found', 'conflict', 'refused', 'unavailable', 'expired'],
    handle: async ({ member, reason }, { caller }) => {
      requireAdministrator(data, caller);
      requireMember(data, member);
      const sent = await operations.revokeMember(member, reason);
      return isReject(sent) ? sent : presentCommitted(sent);
    },
  });
