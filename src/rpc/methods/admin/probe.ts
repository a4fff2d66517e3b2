import { z } from 'zod';
import type { AdminApi } from '../../api.ts';
import { defineMethod, type RpcMethod } from '../../method.ts';
import { invalidParams } from '../../params.ts';
import { cidSchema, count, hashSchema, peerIdSchema } from '../../schemas.ts';

const ADDRESSES_MAX = 8;

export const adminProbe = (api: AdminApi): RpcMethod =>
  defineMethod({
    name: 'admin_probe',
    summary:
      'Asks a peer directly for a log or a file, whether or not this node may have it, and reports the answer.',
    access: 'session',
    params: z.strictObject({
      peer: peerIdSchema,
      kind: z.enum(['log', 'file']),
      phase: hashSchema.meta({ description: 'whole id of the phase' }),
      cid: cidSchema.nullable().default(null).meta({ description: 'the file, for kind file' }),
      from: count.default(0).meta({ description: 'first position, for kind log' }),
      addresses: z.array(z.string().min(1).max(512)).max(ADDRESSES_MAX).default([]),
    }),
    result: z.object({
      answer: z.enum(['served', 'refused', 'unreachable']),
      reason: z.string(),
      bytes: count,
    }),
    errors: [],
    handle: ({ peer, kind, phase, cid, from, addresses }) => {
      if (kind === 'log') return api.probe({ peer, addresses, kind, phase, from });
      if (cid === null) throw invalidParams([{ parameter: 'cid', fault: 'the kind file needs a CID' }]);
      return api.probe({ peer, addresses, kind, phase, cid });
    },
  });
