import type { MemberReadApi } from '../api.ts';
import type { RpcMethod } from '../method.ts';
import { memberGet } from './member/get.ts';
import { memberList } from './member/list.ts';

export const memberMethods = (api: MemberReadApi): readonly RpcMethod[] => [memberList(api), memberGet(api)];
