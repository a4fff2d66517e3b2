import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Hash, MemberId, PhaseId, ProjectId } from '../../src/core/base/ids.ts';
import { logIdOf } from '../../src/core/codec/transaction.ts';
import type { RoleName } from '../../src/core/types/operation.ts';
import type { KeyBundle } from '../../src/crypto/keystore.ts';
import { nodeSuite } from '../../src/crypto/suite.ts';
import { Scene, VALIDATORS } from './privacy/actors.ts';
import type { Aims, LogItems } from './privacy/attacks.ts';
import { rotationBy } from './privacy/custody.ts';
import { keysOf } from './privacy/hostile.ts';
import type { Period } from './privacy/material.ts';
import { openWith, unsealersOf } from './privacy/old-keys.ts';
import { readTable } from './privacy/table.ts';
import { canary, periodOf, type Told, writeRecord } from './privacy/world.ts';
import { Devnet } from './support/devnet.ts';
import { temporaryDirectory } from './support/temporary.ts';
import { until } from './support/until.ts';

const SETUP_TIMEOUT_MS = 600_000;
const WAITING = 6;
const MEMBERS = ['alice', 'bob', 'carol', 'dave', 'erin', 'manager'] as MemberId[];
/** The rows of docs/privacy.md. */
const ROWS = {
  outsider: 'outsider (no member)',
  foreign: 'member not in the phase',
  participant: 'participant',
  removed: 'removed participant',
  consensus: 'consensus node, and one that an open proposal would add',
  manager: 'management server, custody `manager`',
  administrator: 'administrator of the consortium, by a management server with custody `manager`',
  withoutKeys: 'management server, custody `participants`',
} as const;

/** A phase of one project with all that there is to know of it. */
interface Subject {
  readonly project: ProjectId;
  readonly phase: PhaseId;
  readonly told: readonly Told[];
  readonly periods: Period[];
  items: LogItems;
}

/** Of the phase in custody of the manager, and of the one in custody of its participants. */
const subjects: Subject[] = [];
let scene: Scene;
let chainId: Hash;
let removalPosition = 0;

const logOf = (scope: 'project' | 'phase', id: Hash) => logIdOf(nodeSuite.sha256, chainId, scope, id);

async function createProject(label: string): Promise<ProjectId> {
  return (await scene.devnet.ask<{ project: ProjectId }>('project', 'create', label)).project;
}

async function addPhase(
  project: ProjectId,
  label: string,
  given: readonly string[],
  ...words: string[]
): Promise<PhaseId> {
  const members = given.flatMap(member => ['--participant', member]);
  const add = ['phase', 'add', label, '--project', project, '--copies', '3', '--open', ...members, ...words];
  return (await scene.devnet.ask<{ phase: PhaseId }>(...add)).phase;
}

const ROLES: RoleName[] = ['contributor'];

/** Records before and after dave's removal, each under other names; carol is in a phase of another project, erin in none. */
async function inCustodyOfTheManager(): Promise<Subject> {
  const { devnet } = scene;
  const [first, second] = [0, 1].map(() => ({ phase: canary('phase'), project: canary('project') }));
  const project = await createProject(first!.project);
  const phase = await addPhase(project, first!.phase, [
    'alice:contributor,steward',
    'bob:contributor',
    'dave:contributor',
  ]);
  await addPhase(await createProject('elsewhere'), 'garden', ['carol:contributor,steward', 'bob:reader']);
  const before = await writeRecord(devnet, 'alice', phase, first!, ROLES);
  const dave = await devnet.client('dave');
  await until('dave to read the record', () => dave.call('record_get', { phase, record: before.record }));
  await until('dave to hold the file', async () => {
    const answer = await dave.call<{ files: { local: string }[] }>('file_status', { phase, cid: before.cid });
    return answer.files[0]?.local === 'whole' ? true : null;
  });
  await devnet.ask('participant', 'remove', 'dave', '--phase', phase);
  const manager = await devnet.client('manager');
  removalPosition = (await manager.call<{ log: { size: number } }>('phase_get', { phase })).log.size;
  await devnet.ask('participant', 'role', 'bob', 'contributor,approver', '--phase', phase);
  await devnet.ask('phase', 'rename', phase, second!.phase);
  await devnet.ask('project', 'rename', project, second!.project);
  const after = await writeRecord(devnet, 'alice', phase, second!, [...ROLES, 'approver']);
  return { project, phase, told: [before, after], periods: [], items: [] };
}

