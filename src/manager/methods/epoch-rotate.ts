import { z } from 'zod';
import { isReject } from '../../core/base/reject.ts';
import { defineMethod, type RpcMethod } from '../../rpc/method.ts';
import { phaseNameSchema } from '../../rpc/schemas.ts';
import type { ManagerApi } from '../api.ts';
import { findPhase } from '../find.ts';
import { committedSchema, presentCommitted } from '../schemas.ts';

export const epochRotate = ({ data, operations }: ManagerApi): RpcMethod =>
  defineMethod({
    name: 'manager_epochRotate',
    summary: 'Begins a new key epoch of a phase, which also ends a freeze.',
    access: 'member',
    params: z.strictObject({ phase: phaseNameSchema }),
    result: committedSchema,
    errors: ['forbidden', 'not_found', 'ambiguous_name', 'refused', 'unavailable', 'expired'],
    handle: async ({ phase }, { caller }) => {
      const sent = await operations.rotateEpoch((await findPhase(data, caller, phase)).phase.id);
      return isReject(sent) ? sent : presentCommitted(sent);
    },
  });
