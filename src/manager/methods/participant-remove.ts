import { z } from 'zod';
import { isReject } from '../../core/base/reject.ts';
import { defineMethod, type RpcMethod } from '../../rpc/method.ts';
import { memberIdSchema, phaseNameSchema } from '../../rpc/schemas.ts';
import type { ManagerApi } from '../api.ts';
import { findPhase } from '../find.ts';
import { requireIn } from '../identity.ts';
import { committedSchema, presentCommitted } from '../schemas.ts';

export const participantRemove = ({ data, operations }: ManagerApi): RpcMethod =>
  defineMethod({
    name: 'manager_participantRemove',
    summary:
      'Removes a member from a phase; a new key epoch begins, and what is written next it cannot open.',
    access: 'member',
    params: z.strictObject({ phase: phaseNameSchema, member: memberIdSchema }),
    result: committedSchema,
    errors: ['forbidden', 'not_found', 'ambiguous_name', 'refused', 'unavailable', 'expired'],
    handle: async ({ phase: name, member }, { caller }) => {
      const { phase } = await findPhase(data, caller, name);
      requireIn(phase, member);
      const sent = await operations.removeParticipant(phase.id, member);
      return isReject(sent) ? sent : presentCommitted(sent);
    },
  });
