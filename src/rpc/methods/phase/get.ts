import { z } from 'zod';
import type { ProjectReadApi } from '../../api.ts';
import { defineMethod, type RpcMethod } from '../../method.ts';
import { phaseNameSchema } from '../../schemas.ts';
import { findPhase } from './find.ts';
import { phaseSchema, presentPhase } from './present.ts';

export const phaseGet = (api: ProjectReadApi): RpcMethod =>
  defineMethod({
    name: 'phase_get',
    summary: 'One phase: participants, roles, key epochs, lifecycle and the size of its log.',
    access: 'session',
    params: z.strictObject({ phase: phaseNameSchema }),
    result: phaseSchema,
    errors: ['not_found', 'ambiguous_name'],
    handle: async ({ phase }) => presentPhase(await findPhase(api, phase)),
  });
