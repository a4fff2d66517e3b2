import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AssertionError } from '../../../src/core/base/assert.ts';
import { reject } from '../../../src/core/base/reject.ts';
import { OperatingError } from '../../../src/ports/lifecycle.ts';
import { consensusNodeMethods } from '../../../src/rpc/groups.ts';
import {
  call,
  exchange,
  hashOf,
  MemoryConsensusNode,
  post,
  rawExchange,
  startServer,
  stopServers,
  TOKEN,
} from './support.ts';

const node = new MemoryConsensusNode();
node.book.append();
let url: string;
let fatal: Error[];
const chainHead = '{"jsonrpc":"2.0","id":1,"method":"chain_head"}';

beforeAll(async () => {
  ({ url, fatal } = await startServer(consensusNodeMethods(node), {
    node,
    allowedHosts: ['node.example'],
    allowedOrigins: ['https://console.example'],
    limits: { bodyBytesMax: 100_000 },
  }));
});
afterAll(stopServers);

describe('hosts and origins', () => {
  it('[89] a foreign Host is refused on every path', async () => {
    for (const path of ['/', '/healthz', '/readyz', '/metrics', '/nowhere']) {
      const answer = await exchange(`${url}${path}`, 'GET', { host: 'evil.example' });
      expect([path, answer.status, answer.json.error.data.reason]).toEqual([path, 403, 'host_not_allowed']);
    }
    const near = await post(url, chainHead, { host: '127.0.0.1.evil.example' });
    expect(near.status).toBe(403);
    expect(await rawExchange(url, 'GET /healthz HTTP/1.0\r\n\r\n')).toContain('403');
  });

  it('[89] allowed names and loopback names pass, with any port', async () => {
    for (const host of [
      'node.example',
      'node.example:8080',
      'localhost',
      'LOCALHOST:1',
      '127.0.0.1',
      '[::1]:7',
    ]) {
      expect([host, (await post(url, chainHead, { host })).status]).toEqual([host, 200]);
    }
  });

  it('[89] a foreign or opaque Origin is refused, the own and the allowed pass', async () => {
    const { host } = new URL(url);
    for (const [origin, status] of [
      ['https://evil.example', 403],
      ['null', 403],
      ['http://localhost:1', 403],
      [`http://${host}`, 200],
      ['https://console.example', 200],
    ] as const) {
      expect([origin, (await post(url, chainHead, { origin })).status]).toEqual([origin, status]);
    }
    expect((await post(url, chainHead, { 'sec-fetch-site': 'cross-site' })).status).toBe(403);
  });

  it('[89] a cross-site text/plain POST runs nothing', async () => {
    const submitted = node.submitted.length;
    const submit = '{"jsonrpc":"2.0","id":1,"method":"tx_submit","params":{"transaction":"AAAA"}}';
    const foreign = { 'content-type': 'text/plain', origin: 'https://evil.example' };
    expect((await exchange(url, 'POST', foreign, submit)).status).toBe(403);
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
    ]) {
      const answer = await exchange(url, 'POST', { 'content-type': type }, submit);
      expect([type, answer.status, answer.json.error.code]).toEqual([type, 415, -32008]);
    }
    expect((await exchange(url, 'POST', {}, submit)).status).toBe(415);
    expect(node.submitted.length).toBe(submitted);
    expect((await post(url, submit, { 'content-type': 'application/json; charset=utf-8' })).status).toBe(200);
    expect(node.submitted.length).toBe(submitted + 1);
  });

  it('answers with headers that keep browsers from running anything', async () => {
    const { headers } = await post(url, chainHead);
    expect(headers['x-content-type-options']).toBe('nosniff');
    expect(headers['content-security-policy']).toContain("default-src 'none'");
    expect(headers['access-control-allow-origin']).toBeUndefined();
  });

  it('other methods and paths are refused by code', async () => {
    expect((await exchange(url, 'GET', {})).status).toBe(405);
    expect((await exchange(`${url}/nothing`, 'GET', {})).json.error.data.reason).toBe('unknown_path');
  });
});

