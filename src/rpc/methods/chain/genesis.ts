import { z } from 'zod';
import type { ConsensusNodeApi } from '../../api.ts';
import { defineMethod, type RpcMethod } from '../../method.ts';
import { count, hashText, time, timeSchema } from '../../schemas.ts';
import { presentValidator, validatorSchema } from './present.ts';

export const chainGenesis = (api: ConsensusNodeApi): RpcMethod =>
  defineMethod({
    name: 'chain_genesis',
    summary: 'What the chain began with: parameters, validators, administrators. Members are not shown.',
    access: 'public',
    params: z.strictObject({}),
    result: z.object({
      chainId: hashText,
      name: z.string(),
      time: timeSchema,
      parameters: z.record(z.string(), z.number()),
      validators: z.array(validatorSchema),
      administrators: z.array(z.string()),
      administratorThreshold: count,
    }),
    errors: [],
    handle: () => {
      const genesis = api.genesis();
      return {
        chainId: api.status().chainId,
        name: genesis.name,
        time: time(genesis.timeMs),
        parameters: { ...genesis.parameters },
        validators: genesis.validators.map(presentValidator),
        administrators: [...genesis.administrators],
        administratorThreshold: genesis.administratorThreshold,
      };
    },
  });
