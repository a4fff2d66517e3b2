import { z } from 'zod';
import type { ConsensusNodeApi } from '../../api.ts';
import { defineMethod, type RpcMethod } from '../../method.ts';
import { count } from '../../schemas.ts';
import { presentValidator, validatorSchema } from './present.ts';

export const chainValidators = (api: ConsensusNodeApi): RpcMethod =>
  defineMethod({
    name: 'chain_validators',
    summary: 'The validator set that decides the next height.',
    access: 'public',
    params: z.strictObject({}),
    result: z.object({ id: count, validators: z.array(validatorSchema) }),
    errors: [],
    handle: () => {
      const set = api.validators();
      return { id: set.id, validators: set.validators.map(presentValidator) };
    },
  });
