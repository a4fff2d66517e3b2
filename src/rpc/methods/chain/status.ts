import { z } from 'zod';
import type { ConsensusNodeApi } from '../../api.ts';
import { defineMethod, type RpcMethod } from '../../method.ts';
import { count, headSchema } from '../../schemas.ts';
import { presentHead } from './present.ts';

export const chainStatus = (api: ConsensusNodeApi): RpcMethod =>
  defineMethod({
    name: 'chain_status',
    summary:
      'The head of the chain, the view and its leader, what waits in the pool, evidence against validators.',
    access: 'public',
    params: z.strictObject({}),
    result: z.object({
      head: headSchema,
      view: count,
      leader: z.string(),
      validatorSetId: count,
      quorum: count,
      poolTransactions: count,
      poolBytes: count,
      evidence: count.meta({ description: 'pairs that chain_evidence shows' }),
    }),
    errors: [],
    handle: () => {
      const status = api.chain();
      return { ...status, head: presentHead(status.head) };
    },
  });
