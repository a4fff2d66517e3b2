import { z } from 'zod';
import type { MemberId } from '../../core/base/ids.ts';
import { isReject, type Reject } from '../../core/base/reject.ts';
import { defineMethod, type RpcMethod } from '../../rpc/method.ts';
import { labelSchema, memberIdSchema } from '../../rpc/schemas.ts';
import type { Committed } from '../../services/records/sender.ts';
import type { CertifiedData } from '../api.ts';
import { requireMember } from '../identity.ts';
import { requireAdministrator } from '../rights.ts';
import { committedSchema, presentCommitted } from '../schemas.ts';

/** What an administrator does to a member, with a reason that all can read. */
export const memberJudged = (
  data: CertifiedData,
  name: string,
  summary: string,
  act: (member: MemberId, reason: string) => Promise<Committed | Reject>,
): RpcMethod =>
  defineMethod({
    name,
    summary,
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
      const sent = await act(member, reason);
      return isReject(sent) ? sent : presentCommitted(sent);
    },
  });
