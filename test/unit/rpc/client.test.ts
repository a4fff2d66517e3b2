import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { createClient } from '../../../src/client/client.ts';
import { RpcError } from '../../../src/client/rpc-error.ts';
import type { PhaseId } from '../../../src/core/base/ids.ts';
import type { OperatingError } from '../../../src/ports/lifecycle.ts';
import { consensusNodeMethods, participantMethods } from '../../../src/rpc/groups.ts';
import type { RpcServer } from '../../../src/rpc/server.ts';
import {
  hashOf,
  type ManualClock,
  MemoryConsensusNode,
  MemoryParticipant,
  startServer,
  stopServers,
  TOKEN,
} from './support.ts';

const participant = new MemoryParticipant();
const intake = hashOf(0xa1) as PhaseId;
let url: string;
let server: RpcServer;
let clock: ManualClock;

beforeAll(async () => {
  participant.addPhase(intake, 'intake');
  participant.book.append();
  ({ url, server, clock } = await startServer(participantMethods(participant, null), { node: participant }));
});
afterAll(stopServers);

const put = (text: string) =>
  participant.putRecord(
    {
      phase: intake,
      type: '',
      title: '',
      mediaType: 'text/plain',
      data: Buffer.from(text),
      files: [],
      references: [],
    },
    new AbortController().signal,
  );

async function until(done: () => boolean): Promise<void> {
  while (!done()) await new Promise(resolve => setImmediate(resolve));
}

describe('calls', () => {
  it('answer values, or throw what the node answered', async () => {
    const client = createClient({ url, token: TOKEN });
    expect(await client.call<{ name: string }>('node_status')).toMatchObject({ name: 'alice' });
    const refused: RpcError = await client
      .call<never>('phase_get', { phase: 'nowhere' })
      .catch(error => error);
    expect(refused).toBeInstanceOf(RpcError);
    expect(refused).toMatchObject({ code: 1002, reason: 'unknown_phase', refused: true });
    expect(refused.hint).toContain('phase_list');
    await expect(client.call('phase_get', { phase: 7 })).rejects.toMatchObject({
      code: -32602,
      parameter: 'phase',
      refused: false,
    });
    await expect(createClient({ url, token: 'x' }).call('node_status')).rejects.toMatchObject({
      reason: 'wrong_token',
    });
  });

  it('go together in a batch, each with its own end', async () => {
    const answers = await createClient({ url }).batch([
      { method: 'node_status' },
      { method: 'nothing' },
      { method: 'member_list' },
    ]);
    expect(answers[0]).toMatchObject({ name: 'alice' });
    expect(answers[1]).toMatchObject({ code: -32601 });
    expect(answers[2]).toMatchObject({ code: -32001, reason: 'session_needed' });
    expect(await createClient({ url }).batch([])).toEqual([]);
  });

  it('an unreachable node is named, with the next command', async () => {
    const gone = createServer();
    await new Promise<void>(resolve => gone.listen(0, '127.0.0.1', resolve));
    const { port } = gone.address() as AddressInfo;
    await new Promise(resolve => gone.close(resolve));
    const dead = createClient({ url: `http://127.0.0.1:${port}` });
    for (const attempt of [
      (): Promise<unknown> => dead.call('node_status'),
      () => dead.upload({ phase: 'x', name: 'x', body: Buffer.from('x') }),
      () => dead.subscribe('subscription_heads').next(),
    ]) {
      const error = (await attempt().catch(thrown => thrown)) as OperatingError;
      expect(error).toMatchObject({ name: 'OperatingError', code: 'cannot_connect' });
      expect(error.message).toContain(`http://127.0.0.1:${port}`);
      expect(error.hint).toContain('phaseline status');
    }
  });

  it('something else at the address, and silence, are told apart', async () => {
    const other = createServer((request, response) => {
      if (request.url === '/') response.end('<html>hello</html>');
    });
    await new Promise<void>(resolve => other.listen(0, '127.0.0.1', resolve));
    const target = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
    await expect(createClient({ url: target }).call('node_status')).rejects.toMatchObject({
      code: 'not_a_node',
    });
    other.removeAllListeners('request');
    await expect(createClient({ url: target, timeoutMs: 50 }).call('node_status')).rejects.toMatchObject({
      code: 'timeout',
    });
    const abort = new AbortController();
    const pending = createClient({ url: target }).call('node_status', {}, { signal: abort.signal });
    abort.abort(new Error('enough'));
    await expect(pending).rejects.toThrow('enough');
    other.closeAllConnections();
    await new Promise(resolve => other.close(resolve));
  });
});

