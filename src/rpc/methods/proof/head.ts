import { z } from 'zod';
import { isReject } from '../../../core/base/reject.ts';
import { encodeValidatorSet } from '../../../core/codec/chain.ts';
import type { ProofApi } from '../../api.ts';
import { defineMethod, type RpcMethod } from '../../method.ts';
import { base64, bytesText } from '../../schemas.ts';
import { certifiedHeadSchema, presentCertifiedHead } from './present.ts';

export const proofHead = (api: ProofApi): RpcMethod =>
  defineMethod({
    name: 'proof_head',
    summary:
      'The highest certified header that this node verified, with its certificate; whether validators call it fresh.',
    access: 'session',
    params: z.strictObject({}),
    result: certifiedHeadSchema.extend({
      fresh: z
        .boolean()
        .meta({ description: 'f + 1 validators signed for this call that they know no higher head' }),
      reason: z.string().nullable().meta({ description: 'why it is not called fresh' }),
      validatorSet: bytesText.meta({ description: 'the set that decides the next height: pins the head' }),
    }),
    errors: ['unavailable'],
    handle: async () => {
      const found = await api.certifiedHead();
      if (isReject(found)) return found;
      const validatorSet = base64(encodeValidatorSet(found.set));
      const { notFresh } = found;
      const freshness = { fresh: notFresh === null, reason: notFresh?.detail ?? null };
      return { ...presentCertifiedHead(found.head, found.hash), validatorSet, ...freshness };
    },
  });