/** The owner has left the phase; alice, a steward, has opened the next epoch with her own keys; then bob writes. */
async function inCustodyOfItsParticipants(): Promise<Subject> {
  const { devnet } = scene;
  const labels = { phase: canary('own'), project: canary('owner') };
  const project = await createProject(labels.project);
  const members = ['alice:contributor,steward', 'bob:contributor', 'manager:steward'];
  const phase = await addPhase(project, labels.phase, members, '--custody', 'participants');
  // or her node would open the epoch by itself, with a transaction that nobody here has seen
  await scene.freeze('alice');
  // nobody seals the next epoch while alice’s node stands still: the command says so
  const removed = await devnet.run('participant', 'remove', 'manager', '--phase', phase);
  expect([removed.code, removed.stderr]).toEqual([WAITING, expect.stringContaining('alice')]);
  const manager = await devnet.client('manager');
  const { membershipVersion, epochs } = await manager.call<{ membershipVersion: number; epochs: object[] }>(
    'phase_get',
    { phase },
  );
  const keys = new Map<MemberId, KeyBundle>();
  for (const name of ['alice', 'bob'] as MemberId[]) keys.set(name, await keysOf(scene.dir(name)));
  const card = { label: labels.phase, project: labels.project, recordTypes: [] };
  const steward = 'alice' as MemberId;
  const place = { chainId, project, phase, membershipVersion, epoch: epochs.length, steward, keys, card };
  const own = await rotationBy({ ...place, height: await headHeight() });
  await scene.overheard(ROWS.outsider, 'alice', [logOf('phase', phase)], own);
  await scene.thaw();
  const told = await writeRecord(devnet, 'bob', phase, labels, ROLES);
  return { project, phase, told: [told], periods: [], items: [] };
}

async function headHeight(): Promise<number> {
  const node = await scene.devnet.client('node-1');
  return (await node.call<{ head: { height: number } }>('chain_status')).head.height;
}

async function aimsOf(told: readonly Subject[]): Promise<Aims> {
  return {
    phases: told.map(({ phase }) => phase),
    logs: told.flatMap(({ project, phase }) => [logOf('project', project), logOf('phase', phase)]),
    records: told.flatMap(subject => subject.told.map(({ record }) => record as Hash)),
    cids: told.flatMap(subject => subject.told.map(({ cid }) => cid)),
    members: MEMBERS,
    height: await headHeight(),
  };
}

/** What the keys of a node open of the whole logs, as if they had been leaked. */
async function tryKeys(actor: string, name: string): Promise<void> {
  const unsealers = unsealersOf(await keysOf(scene.dir(name)));
  for (const { project, phase, items } of subjects) {
    const given = { chainId, project, phase, logId: logOf('phase', phase) };
    const transactions = items.map(({ transaction }) => transaction);
    await openWith(unsealers, [name as MemberId], { ...given, transactions }, scene.of(actor));
  }
}

/** What `phaseline doctor --privacy` says at the node of a member that must not read the phase. */
interface Diagnosis {
  readonly code: number | null;
  readonly report: {
    readonly standing: string;
    readonly cells: readonly {
      readonly thing: string;
      readonly expected: string;
      readonly observed: string;
    }[];
    readonly probes: readonly { readonly way: string; readonly answer: string }[];
  };
}
const diagnoses = new Map<string, Diagnosis>();

async function callTheDoctor(actor: string, name: string, { phase, told }: Subject): Promise<void> {
  const words = ['doctor', '--privacy', '--phase', phase, '--cid', told[0]!.cid];
  const { code, stdout } = await scene.devnet.run('--output', 'json', '--as', name, ...words);
  diagnoses.set(actor, { code, report: JSON.parse(stdout) as Diagnosis['report'] });
}

