import { z } from 'zod';
import type { HandoverResult } from '../../api.ts';
import { count, hashText, receiptSchema, time } from '../../schemas.ts';

export const handoverSchema = z.object({
  transactions: z.array(receiptSchema).meta({ description: 'one a batch, in order' }),
  items: count,
  skipped: z.array(hashText).meta({ description: 'records that do not open here or came by a handover' }),
  refusal: z
    .object({ reason: z.string(), detail: z.string() })
    .nullable()
    .meta({ description: 'why a later batch was refused; the earlier ones stand' }),
});

export function presentHandover({ transactions, items, skipped, refusal }: HandoverResult) {
  return {
    transactions: transactions.map(({ id, height, timeMs }) => ({ id, height, time: time(timeMs) })),
    items,
    skipped: [...skipped],
    refusal: refusal === null ? null : { reason: refusal.reject, detail: refusal.detail },
  };
}
