import { z } from 'zod';
import { isReject } from '../../core/base/reject.ts';
import { LIMITS } from '../../core/types/limits.ts';
import type { CustodyApi } from '../custody-api.ts';
import { defineMethod, type RpcMethod } from '../method.ts';
import { CHANGE_ERRORS, presentReceipt } from '../receipt.ts';
import { count, memberIdSchema, phaseNameSchema, receiptSchema } from '../schemas.ts';
import { findPhase } from './phase/find.ts';

const ofPhase = z.strictObject({ phase: phaseNameSchema });

async function idOf(api: CustodyApi, name: string) {
  return (await findPhase(api, name)).state.id;
}

const change = (
  api: CustodyApi,
  name: 'phase_complain' | 'phase_recoveryAsk',
  summary: string,
  deed: 'complain' | 'ask',
): RpcMethod =>
  defineMethod({
    name,
    summary,
    access: 'session',
    params: ofPhase,
    result: receiptSchema,
    errors: CHANGE_ERRORS,
    handle: async ({ phase }) => presentReceipt(await api.custody[deed](await idOf(api, phase))),
  });

const rotate = (api: CustodyApi): RpcMethod =>
  defineMethod({
    name: 'phase_rotate',
    summary: 'Opens the next key epoch of a phase, which also ends a freeze.',
    access: 'session',
    params: z.strictObject({
      phase: phaseNameSchema,
      accept: z
        .array(memberIdSchema)
        .max(LIMITS.participantsPerPhase)
        .default([])
        .meta({ description: 'members whose keys administrators replaced, and are theirs all the same' }),
    }),
    result: receiptSchema,
    errors: CHANGE_ERRORS,
    handle: async ({ phase, accept }) =>
      presentReceipt(await api.custody.rotate(await idOf(api, phase), accept)),
  });

const set = (api: CustodyApi): RpcMethod =>
  defineMethod({
    name: 'phase_recoverySet',
    summary: 'Splits the key that opens the history of a phase among members, some of whom open it together.',
    access: 'session',
    params: z.strictObject({
      phase: phaseNameSchema,
      threshold: count.min(2).max(LIMITS.recoveryHolders).meta({ description: 'shares that open it' }),
      holders: z.array(memberIdSchema).min(2).max(LIMITS.recoveryHolders),
    }),
    result: receiptSchema,
    errors: CHANGE_ERRORS,
    handle: async ({ phase, ...input }) =>
      presentReceipt(await api.custody.setRecovery({ ...input, phase: await idOf(api, phase) })),
  });

const recoveryView = z.object({
  threshold: count,
  fromEpoch: count.meta({ description: 'first key epoch that the shares open' }),
  holders: z.array(z.object({ member: z.string(), active: z.boolean() })),
  asks: z.array(
    z.object({
      ask: count.meta({ description: 'its number: the position of its leaf in the log of the phase' }),
      member: z.string(),
      height: count,
      offers: z.array(z.string()),
    }),
  ),
  holdsShare: z.boolean().meta({ description: 'this node has a share that it can offer' }),
  recovered: z.boolean().meta({ description: 'this node has put the recovery key together' }),
  wrongOffers: z.array(z.string()).meta({ description: 'holders whose offer to this member was no share' }),
});

const show = (api: CustodyApi): RpcMethod =>
  defineMethod({
    name: 'phase_recovery',
    summary: 'Who holds shares of the recovery key of a phase, and who asks for them.',
    access: 'session',
    params: ofPhase,
    result: z.object({ recovery: recoveryView.nullable() }),
    errors: ['not_found', 'ambiguous_name', 'forbidden', 'refused'],
    handle: async ({ phase }) => {
      const found = await api.custody.recovery(await idOf(api, phase));
      if (found === null || isReject(found)) return found ?? { recovery: null };
      const { recovery, active, wrongOffers, ...own } = found;
      const { threshold, fromEpoch } = recovery;
      const holders = recovery.holders.map(({ member }) => ({ member, active: active.includes(member) }));
      const asks = recovery.asks.map(({ number, member, height, offers }) => {
        return { ask: number, member, height, offers: [...offers] };
      });
      return { recovery: { threshold, fromEpoch, holders, asks, wrongOffers: [...wrongOffers], ...own } };
    },
  });

const offer = (api: CustodyApi): RpcMethod =>
  defineMethod({
    name: 'phase_recoveryOffer',
    summary:
      'Seals this member’s share to a participant who asks: with enough shares that one opens the phase.',
    access: 'session',
    params: z.strictObject({ phase: phaseNameSchema, to: memberIdSchema }),
    result: receiptSchema,
    errors: CHANGE_ERRORS,
    handle: async ({ phase, to }) => presentReceipt(await api.custody.offer(await idOf(api, phase), to)),
  });

export const custodyMethods = (api: CustodyApi): readonly RpcMethod[] => [
  rotate(api),
  change(api, 'phase_complain', 'Tells on chain that the envelope for this member is no good.', 'complain'),
  set(api),
  show(api),
  change(api, 'phase_recoveryAsk', 'Asks the holders of shares for the keys of a phase.', 'ask'),
  offer(api),
];
