import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { parse, stringify } from 'smol-toml';
import { describe, expect, it } from 'vitest';
import { Program, run, ask as runJson } from './support/program.ts';
import { temporaryDirectory } from './support/temporary.ts';
import { until } from './support/until.ts';

const VALIDATORS = ['node-1', 'node-2', 'node-3', 'node-4'];
const environment = { PHASELINE_PASSPHRASE: 'correct horse battery staple' };

/** Ports that nobody listens on now; the system gives them out in turn. */
async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<ReturnType<typeof createServer>>((resolve, reject) => {
          const server = createServer().once('error', reject);
          server.listen(0, '127.0.0.1', () => resolve(server));
        }),
    ),
  );
  const ports = servers.map(server => (server.address() as AddressInfo).port);
  await Promise.all(servers.map(server => new Promise(resolve => server.close(resolve))));
  return ports;
}

interface Identity {
  readonly name: string;
  readonly peerId: string;
}

describe('a network set up by hand, as docs/operating.md has it', () => {
  const cwd = temporaryDirectory();
  const programs = new Map<string, Program>();
  const peers: { peerId: string; addresses: string[] }[] = [];

  const path = (...parts: string[]) => join(cwd, ...parts);
  const phaseline = async (...words: string[]) => {
    const { code, stdout, stderr } = await run(['--network', cwd, ...words], { cwd, environment });
    expect(code, stderr).toBe(0);
    return stdout;
  };
  const ask = <T>(...words: string[]) => runJson<T>(['--network', cwd, ...words], { cwd });

  /** What a person would do: the identity goes to a file. */
  async function init(role: string, name: string, port: number, ...words: string[]): Promise<Identity> {
    const listen = ['--listen', `/ip4/127.0.0.1/tcp/${port}`, '--rpc-port', '0'];
    const text = await phaseline('init', '--dir', name, '--role', role, '--name', name, ...listen, ...words);
    writeFileSync(path(`${name}.json`), text);
    return JSON.parse(text) as Identity;
  }

  function start(name: string): void {
    programs.set(name, new Program(['start', '--dir', name], { cwd, environment }));
  }

  async function ready(name: string): Promise<void> {
    await until(
      `${name} to be ready`,
      async () => {
        if (!programs.get(name)!.alive) throw new Error(programs.get(name)!.stderr);
        return (await run(['--network', cwd, '--as', name, 'status'], { cwd })).code === 0 ? true : null;
      },
      60_000,
    );
  }

  it('keys, genesis, addresses, start', async () => {
    const ports = await freePorts(VALIDATORS.length + 1);
    for (const [index, name] of VALIDATORS.entries()) {
      const { peerId } = await init('consensus', name, ports[index]!);
      peers.push({ peerId, addresses: [`/ip4/127.0.0.1/tcp/${ports[index]}`] });
    }
    await init('manager', 'manager', ports.at(-1)!, '--display-name', 'Permit office');
    expect(statSync(path('node-1', 'keys', 'keystore.json')).mode & 0o777).toBe(0o600);
    expect(readFileSync(path('node-1', 'keys', 'keystore.json'), 'utf8')).not.toContain(
      environment.PHASELINE_PASSPHRASE,
    );
    const identities = [...VALIDATORS, 'manager'].map(name => `${name}.json`);
    await phaseline('genesis', ...identities, '--name', 'Harbour consortium');
    for (const name of [...VALIDATORS, 'manager']) {
      writeFileSync(path(name, 'genesis.json'), readFileSync(path('genesis.json')));
      const config = parse(readFileSync(path(name, 'config.toml'), 'utf8')) as { network: object };
      writeFileSync(
        path(name, 'config.toml'),
        stringify({ ...config, network: { ...config.network, peers } }),
      );
      start(name);
    }
    for (const name of programs.keys()) await ready(name);
  });

  it('a member that proves its keys by files, while its node runs', async () => {
    const [port] = await freePorts(1);
    const words = peers.flatMap(({ peerId, addresses }) => ['--peer', `${addresses[0]}/p2p/${peerId}`]);
    await init('participant', 'alice', port!, '--genesis', 'genesis.json', ...words);
    start('alice');
    const card = await until('alice to answer', () => phaseline('--as', 'alice', 'member', 'card'));
    writeFileSync(path('card.json'), card);
    const nonce = (await phaseline('member', 'challenge', 'card.json')).trim();
    writeFileSync(path('answer.json'), await phaseline('--as', 'alice', 'member', 'answer', nonce));
    await phaseline('member', 'register', '--card', 'card.json', '--answer', 'answer.json');
    const again = ['--network', cwd, 'member', 'register', '--card', 'card.json', '--answer', 'answer.json'];
    const refused = await run(again, { cwd });
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toMatch(/alice|challenge|nonce/);
    await ready('alice');
  });

  it('a record that one writes and the other reads', async () => {
    await ask('project', 'create', 'Quay');
    const members = ['--participant', 'alice:contributor', '--participant', 'manager:contributor'];
    await ask('phase', 'add', 'intake', '--project', 'Quay', ...members, '--open');
    const phase = ['--phase', 'intake'];
    const put = await until('alice to know the phase', () =>
      ask<{ id: string }>('--as', 'alice', 'record', 'put', ...phase, '--text', 'ship ahoy'),
    );
    const read = await until('the record at the manager', () =>
      ask<{ author: string; content: { text: string } }>(
        ...['--as', 'manager', 'record', 'get', put.id, ...phase],
      ),
    );
    expect(read).toMatchObject({ author: 'alice', content: { text: 'ship ahoy' } });
  });

  it('a member that lost its keys gets others by ballot, stays what it was, and reads what it could read', async () => {
    await programs.get('alice')!.stop('SIGTERM');
    rmSync(path('alice', 'keys', 'keystore.json'));
    const made = JSON.parse(await phaseline('member', 'new-keys', '--dir', 'alice')) as Identity;
    expect(made).toMatchObject({ role: 'participant', id: 'alice' });
    start('alice');
    const card = await until('alice to answer', () => phaseline('--as', 'alice', 'member', 'card'));
    writeFileSync(path('new-card.json'), card);
    const decided = await ask<{ status: string; changes: { what: string }[] }>(
      ...['member', 'rekey', '--card', 'new-card.json'],
    );
    expect(decided).toMatchObject({ status: 'executed', changes: [{ what: 'keys of alice' }] });
    await ready('alice');
    const phase = ['--as', 'alice', 'record'];
    const [record] = (
      await until('alice to open what was sealed before', async () => {
        const list = await ask<{
          records: { id: string; author: string; content: { text: string } | null }[];
        }>(...[...phase, 'list', '--phase', 'intake']);
        return list.records[0]?.content == null ? null : list;
      })
    ).records;
    expect(record).toMatchObject({ author: 'alice', content: { text: 'ship ahoy' } });
    const put = await until('alice to hold the new epoch', () =>
      ask<{ id: string }>(...phase, 'put', '--phase', 'intake', '--text', 'back again'),
    );
    const read = await ask<{ author: string; verified: boolean }>(
      ...['--as', 'manager', 'record', 'get', put.id, '--phase', 'intake'],
    );
    expect(read).toMatchObject({ author: 'alice', verified: true });
    const { members } = await ask<{ members: { id: string; keys: { replaced: boolean }[] }[] }>(
      ...['member', 'list'],
    );
    expect(members.find(({ id }) => id === 'alice')!.keys.map(({ replaced }) => replaced)).toEqual([
      false,
      true,
    ]);
  });

  it('an orderly end', async () => {
    const outcomes = await Promise.all([...programs.values()].map(program => program.stop('SIGTERM')));
    expect(outcomes.map(outcome => outcome.code)).toEqual(outcomes.map(() => 0));
  });
});