describe('subscriptions', () => {
  it('send what is there from a position on, then what is new, in order', async () => {
    for (const text of ['a', 'b', 'c']) await put(text);
    const events = createClient({ url, token: TOKEN }).subscribe<{ content: { text: string } }>(
      'subscription_records',
      { phase: 'intake', from: 1 },
    );
    const next = async () => {
      const { value } = await events.next();
      return [value?.cursor, value?.item.content.text];
    };
    expect([await next(), await next()]).toEqual([
      [2, 'b'],
      [3, 'c'],
    ]);
    const waiting = next();
    await put('d');
    expect(await waiting).toEqual([4, 'd']);
    expect(server.open).toEqual({ sockets: 1, subscriptions: 1 });
    await events.return();
    await until(() => server.open.sockets === 0);
    expect(server.open.subscriptions).toBe(0);
  });

  it('resume where they were after the connection is lost', async () => {
    const other = new MemoryConsensusNode();
    const first = await startServer(consensusNodeMethods(other), { node: other });
    const port = first.server.address().port;
    for (let count = 0; count < 3; count += 1) other.book.append();
    const waits: number[] = [];
    let restarted: Promise<unknown> | null = null;
    const events = createClient({ url: first.url }).subscribe<{ height: number }>(
      'subscription_heads',
      { from: 0 },
      {
        wait: async ms => {
          waits.push(ms);
          restarted ??= startServer(consensusNodeMethods(other), { node: other, port });
          await restarted;
        },
      },
    );
    const heights: (number | undefined)[] = [];
    const next = async () => heights.push((await events.next()).value?.item.height);
    for (let count = 0; count < 3; count += 1) await next();
    await first.server.stop();
    for (let count = 0; count < 2; count += 1) other.book.append();
    await next();
    await next();
    expect(heights).toEqual([0, 1, 2, 3, 4]);
    expect(waits[0]).toBe(250);
    await events.return();
  });

  it('begin with what is new when no position is given, and end with the signal', async () => {
    const abort = new AbortController();
    const events = createClient({ url, token: TOKEN }).subscribe<{ content: { text: string } }>(
      'subscription_heads',
      {},
      { signal: abort.signal },
    );
    expect((await events.next()).value).toMatchObject({ cursor: 1, item: { height: 0 } });
    const ended = events.next();
    abort.abort();
    expect(await ended).toEqual({ value: undefined, done: true });
  });

  it('a refusal reaches the consumer, and plain HTTP is told to use a WebSocket', async () => {
    const events = createClient({ url, token: TOKEN }).subscribe('subscription_records', {
      phase: 'nowhere',
    });
    await expect(events.next()).rejects.toMatchObject({ code: 1002, reason: 'unknown_phase' });
    await expect(
      createClient({ url }).subscribe('subscription_records', { phase: 'intake' }).next(),
    ).rejects.toMatchObject({ code: -32001 });
    await expect(createClient({ url }).call('subscription_heads')).rejects.toMatchObject({
      reason: 'needs_websocket',
    });
  });
});

describe('WebSockets', () => {
  const open = (options: object = {}) =>
    new Promise<WebSocket>((resolve, fail) => {
      const socket = new WebSocket(url.replace('http', 'ws'), ['phaseline.rpc.1'], options);
      socket.once('open', () => resolve(socket));
      socket.once('error', fail);
    });
  const ask = (socket: WebSocket, text: string) =>
    new Promise<string>(resolve => {
      socket.once('message', data => resolve(String(data)));
      socket.send(text);
    });

  it('carry calls, batches and errors as HTTP does', async () => {
    const socket = await open();
    expect(JSON.parse(await ask(socket, '{"jsonrpc":"2.0","id":"x","method":"node_status"}'))).toMatchObject({
      id: 'x',
      result: { name: 'alice' },
    });
    expect(JSON.parse(await ask(socket, '[{"jsonrpc":"2.0","method":"node_status"},1]'))).toHaveLength(1);
    expect(JSON.parse(await ask(socket, '{'))).toMatchObject({ error: { code: -32700 } });
    expect(JSON.parse(await ask(socket, '{"jsonrpc":"2.0","id":1,"method":"member_list"}'))).toMatchObject({
      error: { code: -32001 },
    });
    const closed = new Promise(resolve => socket.once('close', resolve));
    socket.send(new Uint8Array([1]));
    expect(await closed).toBe(1003);
  });

  it('[89] of foreign origins and hosts are refused, and so is a wrong token', async () => {
    await expect(open({ origin: 'https://evil.example' })).rejects.toThrow('403');
    await expect(open({ headers: { host: 'evil.example' } })).rejects.toThrow('403');
    await expect(open({ headers: { authorization: 'Bearer wrong' } })).rejects.toThrow('401');
  });

  it('[95] subscriptions are bounded for each connection and freed with it', async () => {
    const socket = await open();
    const texts: string[] = [];
    socket.on('message', data => texts.push(String(data)));
    const calls = Array.from({ length: 40 }, (_, id) => ({
      jsonrpc: '2.0',
      id,
      method: 'subscription_heads',
    }));
    socket.send(JSON.stringify(calls));
    await until(() => texts.length > 0);
    const answers = JSON.parse(texts[0]!) as { error?: { data: { reason: string } } }[];
    expect(answers.filter(answer => answer.error === undefined)).toHaveLength(32);
    expect(answers.at(-1)?.error?.data.reason).toBe('too_many_subscriptions');
    expect(server.open.subscriptions).toBe(32);
    socket.terminate();
    await until(() => server.open.sockets === 0);
    expect(server.open.subscriptions).toBe(0);
  });

  it('a cancelled subscription sends nothing more', async () => {
    const socket = await open();
    const texts: string[] = [];
    socket.on('message', data => texts.push(String(data)));
    socket.send('{"jsonrpc":"2.0","id":1,"method":"subscription_heads","params":{"from":1000000}}');
    await until(() => texts.length === 1);
    const { subscription } = JSON.parse(texts[0]!).result;
    expect(
      JSON.parse(
        await ask(
          socket,
          `{"jsonrpc":"2.0","id":2,"method":"subscription_cancel","params":["${subscription}"]}`,
        ),
      ),
    ).toMatchObject({ result: { cancelled: true } });
    expect(
      JSON.parse(
        await ask(
          socket,
          `{"jsonrpc":"2.0","id":3,"method":"subscription_cancel","params":["${subscription}"]}`,
        ),
      ),
    ).toMatchObject({ error: { code: 1002 } });
    socket.terminate();
    await until(() => server.open.sockets === 0);
  });

  it('one that does not answer pings is cut off', async () => {
    const socket = await open({ autoPong: false });
    const closed = new Promise(resolve => socket.once('close', resolve));
    clock.advance(30_000);
    clock.advance(30_000);
    expect(await closed).toBe(1006);
  });
});
