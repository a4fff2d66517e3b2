import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { describeFailure, EXIT } from '../../../src/cli/failure.ts';
import type { Io } from '../../../src/cli/io.ts';
import { THINGS } from '../../../src/cli/privacy-cells.ts';
import { buildProgram } from '../../../src/cli/program.ts';
import { formatNodeConfig, parseNodeConfig } from '../../../src/config/node-config.ts';
import type { MemberId, PhaseId } from '../../../src/core/base/ids.ts';
import type { PhaseStanding } from '../../../src/rpc/admin-api.ts';
import { participantMethods } from '../../../src/rpc/groups.ts';
import { readTable } from '../../e2e/privacy/table.ts';
import { hashOf, MemoryParticipant, startServer, stopServers, TOKEN } from '../rpc/support.ts';

const dir = mkdtempSync(join(tmpdir(), 'phaseline-doctor-'));
const participant = new MemoryParticipant();
const phase = hashOf(0xa1) as PhaseId;
participant.addPhase(phase, 'intake');
writeFileSync(join(dir, 'token'), TOKEN);
afterAll(async () => {
  await stopServers();
  rmSync(dir, { recursive: true, force: true });
});

/** What a command prints, and how it failed. */
async function run(mounted: boolean, ...words: string[]) {
  const methods = participantMethods(participant, mounted ? participant : null);
  const { url } = await startServer(methods, { node: participant, files: participant });
  const lines: string[] = [];
  const io: Io = {
    environment: {},
    directory: dir,
    interactive: false,
    out: text => lines.push(text),
    err: text => lines.push(text),
  };
  const to = ['--url', url, '--token-file', join(dir, 'token')];
  const failure = await buildProgram(io)
    .exitOverride()
    .parseAsync([...to, ...words], { from: 'user' })
    .then(() => null, describeFailure);
  return { text: lines.join('\n'), failure };
}

const doctor = ['doctor', '--privacy', '--phase', phase];

describe('the admin methods', () => {
  it('are off unless the configuration says otherwise', () => {
    const text =
      'role = "participant"\nname = "alice"\n[network]\nlisten = ["/ip4/127.0.0.1/tcp/0"]\npeers = []\n';
    const config = parseNodeConfig(text, 'config.toml');
    expect(config.rpc.admin).toBe(false);
    expect(parseNodeConfig(`${text}[rpc]\nadmin = true\n`, 'config.toml').rpc.admin).toBe(true);
    expect(parseNodeConfig(formatNodeConfig(config), 'config.toml')).toEqual(config);
    expect(() => parseNodeConfig(`${text}[rpc]\nadmin = "yes"\n`, 'config.toml')).toThrow('rpc.admin');
  });

  it('are what the doctor works with, and it says how to have them', async () => {
    expect((await run(true, ...doctor)).text).toContain('log from');
    const { failure } = await run(false, ...doctor);
    expect(failure?.exitCode).toBe(EXIT.error);
    expect(failure?.lines.join(' ')).toMatch(/admin methods are off.*admin = true.*\[rpc\].*config\.toml/);
  });
});

const removed: PhaseStanding = {
  ...{ standing: 'removed', end: 4, epochs: 2, openEpochs: [0], frozen: false, opensCard: false },
  ...{ label: 'intake', projectLabel: 'permits' },
};

describe('[82] the doctor', () => {
  const observe = async (given: Partial<PhaseStanding>, served: 'log' | 'file' | null = null) => {
    participant.standingGiven = { ...removed, ...given };
    const [alice] = participant.members();
    participant.members = () => [{ ...alice!, id: 'bob' as MemberId, peerIds: ['peer-of-bob'] }];
    participant.probe = (async (input: { kind: string }) => ({
      answer: input.kind === served ? 'served' : 'refused',
      ...{ reason: 'as the test has it', bytes: 0 },
    })) as never;
    const { text, failure } = await run(true, '--output', 'json', ...doctor, '--cid', 'bafy0');
    const { cells } = JSON.parse(text) as { cells: { thing: string; observed: string }[] };
    return { failure, cells: Object.fromEntries(cells.map(({ thing, observed }) => [thing, observed])) };
  };
  const all = (verdict: string) => Object.fromEntries(THINGS.map(thing => [thing, verdict]));

  it('finds each cell as docs/privacy.md has it, where nothing is served', async () => {
    const rows = readTable();
    const row = (actor: string) =>
      Object.fromEntries(rows.filter(cell => cell.actor === actor).map(cell => [cell.thing, cell.verdict]));
    expect(await observe({})).toEqual({ failure: null, cells: row('removed participant') });
    const foreign = {
      standing: 'foreign',
      epochs: 0,
      openEpochs: [],
      label: null,
      projectLabel: null,
    } as const;
    expect(await observe(foreign)).toEqual({ failure: null, cells: row('member not in the phase') });
    expect(await observe({ standing: 'participant', openEpochs: [0, 1], opensCard: true })).toEqual({
      failure: null,
      cells: row('participant'),
    });
  });

  it.each([
    ['a log', {}, 'log', ['author', 'file size', 'membership', 'time']],
    ['a file', {}, 'file', ['file content']],
    ['the secret of the newest epoch', { openEpochs: [0, 1] }, null, ['payload']],
    ['the newest card', { opensCard: true }, null, ['phase name', 'project name']],
  ] as const)('ends with exit code 5 when a removed member gets %s', async (_, given, served, things) => {
    const { failure, cells } = await observe(given, served);
    expect(failure?.exitCode).toBe(EXIT.unhealthy);
    const wrong = Object.entries(cells).filter(([, observed]) => observed !== 'past');
    expect(wrong.map(([thing]) => thing).sort()).toEqual(things);
  });

  it('says of a frozen phase that nothing new is written under the old keys', async () => {
    const { failure, cells } = await observe({ openEpochs: [0, 1], opensCard: true, frozen: true });
    expect([failure, cells]).toEqual([null, all('past')]);
  });

  it('is not for the owner', async () => {
    participant.standingGiven = { ...removed, standing: 'owner' };
    const { failure } = await run(true, ...doctor);
    expect(failure?.exitCode).toBe(EXIT.usage);
  });
});

describe('file status', () => {
  it('tells signed copies and those that answer now', async () => {
    const files = [{ name: 'a', mediaType: '', source: [Buffer.from('x')], bytes: 1 }];
    const record = { phase, type: '', title: '', mediaType: '', data: new Uint8Array(), references: [] };
    await participant.putRecord({ ...record, files: files as never }, new AbortController().signal);
    const status = await participant.fileStatus(phase, null);
    const [first] = status as { holders: object[] }[];
    const gone = {
      ...first,
      holders: [{ ...first!.holders[0] }, { member: 'bob', height: 2, reachable: false }],
    };
    participant.fileStatus = async () => [gone] as never;
    const { text } = await run(false, 'file', 'status', '--phase', phase);
    expect(text).toContain('2 of 2 copies, 1 reachable now');
    expect(text).toContain('alice, bob (not reached)');
  });
});
