import { z } from 'zod';
import type { ValidatorCard, ValidatorNodeApi } from '../../governance-api.ts';
import { defineMethod, type RpcMethod } from '../../method.ts';
import { base64, bytesText } from '../../schemas.ts';
import { presentValidator, validatorSchema } from '../chain/present.ts';

const cardSchema = z.object({
  validator: validatorSchema,
  addresses: z.array(z.string()).meta({ description: 'multiaddrs at which the node listens' }),
  proof: bytesText.meta({ description: 'signature of the consensus key: proof of possession' }),
});

function presentCard({ validator, addresses, proof }: ValidatorCard) {
  return { validator: presentValidator(validator), addresses: [...addresses], proof: base64(proof) };
}

export const validatorCard = (api: ValidatorNodeApi): RpcMethod =>
  defineMethod({
    name: 'validator_card',
    summary: 'What administrators need to propose this consensus node as a validator.',
    access: 'session',
    params: z.strictObject({}),
    result: cardSchema,
    errors: [],
    handle: () => presentCard(api.card()),
  });

export const validatorNewKey = (api: ValidatorNodeApi): RpcMethod =>
  defineMethod({
    name: 'validator_newKey',
    summary:
      'Prepares the next consensus key of this node, which it uses from the set change on that names it.',
    access: 'session',
    params: z.strictObject({}),
    result: cardSchema,
    errors: ['unavailable'],
    handle: async () => presentCard(await api.newKey()),
  });
