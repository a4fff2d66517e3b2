import { z } from 'zod';
import { isReject } from '../../../core/base/reject.ts';
import type { GovernanceApi } from '../../governance-api.ts';
import { defineMethod, type RpcMethod } from '../../method.ts';
import { count, hashText } from '../../schemas.ts';
import { proposalNumber } from './schemas.ts';

export const proposalVote = (api: GovernanceApi): RpcMethod =>
  defineMethod({
    name: 'proposal_vote',
    summary: 'Approves or rejects a proposal in the name of this member, once.',
    access: 'session',
    params: z.strictObject({ proposal: proposalNumber, approve: z.boolean() }),
    result: z.object({ id: hashText, height: count }),
    errors: ['refused', 'forbidden', 'expired', 'unavailable', 'busy'],
    handle: async ({ proposal, approve }) => {
      const sent = await api.voteOnProposal(proposal, approve);
      return isReject(sent) ? sent : { id: sent.id, height: sent.height };
    },
  });
