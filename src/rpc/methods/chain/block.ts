import { z } from 'zod';
import type { ConsensusNodeApi } from '../../api.ts';
import { failure } from '../../errors.ts';
import { defineMethod, type RpcMethod } from '../../method.ts';
import { count } from '../../schemas.ts';
import { blockSchema, presentBlock } from './present.ts';

export const chainBlock = (api: ConsensusNodeApi): RpcMethod =>
  defineMethod({
    name: 'chain_block',
    summary: 'A committed block: header, entries with their outcomes, and the certificate.',
    access: 'public',
    params: z.strictObject({ height: count.meta({ description: 'height; genesis is 0' }) }),
    result: blockSchema,
    errors: ['not_found'],
    handle: ({ height }) => {
      const found = api.block(height);
      if (found === null) {
        const hint = `The head is at ${api.chain().head.height}.`;
        throw failure('not_found', 'unknown_block', `there is no block ${height} here`, hint);
      }
      return presentBlock(found.block, found.hash, found.certificate);
    },
  });
