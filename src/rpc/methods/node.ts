import type { NodeApi } from '../api.ts';
import type { RpcMethod } from '../method.ts';
import { nodeStatus } from './node/status.ts';

export const nodeMethods = (api: NodeApi): readonly RpcMethod[] => [nodeStatus(api)];
