import { z } from 'zod';
import type { ConsensusNodeApi } from '../../api.ts';
import { defineMethod, type RpcMethod } from '../../method.ts';
import { headSchema } from '../../schemas.ts';
import { presentHead } from './present.ts';

export const chainHead = (api: ConsensusNodeApi): RpcMethod =>
  defineMethod({
    name: 'chain_head',
    summary: 'The highest committed block.',
    access: 'public',
    params: z.strictObject({}),
    result: headSchema,
    errors: [],
    handle: () => presentHead(api.chain().head),
  });
