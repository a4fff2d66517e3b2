import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BodyBudget } from '../../../src/rpc/body-budget.ts';
import { safeFileName } from '../../../src/rpc/file-names.ts';
import { RPC_LIMITS } from '../../../src/rpc/limits.ts';
import { nodeMethods } from '../../../src/rpc/methods/node.ts';
import { NODE_METRICS } from '../../../src/rpc/metrics.ts';
import { openSessionToken } from '../../../src/rpc/session.ts';
import { Throttle } from '../../../src/rpc/throttle.ts';
import { call, exchange, MemoryConsensusNode, startServer, stopServers } from './support.ts';

const node = new MemoryConsensusNode();
let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'phaseline-server-'));
});
afterAll(async () => {
  await stopServers();
  await rm(dir, { recursive: true });
});

describe('ports', () => {
  it('a taken port is named, or the next one is used', async () => {
    const other = createServer();
    await new Promise<void>(resolve => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as AddressInfo;
    await expect(startServer([], { port })).rejects.toMatchObject({
      name: 'OperatingError',
      code: 'port_taken',
      message: `port ${port} is taken on 127.0.0.1`,
    });
    const { server, url } = await startServer(nodeMethods(node), { port, portTries: 20, node });
    expect(server.address().port).toBeGreaterThan(port);
    expect(server.address().port).toBeLessThanOrEqual(port + 20);
    expect((await call(url, 'node_status')).result.name).toBe('alice');
    await new Promise(resolve => other.close(resolve));
  });

  it('an address that is not this machine is an operating error', async () => {
    await expect(startServer([], { host: '192.0.2.1' })).rejects.toMatchObject({ code: 'cannot_listen' });
  });

  it('stops twice, and starts again', async () => {
    const { server } = await startServer(nodeMethods(node), { node });
    await server.stop();
    await server.stop();
    await server.start();
    expect((await call(server.address().url, 'node_status')).result.role).toBe('consensus');
  });
});

describe('health and metrics', () => {
  it('readyz says why not, healthz only that the process answers', async () => {
    const { url } = await startServer(nodeMethods(node), { node });
    expect((await exchange(`${url}/readyz`, 'GET', {})).json).toEqual({ status: 'ready', reasons: [] });
    node.book.notReady = ['no peers', 'behind the head'];
    const answer = await exchange(`${url}/readyz`, 'GET', {});
    expect([answer.status, answer.json]).toEqual([
      503,
      { status: 'not ready', reasons: ['no peers', 'behind the head'] },
    ]);
    expect((await exchange(`${url}/healthz`, 'GET', {})).status).toBe(200);
    node.book.notReady = [];
  });

  it('metrics come from one table, and count calls under known names only', async () => {
    node.book.append();
    const { url } = await startServer(nodeMethods(node), { node });
    await call(url, 'node_status');
    await call(url, 'made_up_name');
    const { text } = await exchange(`${url}/metrics`, 'GET', {});
    const names = [...text.matchAll(/^# TYPE (\S+)/gm)].map(match => match[1]);
    expect(names).toEqual(Object.keys(NODE_METRICS));
    expect(text).toContain('phaseline_head_height 0');
    expect(text).toContain('phaseline_rpc_calls_total{method="node_status",result="ok"} 1');
    expect(text).toContain('phaseline_rpc_calls_total{method="unknown",result="error"} 1');
    expect(text).not.toContain('made_up_name');
  });
});

describe('the session token', () => {
  it('is made once, readable by its owner only', async () => {
    const path = join(dir, 'rpc-token');
    const token = await openSessionToken(path, randomBytes);
    expect(token).toMatch(/^[A-Za-z0-9_-]{43}$/);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await openSessionToken(path, randomBytes)).toBe(token);
    expect((await readFile(path, 'utf8')).trim()).toBe(token);
  });

  it('that others can read, or that is damaged, stops the start', async () => {
    const open = join(dir, 'open');
    await openSessionToken(open, randomBytes);
    await chmod(open, 0o644);
    await expect(openSessionToken(open, randomBytes)).rejects.toMatchObject({ code: 'token_file_readable' });
    const damaged = join(dir, 'damaged');
    await writeFile(damaged, 'short\n', { mode: 0o600 });
    await expect(openSessionToken(damaged, randomBytes)).rejects.toMatchObject({
      code: 'token_file_damaged',
    });
    await expect(openSessionToken(join(dir, 'none', 'x'), randomBytes)).rejects.toMatchObject({
      code: 'token_file',
    });
  });
});

describe('bounds', () => {
  it('[90] strangers hold a bounded number of bytes with large bodies; small ones and gone ones do not count', () => {
    const limits = { ...RPC_LIMITS, bodyBytesMax: 100, bodyBytesSmall: 10, bodyBytesInFlightMax: 250 };
    const budget = new BodyBudget(limits);
    const first = budget.take({ 'content-length': '100' });
    expect(budget.take({ 'transfer-encoding': 'chunked' })).not.toBeNull();
    expect(budget.take({ 'content-length': '51' })).toBeNull();
    expect(budget.take({ 'content-length': '10' })).not.toBeNull();
    expect(budget.take({ 'content-length': '1000000000' })).not.toBeNull();
    first?.();
    expect(budget.take({ 'content-length': '51' })).not.toBeNull();
  });

  it('the throttle forgets the longest unused key and refills with time', () => {
    let nowMs = 0;
    const throttle = new Throttle({ perSecond: 1, burst: 2, keysMax: 3, monotonicMs: () => nowMs });
    expect([1, 2, 3].map(() => throttle.take('a'))).toEqual([true, true, false]);
    nowMs += 1_000;
    expect([1, 2].map(() => throttle.take('a'))).toEqual([true, false]);
    for (let index = 0; index < 10_000; index += 1) throttle.take(`key ${index}`);
    expect(throttle.size).toBe(3);
  });

  it('[88] hostile file names become harmless ones', () => {
    for (const [name, safe] of [
      ['../../etc/passwd', 'passwd'],
      ['..\\..\\windows\\system32', 'system32'],
      ['..', 'file'],
      ['', 'file'],
      ['con', '_con'],
      ['NUL.txt', '_NUL.txt'],
      ['.ssh', 'ssh'],
      ['a\u0000b\r\nc', 'a_b__c'],
      ['x\u202Egpj.exe', 'x_gpj.exe'],
      ['trailing. . ', 'trailing'],
      ['résumé 履歴.pdf', 'résumé 履歴.pdf'],
    ]) {
      expect([name, safeFileName(name!)]).toEqual([name, safe]);
    }
    expect(Buffer.byteLength(safeFileName('é'.repeat(500)))).toBeLessThanOrEqual(200);
  });
});
