import { z } from 'zod';
import { isReject } from '../../../core/base/reject.ts';
import { LIMITS } from '../../../core/types/limits.ts';
import type { GovernanceApi } from '../../governance-api.ts';
import { defineMethod, type RpcMethod } from '../../method.ts';
import { count, hashText, labelSchema } from '../../schemas.ts';
import { actionSchema } from './schemas.ts';

const EXPIRES_BLOCKS_DEFAULT = 100_000;
const EXPIRES_BLOCKS_MAX = 10_000_000;

export const proposalCreate = (api: GovernanceApi): RpcMethod =>
  defineMethod({
    name: 'proposal_create',
    summary: "Proposes a change of the consortium; it counts as this member's approval.",
    access: 'session',
    params: z.strictObject({
      title: labelSchema.meta({ description: 'what the other administrators read' }),
      actions: z.array(actionSchema).min(1).max(LIMITS.actionsPerProposal),
      expiresBlocks: z
        .int()
        .min(1)
        .max(EXPIRES_BLOCKS_MAX)
        .default(EXPIRES_BLOCKS_DEFAULT)
        .meta({ description: 'ballots are taken for so many blocks from here' }),
    }),
    result: z.object({ id: hashText, height: count, proposal: count.nullable() }),
    errors: ['refused', 'forbidden', 'expired', 'unavailable', 'busy'],
    handle: async input => {
      const sent = await api.createProposal(input as Parameters<GovernanceApi['createProposal']>[0]);
      return isReject(sent) ? sent : { id: sent.id, height: sent.height, proposal: sent.proposal };
    },
  });
