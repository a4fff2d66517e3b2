import { z } from 'zod';
import type { NodeApi } from '../../api.ts';
import { defineMethod, type RpcMethod } from '../../method.ts';
import { hashText, headSchema, time, timeSchema } from '../../schemas.ts';
import { presentHead } from '../chain/present.ts';

export const nodeStatus = (api: NodeApi): RpcMethod =>
  defineMethod({
    name: 'node_status',
    summary: 'What this node is, its head, its peers, and why it is not ready when it is not.',
    access: 'public',
    params: z.strictObject({}),
    result: z.object({
      role: z.enum(['consensus', 'participant', 'manager']),
      name: z.string(),
      version: z.string(),
      chainId: hashText,
      chainName: z.string(),
      peerId: z.string(),
      addresses: z.array(z.string()),
      head: headSchema.nullable(),
      peers: z.array(
        z.object({
          peer: z.string(),
          name: z.string().nullable(),
          connected: z.boolean(),
          note: z.string().nullable().meta({ description: 'what is wrong with it as a source' }),
        }),
      ),
      ready: z.boolean(),
      notReady: z.array(z.string()),
      started: timeSchema,
    }),
    errors: [],
    handle: () => {
      const { startedMs, head, notReady, addresses, peers, ...status } = api.status();
      return {
        ...status,
        addresses: [...addresses],
        head: head === null ? null : presentHead(head),
        peers: peers.map(peer => ({ ...peer, note: peer.note ?? null })),
        ready: notReady.length === 0,
        notReady: [...notReady],
        started: time(startedMs),
      };
    },
  });
