import { z } from 'zod';
import { isReject } from '../../../core/base/reject.ts';
import { outcomeName } from '../../../core/types/outcome.ts';
import type { ProjectReadApi, ProofApi } from '../../api.ts';
import { defineMethod, type RpcMethod } from '../../method.ts';
import {
  base64,
  bytesText,
  count,
  hashText,
  phaseNameSchema,
  recordKeySchema,
  time,
  timeSchema,
} from '../../schemas.ts';
import { findPhase } from '../phase/find.ts';
import { certifiedHeadSchema, presentCertifiedHead } from './present.ts';

export const proofRecord = (api: ProofApi & ProjectReadApi): RpcMethod =>
  defineMethod({
    name: 'proof_record',
    summary:
      "A record's leaf with its RFC 9162 inclusion path, the map proof of its log and the certified header.",
    access: 'session',
    params: z.strictObject({ phase: phaseNameSchema, record: recordKeySchema }),
    result: z.object({
      leaf: z.object({
        logId: hashText,
        position: count,
        height: count,
        time: timeSchema,
        transactionId: hashText,
        outcome: count,
        outcomeName: z.string().nullable(),
        bytes: bytesText,
      }),
      path: z.array(hashText),
      log: z.object({ size: count, root: hashText, digest: hashText }),
      mapProof: bytesText,
      head: certifiedHeadSchema,
    }),
    errors: ['not_found', 'ambiguous_name', 'forbidden', 'unavailable'],
    handle: async ({ phase, record }) => {
      const proof = await api.recordProof((await findPhase(api, phase)).state.id, record);
      if (isReject(proof)) return proof;
      const { timeMs, ...leaf } = proof.leaf;
      return {
        leaf: {
          ...leaf,
          time: time(timeMs),
          outcomeName: outcomeName(leaf.outcome),
          bytes: base64(proof.leafBytes),
        },
        path: [...proof.path],
        log: { ...proof.entry },
        mapProof: base64(proof.mapProof),
        head: presentCertifiedHead(proof.head, proof.hash),
      };
    },
  });
