import { z } from 'zod';
import type { SignedMessage } from '../../../core/pbft/messages.ts';
import type { ConsensusNodeApi } from '../../api.ts';
import { defineMethod, type RpcMethod } from '../../method.ts';
import { base64, bytesText, count } from '../../schemas.ts';

/** Pairs of one answer: a proposal's body may have mebibytes. */
const PAIRS_MAX = 4;

const messageSchema = z.object({
  kind: z.string(),
  validatorSetId: count,
  signer: count,
  body: bytesText,
  signature: bytesText,
});

const recordSchema = z.object({
  validator: z.string(),
  validatorSetId: count,
  signer: count,
  kind: z.string(),
  view: count,
  slotHeight: count,
  height: count.meta({ description: 'of the block that recorded it' }),
  position: count.meta({ description: 'in the system log' }),
});

function presentMessage({ kind, validatorSetId, signer, body, signature }: SignedMessage) {
  return { kind, validatorSetId, signer, body: base64(body), signature: base64(signature) };
}

export const chainEvidence = (api: ConsensusNodeApi): RpcMethod =>
  defineMethod({
    name: 'chain_evidence',
    summary:
      'Evidence against validators: recorded on chain, and pairs that this node found since its start.',
    access: 'public',
    params: z.strictObject({
      from: count.default(0).meta({ description: 'number of the first pair to show' }),
    }),
    result: z.object({
      total: count,
      evidence: z.array(z.object({ validator: z.string(), first: messageSchema, second: messageSchema })),
      recorded: z.array(recordSchema).meta({ description: 'on chain, oldest first' }),
    }),
    errors: [],
    handle: ({ from }) => {
      const all = api.evidence();
      const evidence = all.slice(from, from + PAIRS_MAX).map(({ validator, first, second }) => ({
        validator,
        first: presentMessage(first),
        second: presentMessage(second),
      }));
      return { total: all.length, evidence, recorded: api.recordedEvidence().map(entry => ({ ...entry })) };
    },
  });
