import { z } from 'zod';
import { isReject } from '../../../core/base/reject.ts';
import type { ProjectReadApi, ProofApi } from '../../api.ts';
import { defineMethod, type RpcMethod } from '../../method.ts';
import { invalidParams } from '../../params.ts';
import { count, hashText, phaseNameSchema } from '../../schemas.ts';
import { findPhase } from '../phase/find.ts';

export const proofConsistency = (api: ProofApi & ProjectReadApi): RpcMethod =>
  defineMethod({
    name: 'proof_consistency',
    summary: 'RFC 9162 proof that the log of a phase at one size is the beginning of the log at another.',
    access: 'session',
    params: z.strictObject({
      phase: phaseNameSchema,
      first: count.min(1).meta({ description: 'smaller size, in leaves' }),
      second: count.min(1).meta({ description: 'larger size, in leaves' }),
    }),
    result: z.object({
      first: count,
      second: count,
      firstRoot: hashText,
      secondRoot: hashText,
      path: z.array(hashText),
    }),
    errors: ['not_found', 'ambiguous_name', 'forbidden'],
    handle: async ({ phase, first, second }) => {
      if (first > second)
        throw invalidParams([{ parameter: 'first', fault: 'the first size is at most the second' }]);
      const proof = await api.consistency((await findPhase(api, phase)).state.id, first, second);
      return isReject(proof) ? proof : { first, second, ...proof, path: [...proof.path] };
    },
  });
