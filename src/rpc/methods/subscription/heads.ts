import { z } from 'zod';
import type { NodeApi } from '../../api.ts';
import { watchChanges } from '../../changes.ts';
import { defineMethod, type Emit, type RpcMethod } from '../../method.ts';
import { count } from '../../schemas.ts';
import { presentHead } from '../chain/present.ts';
import { connectionOf, subscribedSchema } from './connection.ts';

async function pump(api: NodeApi, from: number, emit: Emit, signal: AbortSignal): Promise<void> {
  const changes = watchChanges(api.onHead, signal);
  try {
    let next = from;
    while (!signal.aborted) {
      const head = api.headFrom(next);
      if (head === null) {
        await changes.wait();
        continue;
      }
      next = head.height + 1;
      await emit({ cursor: next, item: presentHead(head) });
    }
  } finally {
    changes.close();
  }
}

export const subscriptionHeads = (api: NodeApi): RpcMethod =>
  defineMethod({
    name: 'subscription_heads',
    summary: 'Sends every head that this node verifies, in order, from a height on; `cursor` resumes.',
    access: 'public',
    params: z.strictObject({
      from: count.nullable().default(null).meta({ description: 'first height; null for the present head' }),
    }),
    result: subscribedSchema,
    errors: ['needs_websocket', 'limit_exceeded'],
    handle: ({ from }, context) => {
      const first = from ?? api.status().head?.height ?? 0;
      const subscription = connectionOf(context).subscribe((emit, signal) => pump(api, first, emit, signal));
      return { subscription, cursor: first };
    },
  });
