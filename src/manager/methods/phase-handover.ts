import { z } from 'zod';
import { isReject } from '../../core/base/reject.ts';
import { LIMITS } from '../../core/types/limits.ts';
import { defineMethod, type RpcMethod } from '../../rpc/method.ts';
import { handoverSchema, presentHandover } from '../../rpc/methods/phase/present-handover.ts';
import { hashSchema, phaseNameSchema } from '../../rpc/schemas.ts';
import type { ManagerApi } from '../api.ts';
import { findPhase } from '../find.ts';

export const phaseHandover = ({ data, operations }: ManagerApi): RpcMethod =>
  defineMethod({
    name: 'manager_phaseHandover',
    summary:
      'Hands records of a phase over to one that follows it; this server must hold the keys of the source.',
    access: 'member',
    params: z.strictObject({
      source: phaseNameSchema,
      target: phaseNameSchema,
      records: z
        .array(hashSchema)
        .min(1)
        .max(LIMITS.itemsPerHandover)
        .nullable()
        .default(null)
        .meta({ description: 'ids of the records; null for all that this server can open' }),
    }),
    result: handoverSchema,
    errors: ['forbidden', 'not_found', 'ambiguous_name', 'refused', 'unavailable', 'expired'],
    handle: async ({ source, target, records }, { caller }) => {
      const done = await operations.handover({
        source: (await findPhase(data, caller, source)).phase.id,
        target: (await findPhase(data, caller, target)).phase.id,
        records,
        targetEpoch: null,
      });
      return isReject(done) ? done : presentHandover(done);
    },
  });