describe('hostile JSON', () => {
  it('[90] a batch over the limit is refused whole', async () => {
    const before = node.submitted.length;
    const one = { jsonrpc: '2.0', id: 1, method: 'tx_submit', params: { transaction: 'AAAA' } };
    const { json } = await post(url, JSON.stringify(Array.from({ length: 101 }, () => one)));
    expect(json).toMatchObject({ id: null, error: { code: -32600, data: { reason: 'batch_too_large' } } });
    expect(node.submitted.length).toBe(before);
    const full = await post(url, JSON.stringify(Array.from({ length: 100 }, (_, id) => ({ ...one, id }))));
    expect(full.json.map((answer: { id: number }) => answer.id)).toEqual(
      Array.from({ length: 100 }, (_, id) => id),
    );
  });

  it('[90] a body of 1 GB is refused by its announced length, an endless one at the limit', async () => {
    const head = 'POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n';
    const announced = await rawExchange(url, `${head}Content-Length: 1073741824\r\n\r\n[`);
    expect(announced).toMatch(/^HTTP\/1.1 413 /);
    expect(announced).toContain('body_too_large');
    const chunk = `10000\r\n${'['.repeat(65_536)}\r\n`;
    expect(await rawExchange(url, `${head}Transfer-Encoding: chunked\r\n\r\n${chunk}${chunk}`)).toContain(
      'body_too_large',
    );
  });

  it('[90] large bodies of strangers share a bound, the session does not; a stranger who leaves frees its share', async () => {
    const { url: target } = await startServer(consensusNodeMethods(node), {
      node,
      limits: { bodyBytesInFlightMax: 150_000 },
    });
    const large = `${chainHead}${' '.repeat(90_000)}`;
    const stalled = connect(Number(new URL(target).port), '127.0.0.1');
    stalled.write(
      'POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 90000\r\n\r\n[',
    );
    let answer = await post(target, large);
    while (answer.status === 200) answer = await post(target, large);
    expect([answer.status, answer.json.error.code]).toEqual([503, -32003]);
    expect((await post(target, chainHead)).status).toBe(200);
    expect((await post(target, large, { authorization: `Bearer ${TOKEN}` })).status).toBe(200);
    stalled.destroy();
    while (answer.status === 503) answer = await post(target, large);
    expect(answer.status).toBe(200);
  });

  it('[90] JSON 10,000 deep, in arrays, objects and batches', async () => {
    for (const text of [
      `${'['.repeat(10_000)}${']'.repeat(10_000)}`,
      `${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`,
      `{"jsonrpc":"2.0","id":1,"method":"chain_head","params":${'['.repeat(10_000)}${']'.repeat(10_000)}}`,
    ]) {
      const { status, json } = await post(url, text);
      expect([status, json.error.code, json.error.data.reason]).toEqual([200, -32600, 'json_too_deep']);
    }
    const brackets = JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'chain_head',
      params: { x: '\\"[[['.repeat(99) },
    });
    expect((await post(url, brackets)).json.error.data.parameter).toBe('x');
  });

  it('[90] __proto__ is refused however it is spelt, and poisons nothing', async () => {
    for (const key of ['__proto__', '\\u005f_proto__', '__pr\\u006fto__']) {
      const text = `{"jsonrpc":"2.0","id":1,"method":"chain_head","params":{"${key}":{"polluted":true}}}`;
      const { json } = await post(url, text);
      expect([key, json.error.code, json.error.data.reason]).toEqual([key, -32600, 'forbidden_key']);
    }
    for (const method of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
      expect((await call(url, method)).error.code).toBe(-32601);
    }
    for (const key of ['constructor', 'prototype', 'toString']) {
      expect((await call(url, 'chain_head', { [key]: 1 })).error.data.parameter).toBe(key);
    }
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  it('bytes that are not UTF-8 and empty bodies are parse errors', async () => {
    expect((await post(url, new Uint8Array([0x22, 0xff, 0x22]))).json.error.code).toBe(-32700);
    expect((await post(url, '')).json.error.code).toBe(-32700);
  });
});

