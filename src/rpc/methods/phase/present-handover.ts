import { z } from 'zod';
import { LIMITS } from '../../../core/types/limits.ts';
import type { HandoverResult } from '../../api.ts';
import { cidSchema, count, hashSchema, hashText, receiptSchema, time } from '../../schemas.ts';

/** Successors that one call hands over to. */
export const HANDOVER_TARGETS_MAX = 64;

/** What goes over: with neither, everything that the node can open. */
export const handedParams = {
  records: z.array(hashSchema).min(1).max(LIMITS.itemsPerHandover).nullable().default(null).meta({
    description: 'ids of the records; null for all that this node can open, unless files are named',
  }),
  files: z
    .array(cidSchema)
    .min(1)
    .max(LIMITS.itemsPerHandover)
    .nullable()
    .default(null)
    .meta({ description: 'the records that name one of these files go, with all their files' }),
};

const targetSchema = z.object({
  target: hashText,
  transactions: z.array(receiptSchema).meta({ description: 'one a batch, in order' }),
  items: count,
  skipped: z.array(hashText).meta({ description: 'records that do not open here or came by a handover' }),
  refusal: z
    .object({ reason: z.string(), detail: z.string(), hint: z.string() })
    .nullable()
    .meta({ description: 'why it was refused; earlier batches stand' }),
});

export const handoverSchema = z.object({
  targets: z
    .array(targetSchema)
    .meta({ description: 'one a target, in the order of the call; each is done or refused by itself' }),
});

export function presentHandover(results: readonly HandoverResult[]) {
  return {
    targets: results.map(({ target, transactions, items, skipped, refusal }) => ({
      target,
      transactions: transactions.map(({ id, height, timeMs }) => ({ id, height, time: time(timeMs) })),
      items,
      skipped: [...skipped],
      refusal:
        refusal === null ? null : { reason: refusal.reject, detail: refusal.detail, hint: refusal.hint },
    })),
  };
}
