import { z } from 'zod';
import type { GovernanceReadApi } from '../../governance-api.ts';
import { defineMethod, type RpcMethod } from '../../method.ts';
import { presentProposal, proposalSchema } from './present.ts';

export const proposalList = (api: GovernanceReadApi): RpcMethod =>
  defineMethod({
    name: 'proposal_list',
    summary: 'Proposals of the administrators: the open ones, and the newest of the closed ones.',
    access: 'session',
    params: z.strictObject({
      openOnly: z.boolean().default(false).meta({ description: 'without those that are decided' }),
    }),
    result: z.object({ proposals: z.array(proposalSchema) }),
    errors: [],
    handle: ({ openOnly }) => {
      const system = api.system();
      const all = system.governance.proposals.map(entry => presentProposal(system, entry, api.headHeight()));
      return { proposals: all.filter(({ status }) => !openOnly || status === 'open') };
    },
  });
