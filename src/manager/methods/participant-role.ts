import { z } from 'zod';
import { isReject } from '../../core/base/reject.ts';
import { defineMethod, type RpcMethod } from '../../rpc/method.ts';
import { roleBits } from '../../rpc/methods/phase/present.ts';
import { memberIdSchema, phaseNameSchema } from '../../rpc/schemas.ts';
import type { ManagerApi } from '../api.ts';
import { findPhase } from '../find.ts';
import { requireIn } from '../identity.ts';
import { committedSchema, presentCommitted, rolesSchema } from '../schemas.ts';

export const participantRole = ({ data, operations }: ManagerApi): RpcMethod =>
  defineMethod({
    name: 'manager_participantRole',
    summary: 'Replaces the roles of a participant.',
    access: 'member',
    params: z.strictObject({ phase: phaseNameSchema, member: memberIdSchema, roles: rolesSchema }),
    result: committedSchema,
    errors: ['forbidden', 'not_found', 'ambiguous_name', 'refused', 'unavailable', 'expired'],
    handle: async ({ phase: name, member, roles }, { caller }) => {
      const { phase } = await findPhase(data, caller, name);
      requireIn(phase, member);
      const sent = await operations.changeRole(phase.id, member, roleBits(roles));
      return isReject(sent) ? sent : presentCommitted(sent);
    },
  });
