import { z } from 'zod';
import { RpcFailure } from '../../errors.ts';
import type { CallContext, Connection } from '../../method.ts';
import { count } from '../../schemas.ts';

export const subscribedSchema = z.object({
  subscription: z.string().meta({ description: 'named in every subscription_event and subscription_end' }),
  cursor: count.meta({ description: 'height or position at which it begins' }),
});

export function connectionOf(context: CallContext): Connection {
  if (context.connection !== null) return context.connection;
  throw new RpcFailure('needs_websocket', undefined, {
    reason: 'needs_websocket',
    hint: 'Open a WebSocket at the same address.',
  });
}
