import { z } from 'zod';
import type { ConsensusNodeApi } from '../../api.ts';
import { defineMethod, type RpcMethod } from '../../method.ts';
import { count, headSchema } from '../../schemas.ts';
import { presentHead } from './present.ts';

export const chainStatus = (api: ConsensusNodeApi): RpcMethod =>
  defineMethod({
    name: 'chain_status',
    summary:
      'The head of the chain, the view and its leader, what waits in the pool, evidence against validators, what is held of the past.',
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
      history: z
        .object({
          mode: z.enum(['archive', 'pruned']),
          baseHeight: count.meta({ description: 'of the snapshot that the node began with; 0: genesis' }),
          blocksFrom: count.meta({ description: 'lowest height whose block is held, with all above' }),
          bodiesFrom: count.meta({
            description: 'lowest height whose transactions are held, with all above',
          }),
        })
        .meta({ description: 'what this node holds of the past' }),
    }),
    errors: [],
    handle: () => {
      const status = api.chain();
      return { ...status, head: presentHead(status.head) };
    },
  });
