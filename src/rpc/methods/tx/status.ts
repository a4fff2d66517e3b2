import { z } from 'zod';
import { outcomeName } from '../../../core/types/outcome.ts';
import type { ConsensusNodeApi } from '../../api.ts';
import { defineMethod, type RpcMethod } from '../../method.ts';
import { count, hashSchema } from '../../schemas.ts';

const WAIT_MS_MAX = 30_000;

export const txStatus = (api: ConsensusNodeApi): RpcMethod =>
  defineMethod({
    name: 'tx_status',
    summary: 'How a transaction stands: unknown, pending, committed, or invalid with the reason.',
    access: 'public',
    params: z.strictObject({
      id: hashSchema,
      waitMs: count
        .max(WAIT_MS_MAX)
        .default(0)
        .meta({ description: 'milliseconds to wait for the end of the transaction' }),
    }),
    result: z.object({
      status: z.enum(['unknown', 'pending', 'committed', 'invalid']),
      height: count.nullable(),
      outcome: count.nullable(),
      outcomeName: z.string().nullable(),
    }),
    errors: [],
    handle: async ({ id, waitMs }, { signal }) => {
      const { status, height, outcome } = await api.transactionStatus(id, waitMs, signal);
      return { status, height, outcome, outcomeName: outcome === null ? null : outcomeName(outcome) };
    },
  });