/** Everybody asks for everything. */
async function attack(): Promise<void> {
  const all = await aimsOf(subjects);
  const [first, second] = subjects as [Subject, Subject];
  const aims = await aimsOf([first]);
  await scene.outsider(ROWS.outsider, all);
  await scene.askOwnNode(ROWS.foreign, 'carol', all);
  await scene.askOwnNode(ROWS.removed, 'dave', all);
  await scene.askOwnNode(ROWS.participant, 'bob', all);
  await scene.askOwnNode(ROWS.consensus, 'node-1', all);
  await scene.askOwnNode(ROWS.manager, 'manager', aims);
  await scene.askOwnNode(ROWS.withoutKeys, 'manager', await aimsOf([second]));
  await callTheDoctor(ROWS.foreign, 'carol', first);
  await callTheDoctor(ROWS.removed, 'dave', first);
  await scene.freeze('carol', 'dave');
  expect(await scene.member(ROWS.foreign, 'carol', all, [0]), 'carol is let in').toBe(true);
  expect(await scene.member(ROWS.removed, 'dave', all, [0, removalPosition]), 'dave is let in').toBe(true);
  await scene.freeze('alice');
  const logs = subjects.map(({ phase }) => logOf('phase', phase));
  const items = await scene.overheard(ROWS.outsider, 'alice', logs, null);
  await scene.thaw();
  for (const [index, subject] of subjects.entries()) subject.items = items[index]!;
  await scene.administrator(ROWS.administrator, 'erin', aims);
}

/** The disks and the keys of those who are down. */
async function searchWhatIsLeft(): Promise<void> {
  for (const [actor, name] of [
    [ROWS.foreign, 'carol'],
    [ROWS.removed, 'dave'],
    [ROWS.consensus, 'node-1'],
    [ROWS.withoutKeys, 'manager'],
  ] as const) {
    await tryKeys(actor, name);
    await scene.disk(actor, name);
  }
}

beforeAll(async () => {
  const cwd = temporaryDirectory();
  const devnet = await Devnet.start(join(cwd, 'net'), cwd, ['--consensus', '4', '--participants', '5']);
  scene = new Scene(devnet);
  chainId = (await (await devnet.client('alice')).call<{ chainId: Hash }>('node_status')).chainId;
  await scene.learnTargets([...VALIDATORS, ...MEMBERS]);
  subjects.push(await inCustodyOfTheManager(), await inCustodyOfItsParticipants());
  await attack();
  await devnet.stop();
  await searchWhatIsLeft();
  for (const { periods, told, items } of subjects) {
    const names = told.length === 1 ? (['after'] as const) : (['before', 'after'] as const);
    periods.push(...names.map((name, index) => periodOf(name, told[index]!, items)));
  }
}, SETUP_TIMEOUT_MS);

describe('[82][86] what each actor gets to see of a phase, as docs/privacy.md has it', () => {
  it.each(readTable())('$actor: $thing: $verdict', ({ actor, thing, verdict }) => {
    const [first, second] = subjects as [Subject, Subject];
    const known = scene.of(actor);
    const { periods } = actor === ROWS.withoutKeys ? second : first;
    expect(known.verdict(thing, periods)).toBe(verdict);
  });
});

describe('[82] the doctor on the running network', () => {
  it.each([
    ['foreign', 'no', ROWS.foreign],
    ['removed', 'past', ROWS.removed],
  ] as const)('finds of a %s member what the page says', (standing, verdict, actor) => {
    const { code, report } = diagnoses.get(actor)!;
    expect([code, report.standing]).toEqual([0, standing]);
    const things = readTable().filter(cell => cell.actor === actor);
    expect(report.cells.map(({ thing, observed }) => [thing, observed])).toEqual(
      things.map(({ thing }) => [thing, verdict]),
    );
    expect(report.probes.map(({ way }) => way)).toEqual(
      expect.arrayContaining([
        ...VALIDATORS.map(name => `log from ${name}`),
        'file from alice',
        'file from bob',
      ]),
    );
    expect(new Set(report.probes.map(({ answer }) => answer))).toContain('refused');
    expect(report.probes.every(({ answer }) => answer !== 'served')).toBe(true);
  });
});

describe('the adversary', () => {
  it('got hold of much: what it does not see is not there', () => {
    for (const actor of Object.values(ROWS)) expect(scene.of(actor).bytes, actor).toBeGreaterThan(10_000);
    // the system log is for all members: carol and dave were served by consensus nodes
    for (const actor of [ROWS.foreign, ROWS.removed]) expect(scene.of(actor).holds('erin')).toBe(true);
  });

  it('opens with the keys of a participant what it tries to open with those of others', async () => {
    await tryKeys('control', 'bob');
    for (const thing of ['payload', 'file size', 'phase name', 'project name']) {
      for (const { periods } of subjects)
        expect(scene.of('control').verdict(thing, periods), thing).toBe('yes');
    }
  });
});
