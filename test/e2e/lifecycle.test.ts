import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { describe, expect, it } from 'vitest';
import { sealValue, unsealValue } from '../../src/store/checksum.ts';
import { keys } from '../../src/store/keyspaces.ts';
import { Devnet, isAlive } from './support/devnet.ts';
import { listRecords, setUpPhase } from './support/flow.ts';
import { run } from './support/program.ts';
import { temporaryDirectory } from './support/temporary.ts';
import { until } from './support/until.ts';

interface Put {
  readonly id: string;
  readonly files: readonly { readonly cid: string }[];
}

/** Listens on a port as another program would; null when another program does already. */
function occupy(port: number): Promise<{ release: () => Promise<void> } | null> {
  return new Promise(resolve => {
    const server = createServer();
    server.once('error', () => resolve(null));
    server.listen(port, '127.0.0.1', () =>
      resolve({ release: () => new Promise(done => server.close(() => done())) }),
    );
  });
}

type Values = ClassicLevel<string, Uint8Array>;

/** Changes the first stored value below `prefix` by `change`; answers its key. */
async function alter(dir: string, prefix: string, change: (key: string, value: Uint8Array) => Uint8Array) {
  const level: Values = new ClassicLevel(join(dir, 'db', 'state'), { valueEncoding: 'view' });
  await level.open();
  try {
    const [entry] = await level.iterator({ gte: prefix, lt: `${prefix}~`, limit: 1 }).all();
    const [key, value] = entry!;
    await level.put(key, change(key, Uint8Array.from(value)));
    return key;
  } finally {
    await level.close();
  }
}

/** One byte in the middle, as a failing disk does. */
function flipped(value: Uint8Array): Uint8Array {
  return value.map((byte, index) => (index === value.length >> 1 ? byte ^ 1 : byte));
}

/** The same with a checksum that fits, as somebody who writes into the database does. */
function forged(key: string, value: Uint8Array): Uint8Array {
  return sealValue(key, flipped(unsealValue(key, value)));
}

describe('a network on one machine', () => {
  const cwd = temporaryDirectory();
  const dir = join(cwd, 'net');
  const text = 'kept over the night';
  let phase: string;
  let first: Put;
  let height: number;

  it('names a port that is taken and passes it over', async () => {
    const held = await occupy(7701);
    try {
      const devnet = await Devnet.start(dir, cwd);
      expect(devnet.program.stderr).toContain('port 7701 is taken; using the next one');
      const { head } = await (await devnet.client('node-1')).call<{ head: { height: number } }>(
        'node_status',
      );
      expect(head.height).toBeGreaterThan(0);

      phase = await setUpPhase(devnet, 'Nights', 'intake');
      writeFileSync(join(cwd, 'plan.txt'), 'four walls and a roof\n');
      first = await devnet.ask<Put>(
        ...['--as', 'alice', 'record', 'put', '--phase', phase, '--text', text, '--file', 'plan.txt'],
      );

      const second = await run(['devnet', '--dir', dir], { cwd });
      expect(second.code).toBe(1);
      expect(second.stderr).toContain(`the data directory ${dir} is in use by process ${devnet.program.pid}`);
      expect(second.stderr).not.toMatch(/^\s+at /m);
      expect((await devnet.run('status')).code).toBe(0);

      const pids = Object.values(await devnet.pids());
      expect(pids.filter(pid => pid !== null)).toHaveLength(8);
      const { code } = await devnet.stop();
      expect(code).toBe(0);
      expect(pids.filter(pid => pid !== null && isAlive(pid))).toEqual([]);
    } finally {
      await held?.release();
    }
  });

  it('verifies a stopped node from genesis', async () => {
    const { code, stdout, stderr } = await run(
      ['--output', 'json', 'db', 'verify', '--dir', join(dir, 'node-1')],
      { cwd },
    );
    expect(code, stderr).toBe(0);
    const report = JSON.parse(stdout) as { blocks: number; transactions: number; fault: string | null };
    expect(report.fault).toBeNull();
    expect(report.transactions).toBeGreaterThan(5);
    height = report.blocks - 1;
  });

  it('continues the same chain at the second start, as the files of its nodes say', async () => {
    writeFileSync(join(dir, 'alice', 'config.toml'), '\n[files]\nphaseQuotaBytes = 12345\n', { flag: 'a' });
    const devnet = await Devnet.start(dir, cwd);
    const { phases } = await (await devnet.client('alice')).call<{ phases: { bytesMax: number }[] }>(
      'file_quota',
    );
    expect(phases.map(({ bytesMax }) => bytesMax)).toEqual([12_345]);
    expect(devnet.program.stdout).toContain('continued the chain');
    const status = async () =>
      (await devnet.client('node-1')).call<{ head: { height: number } }>('node_status');
    expect((await status()).head.height).toBeGreaterThanOrEqual(height);

    const records = await listRecords(devnet, 'bob', phase);
    expect(records.map(record => [record.id, record.content?.text])).toEqual([[first.id, text]]);
    const out = join(cwd, 'bob.txt');
    await devnet.ask('--as', 'bob', 'file', 'get', first.files[0]!.cid, '--phase', phase, '--out', out);
    expect(readFileSync(out, 'utf8')).toBe('four walls and a roof\n');

    const second = await devnet.ask<Put & { height: number }>(
      ...['--as', 'bob', 'record', 'put', '--phase', phase, '--text', 'good morning'],
    );
    expect(second.height).toBeGreaterThan(height);
    await until('the new record at alice', async () => {
      const ids = (await listRecords(devnet, 'alice', phase)).map(record => record.id);
      return ids.length === 2 && ids[1] === second.id ? true : null;
    });
    const pids = Object.values(await devnet.pids());
    expect((await devnet.stop()).code).toBe(0);
    expect(pids.filter(pid => pid !== null && isAlive(pid))).toEqual([]);
  });

  it('leaves no node behind when the supervisor itself is killed', async () => {
    const devnet = await Devnet.start(dir, cwd);
    const pids = Object.values(await devnet.pids());
    await devnet.program.stop('SIGKILL');
    await until('the nodes to notice', () => (pids.some(pid => pid !== null && isAlive(pid)) ? null : true));
    const { code, stderr } = await run(['db', 'verify', '--dir', join(dir, 'node-2')], { cwd });
    expect(code, stderr).toBe(0);
  });

  it('names what is damaged or forged in a database', async () => {
    const verify = async (node: string) => {
      const { code, stderr } = await run(['db', 'verify', '--dir', join(dir, node)], { cwd });
      expect(code).toBe(5);
      expect(stderr).not.toMatch(/^\s+at /m);
      return stderr;
    };
    const block = await alter(join(dir, 'node-1'), keys.block(3), (_, value) => flipped(value));
    expect(await verify('node-1')).toContain(block);
    await alter(join(dir, 'node-2'), keys.block(4), forged);
    expect(await verify('node-2')).toMatch(/block 4\b/);
    const state = await alter(join(dir, 'node-3'), 'state/', forged);
    expect(await verify('node-3')).toContain(
      `the stored state differs at ${state.replace(/^state\/\d+\//, '')}`,
    );
  });
});
