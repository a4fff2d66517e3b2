import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createClient } from '../../../src/client/client.ts';
import { defineMethod } from '../../../src/rpc/method.ts';
import type { RpcServer } from '../../../src/rpc/server.ts';
import { startServer, stopServers, TOKEN } from '../rpc/support.ts';

let url: string;
let server: RpcServer;
/** Called when the node has begun with a call that does not end by itself. */
let begun: () => void = () => {};

const shared = { summary: 'for tests', access: 'session', errors: ['not_found'] } as const;
const short = defineMethod({
  ...{ ...shared, name: 'test_short', params: z.strictObject({}), result: z.object({ done: z.boolean() }) },
  handle: async () => ({ done: true }),
});
const endless = defineMethod({
  ...{ ...shared, name: 'test_endless', params: z.strictObject({}), result: z.object({ done: z.boolean() }) },
  handle: (_params, { signal }) =>
    new Promise<{ done: boolean }>(resolve => {
      signal.addEventListener('abort', () => resolve({ done: false }), { once: true });
      begun();
    }),
});

beforeAll(async () => {
  ({ url, server } = await startServer([short, endless]));
});
afterAll(stopServers);

const noHttp = (() => Promise.reject(new Error('asked over HTTP'))) as unknown as typeof fetch;

describe('a call that may take long', () => {
  it('does not go over HTTP, which gives up after minutes without an answer', async () => {
    const client = createClient({ url, token: TOKEN, fetch: noHttp });
    expect(await client.callLong('test_short')).toEqual({ done: true });
    await expect(client.callLong('test_nothing')).rejects.toMatchObject({ code: -32601 });
  });

  it('says what is wrong where no WebSocket is to be had', async () => {
    const stranger = createClient({ url, token: 'x' });
    await expect(stranger.callLong('test_short')).rejects.toMatchObject({ reason: 'wrong_token' });
  });

  it('ends with the signal, and with the connection', async () => {
    const client = createClient({ url, token: TOKEN, fetch: noHttp });
    const stopping = new AbortController();
    begun = () => stopping.abort(new Error('stopped'));
    await expect(client.callLong('test_endless', {}, { signal: stopping.signal })).rejects.toThrow('stopped');
    begun = () => void server.stop();
    await expect(client.callLong('test_endless')).rejects.toMatchObject({ code: 'cannot_connect' });
  });
});
