import type { IdentityApi } from '../api.ts';
import type { RpcMethod } from '../method.ts';
import { identityAnswer } from './identity/answer.ts';
import { identityCard } from './identity/card.ts';

export const identityMethods = (api: IdentityApi): readonly RpcMethod[] => [
  identityCard(api),
  identityAnswer(api),
];
