import { z } from 'zod';
import { isReject } from '../../../core/base/reject.ts';
import { LIMITS } from '../../../core/types/limits.ts';
import type { HandoverApi, ProjectReadApi } from '../../api.ts';
import { defineMethod, type RpcMethod } from '../../method.ts';
import { resolvePhase } from '../../resolve.ts';
import { hashSchema, nameSchema, phaseNameSchema } from '../../schemas.ts';
import { findPhase } from './find.ts';
import { handoverSchema, presentHandover } from './present-handover.ts';

export const phaseHandover = (api: HandoverApi & ProjectReadApi): RpcMethod =>
  defineMethod({
    name: 'phase_handover',
    summary: 'Hands records of a phase, and their files, over to a phase that follows it.',
    access: 'session',
    params: z.strictObject({
      source: phaseNameSchema,
      target: nameSchema.meta({
        description: 'a following phase: its whole id, or the label of one that this node reads',
      }),
      records: z
        .array(hashSchema)
        .min(1)
        .max(LIMITS.itemsPerHandover)
        .nullable()
        .default(null)
        .meta({ description: 'ids of the records; null for all that this node can open' }),
    }),
    result: handoverSchema,
    errors: ['not_found', 'ambiguous_name', 'forbidden', 'refused', 'unavailable', 'expired'],
    handle: async ({ source, target, records }) => {
      const from = (await findPhase(api, source)).state.id;
      const to = resolvePhase(target, await api.successors(from)).id;
      const done = await api.handover({ source: from, target: to, records });
      return isReject(done) ? done : presentHandover(done);
    },
  });
