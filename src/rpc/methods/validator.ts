import type { GovernanceReadApi, ValidatorNodeApi } from '../governance-api.ts';
import type { RpcMethod } from '../method.ts';
import { validatorCard, validatorNewKey } from './validator/card.ts';
import { validatorList } from './validator/list.ts';

export const validatorMethods = (api: GovernanceReadApi): readonly RpcMethod[] => [validatorList(api)];

export const validatorNodeMethods = (api: ValidatorNodeApi): readonly RpcMethod[] => [
  validatorCard(api),
  validatorNewKey(api),
];
