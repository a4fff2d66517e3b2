import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { getFile } from '../../../src/cli/files/get.ts';
import { getDirectory } from '../../../src/cli/files/get-directory.ts';
import { FilePut } from '../../../src/cli/files/put.ts';
import { type Client, createClient } from '../../../src/client/client.ts';

const root = mkdtempSync(join(tmpdir(), 'phaseline-cli-transfers-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const progress = { update: () => {}, end: () => {} };
const WHOLE = 'first half, second half';
const HALF = 'first half,'.length;
const FILE = { phase: 'intake', cid: 'bafkreiaaaaaaaa' };

let directory: string;
let path: string;
let part: string;
let stopping: AbortController;

beforeEach(() => {
  directory = mkdtempSync(join(root, 'at-'));
  path = join(directory, 'plan');
  part = `${path}.aaaaaaaa.part`;
  stopping = new AbortController();
});

interface Moments {
  /** Before the node answers. */
  readonly before?: () => unknown;
  /** When the first half is written. */
  readonly between?: () => unknown;
}

function getting({ before = () => {}, between = () => {} }: Moments = {}) {
  const get = async ({ from = 0 }: { from?: number }) => {
    await before();
    const stream = (async function* () {
      if (from < HALF) yield Buffer.from(WHOLE.slice(from, HALF));
      await between();
      yield Buffer.from(WHOLE.slice(Math.max(from, HALF)));
    })();
    const sha256 = createHash('sha256').update(WHOLE).digest('hex');
    return { name: null, totalBytes: WHOLE.length, bytes: WHOLE.length - from, sha256, stream };
  };
  const client = { get } as unknown as Client;
  return getFile({ client, progress, signal: stopping.signal }, FILE, path, null);
}

/** Holds two up until both are there. */
function meeting(): () => Promise<void> {
  let there = 0;
  let release: () => void = () => {};
  const both = new Promise<void>(resolve => {
    release = resolve;
  });
  return () => {
    there += 1;
    if (there === 2) release();
    return both;
  };
}

describe('a file that is got', () => {
  it('goes on after what an interrupted call left', async () => {
    writeFileSync(part, WHOLE.slice(0, 4));
    expect(await getting()).toMatchObject({ bytes: WHOLE.length });
    expect(readFileSync(path, 'utf8')).toBe(WHOLE);
    expect(readdirSync(directory)).toEqual(['plan']);
  });

  it('by two calls that begin together is never a mixture of both', async () => {
    const before = meeting();
    let early: Promise<unknown> = Promise.resolve();
    const late = getting({ before, between: () => early });
    early = getting({ before });
    await Promise.allSettled([early, late]);
    expect(readFileSync(path, 'utf8')).toBe(WHOLE);
    await expect(late).rejects.toMatchObject({ message: `${path} exists already` });
    expect(readdirSync(directory)).toEqual(['plan']);
  });

  it('stays as it is when a call that began before is still writing', async () => {
    const late = getting({ between: () => getting() });
    await Promise.allSettled([late]);
    expect(readFileSync(path, 'utf8')).toBe(WHOLE);
    await expect(late).rejects.toMatchObject({ message: `${path} exists already` });
  });

  it('is not named when something else has the name of its part', async () => {
    const between = () => {
      rmSync(part);
      writeFileSync(part, 'of another call');
    };
    await expect(getting({ between })).rejects.toMatchObject({
      message: `${part} was changed while it was written`,
    });
    expect(readFileSync(part, 'utf8')).toBe('of another call');
    expect(readdirSync(directory)).toEqual(['plan.aaaaaaaa.part']);
  });
});

describe('a directory that is got', () => {
  it('ends with Ctrl-C also where all of it is there', async () => {
    const files = Array.from({ length: 20 }, (_, index) => {
      writeFileSync(join(directory, `${index}`), WHOLE);
      const sha256 = createHash('sha256').update(WHOLE).digest('hex');
      return { cid: `cid-${index}`, name: `${index}`, bytes: WHOLE.length, sha256, purged: false };
    });
    const { signal } = stopping;
    let shown = 0;
    const update = () => {
      shown += 1;
      if (shown === 1) stopping.abort(new Error('stopped'));
    };
    const environment = {
      client: {} as Client,
      progress: { update, end: () => {} },
      signal,
    };
    const got = getDirectory(environment, 'intake', files, directory);
    await expect(got).rejects.toMatchObject({
      message: 'stopped',
      hint: 'The same command goes on where this one ended.',
    });
    expect(shown).toBeLessThan(5);
  });
});

describe('a file that changes while it is put', () => {
  it('is refused as by a node that reads it itself, and its upload is ended', async () => {
    const bytes = 8 * 1024 * 1024 + 1;
    writeFileSync(path, Buffer.alloc(bytes));
    utimesSync(path, 1_000, 1_000);
    const asked: string[] = [];
    const node = async (url: URL, { method = 'GET', body, headers }: RequestInit) => {
      if (url.pathname === '/') {
        const call = JSON.parse(String(body)) as { id: number; method: string };
        asked.push(call.method);
        return Response.json({ jsonrpc: '2.0', id: call.id, result: { uploads: [] } });
      }
      asked.push(`${method} ${url.pathname}`);
      if (method === 'POST') return new Response(null, { status: 201, headers: { location: '/uploads/u' } });
      if (method === 'DELETE') return new Response(null, { status: 204 });
      utimesSync(path, 2_000, 2_000);
      const taken = Number(new Headers(headers).get('upload-offset')) + (body as Uint8Array).length;
      return new Response(null, { status: 204, headers: { 'upload-offset': String(taken) } });
    };
    const client = createClient({ url: 'http://node', fetch: node as typeof fetch });
    const request = {
      ...{ phase: 'intake', type: 'file', title: '', mediaType: 'text/plain', text: null, references: [] },
      ...{ files: [{ path, name: 'plan', bytes, inDirectory: false }], oneRecord: false, asUser: null },
      waitForCopies: null,
    };
    const environment = { client, local: false, progress, signal: stopping.signal, pause: async () => {} };
    await expect(new FilePut(request, environment).run()).rejects.toMatchObject({
      exitCode: 3,
      message: `${path} changed while it was read`,
      hint: 'Put it again when it rests.',
    });
    expect(asked).toEqual(['file_uploads', 'POST /uploads', 'PATCH /uploads/u', 'DELETE /uploads/u']);
  });
});
