import { z } from 'zod';
import { isReject } from '../../../core/base/reject.ts';
import type { ProofApi } from '../../api.ts';
import { defineMethod, type RpcMethod } from '../../method.ts';
import { certifiedHeadSchema, presentCertifiedHead } from './present.ts';

export const proofHead = (api: ProofApi): RpcMethod =>
  defineMethod({
    name: 'proof_head',
    summary: 'The highest certified header that this node verified, with its certificate.',
    access: 'session',
    params: z.strictObject({}),
    result: certifiedHeadSchema,
    errors: ['unavailable'],
    handle: async () => {
      const found = await api.certifiedHead();
      return isReject(found) ? found : presentCertifiedHead(found.head, found.hash);
    },
  });
