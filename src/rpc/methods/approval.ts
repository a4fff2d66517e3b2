import { z } from 'zod';
import type { PhaseId } from '../../core/base/ids.ts';
import { isReject } from '../../core/base/reject.ts';
import { roleNames } from '../../core/types/operation.ts';
import { deedText, policyChanges } from '../../services/records/history.ts';
import type { FlowApi } from '../flow-api.ts';
import { defineMethod, type RpcMethod } from '../method.ts';
import { CHANGE_ERRORS, presentReceipt } from '../receipt.ts';
import { count, phaseNameSchema, receiptSchema } from '../schemas.ts';
import { asUserSchema } from './member/users.ts';
import { findPhase } from './phase/find.ts';

const requestView = z.object({
  request: count.meta({ description: 'its number: the position of its leaf in the log of the phase' }),
  kind: z.string(),
  deed: z.string().meta({ description: 'what is asked for, in words' }),
  records: z
    .array(z.string())
    .meta({ description: 'of a handover: the records that it names; none for all' }),
  changes: z.array(
    z.object({ what: z.string(), before: z.string().nullable(), after: z.string().nullable() }),
  ),
  requester: z.string(),
  height: count,
  expiresHeight: count,
  alive: z.boolean().meta({ description: 'false when its height, the phase or its members are past it' }),
  approved: z.boolean(),
  rules: z.array(
    z.object({ roles: z.array(z.string()), needed: count, approvals: count, rejections: count }),
  ),
  votes: z.array(z.object({ member: z.string(), approve: z.boolean() })),
});

const list = (api: FlowApi): RpcMethod =>
  defineMethod({
    name: 'approval_list',
    summary: 'What waits for approvals in a phase, oldest first.',
    access: 'session',
    params: z.strictObject({ phase: phaseNameSchema }),
    result: z.object({ requests: z.array(requestView) }),
    errors: ['not_found', 'ambiguous_name', 'forbidden', 'refused'],
    handle: async ({ phase: name }) => {
      const { state } = await findPhase(api, name);
      const found = await api.flow.requests(state.id);
      if (isReject(found)) return found;
      const labels = new Map<PhaseId, string>();
      for (const view of await api.phases()) if (view.label !== null) labels.set(view.state.id, view.label);
      const nameOf = (id: PhaseId) => labels.get(id) ?? id.slice(0, 12);
      return {
        requests: found.map(({ number, deed, rules, votes, ...request }) => ({
          ...{ request: number, kind: deed.kind, deed: deedText(deed, nameOf) },
          records: deed.kind === 'phaseHandover' ? [...deed.records] : [],
          changes: deed.kind === 'phasePolicy' ? policyChanges(state.policy, deed.policy) : [],
          ...{ requester: request.requester, height: request.height, expiresHeight: request.expiresHeight },
          alive: request.alive,
          approved: request.alive && rules.every(({ approvals, needed }) => approvals >= needed),
          rules: rules.map(rule => ({ ...rule, roles: roleNames(rule.roles) })),
          votes: votes.map(vote => ({ ...vote })),
        })),
      };
    },
  });

const vote = (api: FlowApi): RpcMethod =>
  defineMethod({
    name: 'approval_vote',
    summary: 'Approves or rejects a request, as a participant with a role that the policy names.',
    access: 'session',
    params: z.strictObject({
      phase: phaseNameSchema,
      request: count,
      approve: z.boolean(),
      asUser: asUserSchema,
    }),
    result: receiptSchema,
    errors: CHANGE_ERRORS,
    handle: async ({ phase, request, approve, asUser }) => {
      const { id } = (await findPhase(api, phase)).state;
      const signing = await api.flowAs(asUser);
      return presentReceipt(isReject(signing) ? signing : await signing.vote(id, request, approve));
    },
  });

const withdraw = (api: FlowApi): RpcMethod =>
  defineMethod({
    name: 'approval_withdraw',
    summary: 'Takes a request back, as who made it.',
    access: 'session',
    params: z.strictObject({ phase: phaseNameSchema, request: count }),
    result: receiptSchema,
    errors: CHANGE_ERRORS,
    handle: async ({ phase, request }) => {
      const { id } = (await findPhase(api, phase)).state;
      return presentReceipt(await api.flow.withdraw(id, request));
    },
  });

export const approvalMethods = (api: FlowApi): readonly RpcMethod[] => [list(api), vote(api), withdraw(api)];
