import { z } from 'zod';
import { isReject } from '../../../core/base/reject.ts';
import { LIMITS } from '../../../core/types/limits.ts';
import type { ConsensusNodeApi } from '../../api.ts';
import { defineMethod, type RpcMethod } from '../../method.ts';
import { bytesSchema, hashText } from '../../schemas.ts';

export const txSubmit = (api: ConsensusNodeApi): RpcMethod =>
  defineMethod({
    name: 'tx_submit',
    summary: 'Hands a signed transaction to the pool; tx_status tells how it ended.',
    access: 'public',
    params: z.strictObject({
      transaction: bytesSchema(LIMITS.transactionBytes, 1).meta({ description: 'encoded SignedTransaction' }),
    }),
    result: z.object({ id: hashText }),
    errors: ['refused', 'busy', 'expired', 'unavailable'],
    isBrief: true,
    handle: async ({ transaction }) => {
      const taken = await api.submit(transaction);
      return isReject(taken) ? taken : { id: taken.id };
    },
  });