describe('errors', () => {
  it('a refusal has a code, a reason and a hint', async () => {
    node.refusal = reject('revoked_key', 'key 0 of alice was revoked at height 7');
    const { error } = await call(url, 'tx_submit', { transaction: 'AAAA' });
    expect(error).toMatchObject({ code: 1000, data: { reason: 'revoked_key' } });
    node.refusal = reject('pool_full', 'the pool is full');
    expect((await call(url, 'tx_submit', { transaction: 'AAAA' })).error.code).toBe(-32003);
    node.refusal = null;
    const missing = await call(url, 'chain_block', { height: 2 });
    expect(missing.error).toMatchObject({
      code: 1002,
      data: { reason: 'unknown_block', hint: 'The head is at 0.' },
    });
  });

  it('what is unexpected is not shown: no stack, no message', async () => {
    node.thrown = new Error('secret path /home/operator');
    const { text } = await post(url, '{"jsonrpc":"2.0","id":1,"method":"node_status"}');
    expect(JSON.parse(text).error).toMatchObject({ code: -32603, message: 'Internal error' });
    expect(text).not.toMatch(/secret|stack|\.ts/);
    node.thrown = new OperatingError('disk_failed', 'cannot read /home/operator/db', 'Check the disk.');
    const stranger = await call(url, 'node_status', {}, null);
    expect(stranger.error).toMatchObject({ code: -32004, data: { reason: 'disk_failed', hint: null } });
    expect(stranger.error.message).not.toContain('operator');
    const operator = await call(url, 'node_status');
    expect(operator.error).toMatchObject({
      message: 'cannot read /home/operator/db',
      data: { hint: 'Check the disk.' },
    });
    expect(fatal).toEqual([]);
  });

  it('a broken invariant is answered as an internal error and stops the process', async () => {
    node.thrown = new AssertionError('the sky is up');
    expect((await call(url, 'node_status')).error.code).toBe(-32603);
    expect(fatal).toEqual([node.thrown]);
    node.thrown = null;
  });
});

describe('sessions and rates', () => {
  it('session methods need the token; a wrong one is refused before anything is read', async () => {
    expect((await call(url, 'member_list', {}, null)).error).toMatchObject({ code: -32001 });
    expect((await call(url, 'member_list')).result.members[0].id).toBe('alice');
    for (const authorization of [
      'Bearer wrong',
      'Bearer',
      'Basic QTpB',
      `Bearer ${TOKEN}x`,
      `Bearer ${TOKEN.slice(1)}`,
    ]) {
      const answer = await post(url, chainHead, { authorization });
      expect([authorization, answer.status, answer.json.error.data.reason]).toEqual([
        authorization,
        401,
        'wrong_token',
      ]);
    }
  });

  it('[96] 1,000 bad logins are throttled, and neither calls nor the right token wait for them', async () => {
    const { url: target } = await startServer(consensusNodeMethods(node), { node });
    const login = () => post(target, chainHead, { authorization: 'Bearer wrong' });
    // The server's clock stands still here: a call that a failed login delays would never be answered.
    const calls = async () => {
      const session = await call(target, 'member_list');
      const anonymous = await call(target, 'chain_head', {}, null);
      expect([session.result.members.length, anonymous.result.height]).toEqual([1, 0]);
    };
    const statuses: number[] = [];
    for (let round = 0; round < 20; round += 1) {
      const bad = Array.from({ length: 50 }, login);
      await calls();
      for (const answer of await Promise.all(bad)) statuses.push(answer.status);
    }
    expect(statuses.filter(status => status === 401).length).toBe(10);
    expect(statuses.filter(status => status === 429).length).toBe(990);
  });

  it('anonymous calls of an address have a rate, calls with the token another; time refills it', async () => {
    const { url: target, clock } = await startServer(consensusNodeMethods(node), {
      node,
      limits: { anonymousCallsPerSecond: 3, sessionCallsPerSecond: 100 },
    });
    const batch = JSON.stringify(
      Array.from({ length: 5 }, (_, id) => ({ jsonrpc: '2.0', id, method: 'chain_head' })),
    );
    const codes = async () =>
      (await post(target, batch)).json.map((answer: { error?: { code: number } }) => answer.error?.code ?? 0);
    expect(await codes()).toEqual([0, 0, 0, -32002, -32002]);
    expect((await call(target, 'chain_head')).result.height).toBe(0);
    clock.advance(2_000);
    expect(await codes()).toEqual([0, 0, 0, -32002, -32002]);
  });

  it('[97] heights and waits past 2^53 are refused, not rounded', async () => {
    for (const height of ['9007199254740993', '18446744073709551616', '1e400', '-1', '1.5']) {
      const text = `{"jsonrpc":"2.0","id":1,"method":"chain_block","params":{"height":${height}}}`;
      const { json } = await post(url, text);
      expect([height, json.error.code, json.error.data.parameter]).toEqual([height, -32602, 'height']);
    }
    expect((await call(url, 'tx_status', { id: hashOf(10), waitMs: 30_001 })).error.data.parameter).toBe(
      'waitMs',
    );
  });
});
