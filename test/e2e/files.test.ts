import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Client } from '../../src/client/client.ts';
import { Devnet } from './support/devnet.ts';
import { Program } from './support/program.ts';
import { temporaryDirectory } from './support/temporary.ts';
import { until } from './support/until.ts';

const MIB = 1024 * 1024;
const ALICE = ['--as', 'alice'];
const BOB = ['--as', 'bob'];

interface PutReport {
  readonly records: readonly {
    readonly id: string;
    readonly files: readonly { readonly cid: string; readonly name: string; readonly reused: boolean }[];
  }[];
  readonly present: readonly string[];
}

interface UploadLine {
  readonly id: string;
  readonly offset: number;
  readonly stage: string;
}

let devnet: Devnet;
let cwd: string;
const at = (...names: string[]) => join(cwd, ...names);
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const put = (...words: string[]) =>
  devnet.ask<PutReport>(...ALICE, 'file', 'put', ...words, '--phase', 'intake');
const cidOf = (report: PutReport) => report.records[0]!.files[0]!.cid;

async function uploads(client: Client): Promise<readonly UploadLine[]> {
  return (await client.call<{ uploads: UploadLine[] }>('file_uploads', { phase: 'intake' })).uploads;
}

async function copies(cid: string, count: number): Promise<void> {
  const alice = await devnet.client('alice');
  await until(
    `${count} copies`,
    async () => {
      const { files } = await alice.call<{ files: { copies: number }[] }>('file_status', {
        phase: 'intake',
        cid,
      });
      return (files[0]?.copies ?? 0) >= count ? true : null;
    },
    60_000,
  );
}

beforeAll(async () => {
  cwd = temporaryDirectory();
  devnet = await Devnet.start(at('net'), cwd, ['--consensus', '1', '--participants', '3']);
  await devnet.ask('project', 'create', 'files');
  const members = ['alice:contributor', 'bob:contributor', 'carol:reader'];
  const given = members.flatMap(member => ['--participant', member]);
  await devnet.ask('phase', 'add', 'intake', '--project', 'files', ...given, '--copies', '3', '--open');
}, 120_000);

