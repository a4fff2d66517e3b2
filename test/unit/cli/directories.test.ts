import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { getDirectory } from '../../../src/cli/files/get-directory.ts';
import type { TransferState } from '../../../src/cli/files/progress.ts';
import { FilePut } from '../../../src/cli/files/put.ts';
import { walk } from '../../../src/cli/files/walk.ts';
import type { Client } from '../../../src/client/client.ts';
import { RpcError } from '../../../src/client/rpc-error.ts';
import { OperatingError } from '../../../src/ports/lifecycle.ts';

const root = mkdtempSync(join(tmpdir(), 'phaseline-cli-directories-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const CONTENT = new Map([
  ['cid-a', 'first'],
  ['cid-b', 'second'],
  ['cid-c', 'third'],
]);
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const listed = (cid: string, name: string, purged = false) => {
  const text = CONTENT.get(cid) ?? '';
  return { cid, name, bytes: text.length, sha256: sha256(text), purged };
};
const FILES = [listed('cid-a', 'd/a'), listed('cid-b', 'd/b'), listed('cid-c', 'd/c')];

let directory: string;
let asked: string[];
let drawn: TransferState[];
let stopping: AbortController;

/** @param faults what the node answers for a CID instead of the file */
function environment(faults: ReadonlyMap<string, Error> = new Map()) {
  const get = async ({ cid }: { cid: string }) => {
    asked.push(cid);
    const fault = faults.get(cid);
    if (fault !== undefined) throw fault;
    const text = CONTENT.get(cid)!;
    const stream = (async function* () {
      yield Buffer.from(text);
    })();
    return { name: null, totalBytes: text.length, bytes: text.length, sha256: sha256(text), stream };
  };
  const progress = { update: (state: TransferState) => void drawn.push(state), end: () => {} };
  return { client: { get } as unknown as Client, progress, signal: stopping.signal };
}

beforeEach(() => {
  directory = mkdtempSync(join(root, 'to-'));
  asked = [];
  drawn = [];
  stopping = new AbortController();
});

const inDirectory = () => readdirSync(join(directory, 'd')).sort();

describe('a directory that is got', () => {
  it('goes on where an earlier call ended: what is there whole is not asked for again', async () => {
    mkdirSync(join(directory, 'd'));
    writeFileSync(join(directory, 'd', 'a'), 'first');
    const got = await getDirectory(environment(), 'intake', FILES, directory);
    expect(asked.sort()).toEqual(['cid-b', 'cid-c']);
    expect(got.files.map(({ path }) => readFileSync(path, 'utf8'))).toEqual(['first', 'second', 'third']);
    // one line for all: bytes of all files that are there, of all
    expect(drawn.at(-1)).toEqual({ stage: 'get', bytes: 16, total: 16 });
  });

  it('comes without what was purged, and says so', async () => {
    const files = [...FILES.slice(0, 2), listed('cid-c', 'd/c', true)];
    const got = await getDirectory(environment(), 'intake', files, directory);
    expect(got.purged).toEqual(['d/c']);
    expect([asked.sort(), inDirectory()]).toEqual([
      ['cid-a', 'cid-b'],
      ['a', 'b'],
    ]);
  });

  it('replaces nothing, and one file that cannot be had keeps none of the others away', async () => {
    mkdirSync(join(directory, 'd'));
    writeFileSync(join(directory, 'd', 'a'), 'other');
    const fault = new RpcError('no holder of the file can be reached', 1003, 'no_holder', null);
    const got = getDirectory(environment(new Map([['cid-b', fault]])), 'intake', FILES, directory);
    await expect(got).rejects.toMatchObject({
      exitCode: 1,
      message: expect.stringMatching(
        /^2 of 3 files were not written: d\/(a: .* exists already; d\/b: no holder|b: no holder.*; d\/a: )/,
      ),
      hint: 'The same command writes those that are missing.',
    });
    expect(readFileSync(join(directory, 'd', 'a'), 'utf8')).toBe('other');
    expect(readFileSync(join(directory, 'd', 'c'), 'utf8')).toBe('third');
  });

  it('ends at once where the node is gone', async () => {
    const many = Array.from({ length: 50 }, (_, index) => listed('cid-a', `d/${index}`));
    const gone = new OperatingError('cannot_connect', 'no node');
    const got = getDirectory(environment(new Map([['cid-a', gone]])), 'intake', many, directory);
    await expect(got).rejects.toBe(gone);
    expect(asked.length).toBeLessThan(5);
  });
});

describe('a directory that is put again', () => {
  it('brings anew what was purged meanwhile, and shows what other nodes confirm while it waits', async () => {
    const from = mkdtempSync(join(root, 'from-'));
    mkdirSync(join(from, 'd'));
    for (const { cid, name } of FILES) writeFileSync(join(from, name), CONTENT.get(cid)!);
    const { files } = await walk(['d'], from);
    const calls: { method: string; params: { files?: { name: string }[] } }[] = [];
    const copies = { copies: 2, wanted: 3, bytesConfirmed: 4 };
    let commit: () => void = () => {};
    const committed = new Promise<object>(resolve => {
      commit = () => resolve({ id: 'r', height: 1, position: 1, files: [] });
    });
    const known = [FILES[0]!, listed('cid-b', 'd/b', true), FILES[2]!];
    const call = async (method: string, params: object) => {
      calls.push({ method, params });
      if (method === 'file_list') return { files: known, next: null };
      if (method === 'file_uploads') return { uploads: [{ stage: 'replicating', copies }] };
      return committed;
    };
    const progress = { update: (state: TransferState) => void drawn.push(state), end: () => {} };
    const pause = async () => commit();
    const client = { call } as unknown as Client;
    const request = {
      ...{ phase: 'intake', files, type: 'file', title: '', mediaType: 'text/plain', text: null },
      ...{ references: [], oneRecord: false, asUser: null, waitForCopies: { copies: 3, waitMs: 1000 } },
    };
    const put = new FilePut(request, { client, local: true, progress, signal: stopping.signal, pause });
    const report = await put.run();
    expect(report.present).toEqual(['d/a', 'd/c']);
    const written = calls.find(({ method }) => method === 'record_put')!.params.files!;
    expect(written.map(({ name }) => name)).toEqual(['d/b']);
    expect(drawn).toContainEqual({ stage: 'replicate 2/3', bytes: 4, total: 2 * 'second'.length });
  });
});
