import { z } from 'zod';
import { isReject } from '../../core/base/reject.ts';
import { defineMethod, type RpcMethod } from '../../rpc/method.ts';
import { roleBits } from '../../rpc/methods/phase/present.ts';
import { count, memberIdSchema, phaseNameSchema } from '../../rpc/schemas.ts';
import type { ManagerApi } from '../api.ts';
import { findPhase } from '../find.ts';
import { requireActiveMember, requireNotIn } from '../identity.ts';
import { committedSchema, presentCommitted, rolesSchema } from '../schemas.ts';

const grantSchema = z
  .union([z.enum(['none', 'all']), z.strictObject({ fromEpoch: count })])
  .default('none')
  .meta({ description: 'how much of the past the newcomer may read: none, all, or from a key epoch on' });

export const participantAdd = ({ data, operations }: ManagerApi): RpcMethod =>
  defineMethod({
    name: 'manager_participantAdd',
    summary: 'Adds a registered, active member to a phase.',
    access: 'member',
    params: z.strictObject({
      phase: phaseNameSchema,
      member: memberIdSchema,
      roles: rolesSchema.default(['contributor']),
      grant: grantSchema,
    }),
    result: committedSchema,
    errors: ['forbidden', 'not_found', 'ambiguous_name', 'conflict', 'refused', 'unavailable', 'expired'],
    handle: async ({ phase: name, member, roles, grant }, { caller }) => {
      const { phase } = await findPhase(data, caller, name);
      requireActiveMember(data, member);
      requireNotIn(phase, member);
      const sent = await operations.addParticipant({
        phase: phase.id,
        member,
        roles: roleBits(roles),
        grant,
      });
      return isReject(sent) ? sent : presentCommitted(sent);
    },
  });