describe('files on a running network', () => {
  it('go on after Ctrl-C in the middle of a put, and the same file is stored once', async () => {
    const bytes = randomBytes(96 * MIB);
    writeFileSync(at('scan.tif'), bytes);
    const alice = await devnet.client('alice');
    const words = ['--network', devnet.dir, ...ALICE, 'file', 'put', 'scan.tif', '--phase', 'intake'];
    const first = new Program(words, { cwd });
    await until('some of it to be there', async () => {
      const [open] = await uploads(alice);
      return open !== undefined && open.offset > 4 * MIB ? true : null;
    });
    const stopped = await first.stop('SIGINT');
    expect([stopped.code, stopped.stderr]).toEqual([
      1,
      expect.stringContaining('goes on where this one ended'),
    ]);
    const [left] = await uploads(alice);
    expect(left).toMatchObject({ stage: 'receiving' });
    expect(left!.offset).toBeLessThan(bytes.length);
    const report = await put('scan.tif');
    expect((await uploads(alice)).map(({ id }) => id)).not.toContain(left!.id);
    const again = await put('scan.tif');
    expect(again.records[0]!.files[0]).toMatchObject({ cid: cidOf(report), reused: true });
    const got = await devnet.ask<{ sha256: string }>(
      ...[...BOB, 'file', 'get', 'scan.tif', '--phase', 'intake', '--out', 'back.tif'],
    );
    expect(got.sha256).toBe(sha256(bytes));
    expect(sha256(await readFile(at('back.tif')))).toBe(sha256(bytes));
  });

  it('[88] come back as the directory that they were, under names that are safe', async () => {
    mkdirSync(at('plans', 'old', 'con'), { recursive: true });
    for (const name of ['a.svg', 'old/b.txt', 'old/con/..hidden']) writeFileSync(at('plans', name), name);
    symlinkSync('/etc/passwd', at('plans', 'link'));
    const report = await put('plans');
    expect(report.records[0]!.files.map(({ name }) => name)).toEqual([
      ...['plans/a.svg', 'plans/old/b.txt', 'plans/old/con/..hidden'],
    ]);
    writeFileSync(at('plans', 'new.txt'), 'new');
    const second = await put('plans');
    expect(second.present.length).toBe(3);
    expect(second.records.flatMap(({ files }) => files.map(({ name }) => name))).toEqual(['plans/new.txt']);
    writeFileSync(at('evil'), 'evil');
    await put('evil', '--name', 'plans/../../../evil');
    await devnet.ask(...BOB, 'file', 'get', 'plans/', '--phase', 'intake', '--out', 'restored');
    expect(readdirSync(at('restored'), { recursive: true }).map(String).sort()).toEqual([
      ...['plans', 'plans/a.svg', 'plans/evil', 'plans/new.txt', 'plans/old', 'plans/old/_con'],
      ...['plans/old/_con/hidden', 'plans/old/b.txt'],
    ]);
    expect(readFileSync(at('restored', 'plans', 'old', '_con', 'hidden'), 'utf8')).toBe('old/con/..hidden');
  });

  it('are read in ranges, resumed from a part, and never look whole before they are', async () => {
    const bytes = randomBytes(3 * MIB);
    writeFileSync(at('data.bin'), bytes);
    const cid = cidOf(await put('data.bin'));
    const get = (...words: string[]) => devnet.run(...BOB, 'file', 'get', cid, '--phase', 'intake', ...words);
    expect((await get('--range', '70000-2000000', '--out', 'range.bin')).code).toBe(0);
    expect(readFileSync(at('range.bin')).equals(bytes.subarray(70_000, 2_000_001))).toBe(true);
    writeFileSync(at(`whole.bin.${cid.slice(-8)}.part`), bytes.subarray(0, 1_234_567));
    expect((await get('--out', 'whole.bin')).code).toBe(0);
    expect(readFileSync(at('whole.bin')).equals(bytes)).toBe(true);
    const wrong = Buffer.from(bytes.subarray(0, 1000));
    wrong[10]! ^= 1;
    writeFileSync(at(`bad.bin.${cid.slice(-8)}.part`), wrong);
    const refused = await get('--out', 'bad.bin');
    expect([refused.code, refused.stderr]).toEqual([5, expect.stringContaining('not what its record says')]);
    expect(readdirSync(cwd).filter(name => /^(bad|whole)\.bin/.test(name))).toEqual(['whole.bin']);
    expect((await get('--out', 'whole.bin')).stderr).toContain('exists already');
  });

  it('reach a reader although a holder dies in the middle', async () => {
    const bytes = randomBytes(64 * MIB);
    writeFileSync(at('big.bin'), bytes);
    const cid = cidOf(await put('big.bin'));
    await copies(cid, 3);
    // the owner of the project may read, and is no holder
    const words = ['--network', devnet.dir, '--as', 'manager', 'file', 'get', cid, '--phase', 'intake'];
    const reading = new Program([...words, '--out', 'big.back'], { cwd });
    const part = at(`big.back.${cid.slice(-8)}.part`);
    await until('some of it to be here', () => (statSync(part).size > MIB ? true : null));
    expect(reading.alive).toBe(true);
    const pid = await devnet.crash('bob');
    expect((await reading.ended).code).toBe(0);
    expect(sha256(await readFile(at('big.back')))).toBe(sha256(bytes));
    await devnet.restarted('bob', pid);
  });

  it('are purged on chain: every holder signs, and the answer is "purged"', async () => {
    writeFileSync(at('secret.txt'), 'please forget this');
    const cid = cidOf(await put('secret.txt'));
    await copies(cid, 3);
    const words = [...['file', 'purge', cid, '--phase', 'intake'], '--reason', 'asked for'];
    const unconfirmed = await devnet.run('--as', 'manager', ...words);
    expect([unconfirmed.code, unconfirmed.stderr]).toEqual([2, expect.stringContaining('record ')]);
    await devnet.ask('--as', 'manager', ...words, '--yes');
    await until(
      'every holder to sign',
      async () => {
        const { purge } = await (await devnet.client('alice')).call<{
          purge: { open: object[]; acknowledged: object[] } | null;
        }>('file_purgeStatus', { phase: 'intake', cid });
        return purge !== null && purge.open.length === 0 && purge.acknowledged.length === 3 ? true : null;
      },
      60_000,
    );
    await devnet.ask(...BOB, 'file', 'certificate', cid, '--phase', 'intake', '--out', 'secret.purge');
    const genesis = at('net', 'genesis.json');
    const { purge } = await devnet.ask<{
      purge: { complete: boolean; holders: { nodes: { acknowledgedMs: number | null }[] }[] };
    }>('dossier', 'verify', 'secret.purge', '--genesis', genesis);
    const signed = purge.holders.map(({ nodes }) =>
      nodes.map(({ acknowledgedMs }) => acknowledgedMs !== null),
    );
    expect([purge.complete, signed]).toEqual([true, [[true], [true], [true]]]);
    const gone = await devnet.run(...BOB, 'file', 'get', cid, '--phase', 'intake', '--out', 'secret.back');
    expect([gone.code, gone.stderr]).toEqual([3, expect.stringContaining('purged')]);
  });

  it('are refused over the quota of a node, with the reason, and what is there stays readable', async () => {
    writeFileSync(at('net', 'alice', 'config.toml'), '\n[files]\nphaseQuotaBytes = 1000\n', { flag: 'a' });
    await devnet.restarted('alice', await devnet.crash('alice'));
    writeFileSync(at('much.bin'), randomBytes(5000));
    const refused = await devnet.run(...ALICE, 'file', 'put', 'much.bin', '--phase', 'intake');
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringMatching(/quota/i)]);
    const kept = await devnet.run(
      ...ALICE,
      'file',
      'get',
      'data.bin',
      '--phase',
      'intake',
      '--out',
      'kept.bin',
    );
    expect(kept.code).toBe(0);
    writeFileSync(
      at('net', 'alice', 'config.toml'),
      readFileSync(at('net', 'alice', 'config.toml'), 'utf8').replace('phaseQuotaBytes = 1000', ''),
    );
    await devnet.restarted('alice', await devnet.crash('alice'));
  });

  it('are uploaded by the SDK over a connection that is lost', async () => {
    const bytes = new Uint8Array(randomBytes(20 * MIB));
    const { url } = await devnet.client('alice');
    const token = (await readFile(at('net', 'alice', 'rpc-token'), 'utf8')).trim();
    const { createClient } = await import('../../src/client/client.ts');
    let patches = 0;
    const client = createClient({
      ...{ url, token },
      fetch: async (where, init) => {
        if (init?.method === 'PATCH') patches += 1;
        if (init?.method === 'PATCH' && patches === 2) throw new TypeError('the cable is out');
        return fetch(where, init);
      },
    });
    const file = { phase: 'intake', name: 'sdk.bin', source: bytes, fingerprint: 'sdk/1' };
    const done = await client.put(file, { wait: async () => {} });
    expect(done.record).not.toBeNull();
    expect(patches).toBe(4);
    await copies(done.cid!, 3);
    const { stream } = await (await devnet.client('bob')).get({ phase: 'intake', cid: done.cid! });
    const hash = createHash('sha256');
    for await (const chunk of stream) hash.update(chunk);
    expect(hash.digest('hex')).toBe(sha256(bytes));
  });
});
