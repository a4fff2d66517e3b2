import { z } from 'zod';
import { failure } from '../../errors.ts';
import { defineMethod, type RpcMethod } from '../../method.ts';
import { connectionOf } from './connection.ts';

export const subscriptionCancel = (): RpcMethod =>
  defineMethod({
    name: 'subscription_cancel',
    summary: 'Ends a subscription of this connection; no event of it follows the answer.',
    access: 'public',
    params: z.strictObject({ subscription: z.string().min(1).max(32) }),
    result: z.object({ cancelled: z.literal(true) }),
    errors: ['needs_websocket', 'not_found'],
    handle: ({ subscription }, context) => {
      if (connectionOf(context).cancel(subscription)) return { cancelled: true as const };
      throw failure(
        'not_found',
        'unknown_subscription',
        `this connection has no subscription "${subscription}"`,
      );
    },
  });
