import type { ConsensusNodeApi } from '../api.ts';
import type { RpcMethod } from '../method.ts';
import { txStatus } from './tx/status.ts';
import { txSubmit } from './tx/submit.ts';

export const txMethods = (api: ConsensusNodeApi): readonly RpcMethod[] => [txSubmit(api), txStatus(api)];
