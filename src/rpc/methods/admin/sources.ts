import { z } from 'zod';
import type { AdminApi } from '../../api.ts';
import { defineMethod, type RpcMethod } from '../../method.ts';

export const adminSources = (api: AdminApi): RpcMethod =>
  defineMethod({
    name: 'admin_sources',
    summary: 'The consensus nodes of the current validator set: whom `admin_probe` can ask for logs.',
    access: 'session',
    params: z.strictObject({}),
    result: z.object({ validators: z.array(z.object({ name: z.string(), peerId: z.string() })) }),
    errors: [],
    handle: () => ({ validators: api.sources().map(({ name, peerId }) => ({ name, peerId })) }),
  });
