import type { GovernanceApi } from '../governance-api.ts';
import type { RpcMethod } from '../method.ts';
import { proposalCreate } from './proposal/create.ts';
import { proposalList } from './proposal/list.ts';
import { proposalShow } from './proposal/show.ts';
import { proposalVote } from './proposal/vote.ts';
import { proposalWithdraw } from './proposal/withdraw.ts';

export const proposalMethods = (api: GovernanceApi): readonly RpcMethod[] => [
  proposalList(api),
  proposalShow(api),
  proposalCreate(api),
  proposalVote(api),
  proposalWithdraw(api),
];
