import { z } from 'zod';
import { findProposal } from '../../../core/access/proposals.ts';
import { failure } from '../../errors.ts';
import type { GovernanceReadApi } from '../../governance-api.ts';
import { defineMethod, type RpcMethod } from '../../method.ts';
import { presentProposal, proposalSchema } from './present.ts';
import { proposalNumber } from './schemas.ts';

export const proposalShow = (api: GovernanceReadApi): RpcMethod =>
  defineMethod({
    name: 'proposal_show',
    summary: 'One proposal: what it changes, before and after, and its ballots.',
    access: 'session',
    params: z.strictObject({ proposal: proposalNumber }),
    result: proposalSchema,
    errors: ['not_found'],
    handle: ({ proposal }) => {
      const system = api.system();
      const found = findProposal(system, proposal);
      if (found !== null) return presentProposal(system, found, api.headHeight());
      const detail = `there is no proposal ${proposal}, or it was decided long ago`;
      throw failure('not_found', 'unknownProposal', detail, 'proposal_list shows those that are kept.');
    },
  });
