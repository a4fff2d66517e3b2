import { z } from 'zod';
import { isReject } from '../../../core/base/reject.ts';
import type { HandoverApi, ProjectReadApi } from '../../api.ts';
import { defineMethod, type RpcMethod } from '../../method.ts';
import { resolvePhase } from '../../resolve.ts';
import { nameSchema, phaseNameSchema } from '../../schemas.ts';
import { findPhase } from './find.ts';
import { HANDOVER_TARGETS_MAX, handedParams, handoverSchema, presentHandover } from './present-handover.ts';

export const phaseHandover = (api: HandoverApi & ProjectReadApi): RpcMethod =>
  defineMethod({
    name: 'phase_handover',
    summary: 'Hands records of a phase, and their files, over to phases that follow it.',
    access: 'session',
    params: z.strictObject({
      source: phaseNameSchema,
      targets: z
        .array(nameSchema)
        .min(1)
        .max(HANDOVER_TARGETS_MAX)
        .meta({ description: 'following phases: whole ids, or labels of those that this node reads' }),
      ...handedParams,
    }),
    result: handoverSchema,
    errors: ['not_found', 'ambiguous_name', 'forbidden', 'refused', 'unavailable', 'expired'],
    handle: async ({ source, targets, records, files }) => {
      const from = (await findPhase(api, source)).state.id;
      const following = await api.successors(from);
      const to = targets.map(target => resolvePhase(target, following).id);
      const done = await api.handover({ source: from, targets: [...new Set(to)], records, files });
      return isReject(done) ? done : presentHandover(done);
    },
  });
