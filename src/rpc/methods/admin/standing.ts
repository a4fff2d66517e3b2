import { z } from 'zod';
import type { AdminApi } from '../../api.ts';
import { defineMethod, type RpcMethod } from '../../method.ts';
import { count, hashSchema } from '../../schemas.ts';

export const adminStanding = (api: AdminApi): RpcMethod =>
  defineMethod({
    name: 'admin_standing',
    summary: 'Where this member stands towards a phase, and how far the keys of its node reach.',
    access: 'session',
    params: z.strictObject({ phase: hashSchema.meta({ description: 'whole id of the phase' }) }),
    result: z.object({
      standing: z.enum(['foreign', 'removed', 'participant', 'owner', 'holder']),
      end: count.nullable(),
      epochs: count,
      openEpochs: z.array(count),
      frozen: z.boolean(),
      opensCard: z.boolean(),
      label: z.string().nullable(),
      projectLabel: z.string().nullable(),
    }),
    errors: [],
    handle: async ({ phase }) => {
      const found = await api.standing(phase);
      return { ...found, openEpochs: [...found.openEpochs] };
    },
  });
