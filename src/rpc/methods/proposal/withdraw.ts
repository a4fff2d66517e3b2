import { z } from 'zod';
import { isReject } from '../../../core/base/reject.ts';
import type { GovernanceApi } from '../../governance-api.ts';
import { defineMethod, type RpcMethod } from '../../method.ts';
import { count, hashText } from '../../schemas.ts';
import { proposalNumber } from './schemas.ts';

export const proposalWithdraw = (api: GovernanceApi): RpcMethod =>
  defineMethod({
    name: 'proposal_withdraw',
    summary: 'Takes back a proposal of this member.',
    access: 'session',
    params: z.strictObject({ proposal: proposalNumber }),
    result: z.object({ id: hashText, height: count }),
    errors: ['refused', 'forbidden', 'expired', 'unavailable', 'busy'],
    handle: async ({ proposal }) => {
      const sent = await api.withdrawProposal(proposal);
      return isReject(sent) ? sent : { id: sent.id, height: sent.height };
    },
  });
