import { z } from 'zod';
import { isReject } from '../../core/base/reject.ts';
import { defineMethod, type RpcMethod } from '../../rpc/method.ts';
import { phaseNameSchema } from '../../rpc/schemas.ts';
import type { ManagerApi } from '../api.ts';
import { findPhase } from '../find.ts';
import { committedSchema, presentCommitted } from '../schemas.ts';

export const phaseClose = ({ data, operations }: ManagerApi): RpcMethod =>
  defineMethod({
    name: 'manager_phaseClose',
    summary: 'Closes a phase: nothing is written any more. A draft that is closed was skipped.',
    access: 'member',
    params: z.strictObject({ phase: phaseNameSchema }),
    result: committedSchema,
    errors: ['forbidden', 'not_found', 'ambiguous_name', 'refused', 'unavailable', 'expired'],
    handle: async ({ phase }, { caller }) => {
      const sent = await operations.closePhase((await findPhase(data, caller, phase)).phase.id);
      return isReject(sent) ? sent : presentCommitted(sent);
    },
  });
