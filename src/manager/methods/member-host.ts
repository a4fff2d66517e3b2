import { z } from 'zod';
import { isReject } from '../../core/base/reject.ts';
import { findMember } from '../../core/ledger/read.ts';
import { LIMITS } from '../../core/types/limits.ts';
import { failure } from '../../rpc/errors.ts';
import { defineMethod, type RpcMethod } from '../../rpc/method.ts';
import { memberIdSchema, textSchema } from '../../rpc/schemas.ts';
import type { HostingApi, ManagerApi } from '../api.ts';
import { requireAdministrator } from '../rights.ts';
import { committedSchema, presentCommitted } from '../schemas.ts';

export const memberHost = ({ data }: ManagerApi, hosting: HostingApi): RpcMethod =>
  defineMethod({
    name: 'manager_memberHost',
    summary: 'Registers a member without a node of its own: its keys are made and kept on this server.',
    access: 'member',
    params: z.strictObject({ member: memberIdSchema, name: textSchema(LIMITS.memberNameBytes) }),
    result: z.object({
      registered: committedSchema.nullable().meta({ description: 'null when it was hosted here before' }),
    }),
    errors: ['forbidden', 'conflict', 'refused', 'unavailable', 'expired'],
    handle: async ({ member, name }, { caller }) => {
      requireAdministrator(data, caller);
      if (!hosting.isHosted(member) && findMember(data.system(), member) !== null) {
        throw failure(
          'conflict',
          'member_exists',
          `member "${member}" exists and keeps its keys elsewhere`,
          'Choose another id.',
        );
      }
      const sent = await hosting.host(member, name);
      if (isReject(sent)) return sent;
      return { registered: sent === null ? null : presentCommitted(sent) };
    },
  });
