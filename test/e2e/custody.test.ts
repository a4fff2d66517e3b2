import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import type { Hash, MemberId, PhaseId, ProjectId } from '../../src/core/base/ids.ts';
import type { KeyBundle } from '../../src/crypto/keystore.ts';
import { rotationBy } from './privacy/custody.ts';
import { keysOf } from './privacy/hostile.ts';
import { atEnd } from './support/cleanup.ts';
import { Devnet } from './support/devnet.ts';
import { temporaryDirectory } from './support/temporary.ts';
import { until } from './support/until.ts';

const WAITING = 6;
const UNHEALTHY = 5;
const SETUP_TIMEOUT_MS = 120_000;

interface Keys {
  readonly project: string;
  readonly frozen: boolean;
  readonly membershipVersion: number;
  readonly openEpochs: readonly number[];
  readonly epochs: readonly { readonly number: number; readonly opener: string }[];
  readonly participants: readonly { readonly member: string; readonly roles: readonly string[] }[];
}

interface Added {
  readonly sealed: boolean;
  readonly opener: string;
}

const cwd = temporaryDirectory();
let devnet: Devnet;
/** Held by alice (steward) and bob; the manager owns it and takes no part. */
let phase: string;

/** Once the node of the member has the keys of the present epoch. */
const put = (name: string, text: string) =>
  until(`${name} to write`, async () => {
    const words = ['record', 'put', '--phase', phase, '--text', text];
    return (await devnet.ask<{ id: string }>('--as', name, ...words)).id;
  });

/** What the node of a member makes of a record, once it holds it; null where it cannot open it. */
async function textOf(name: string, record: string): Promise<string | null> {
  const client = await devnet.client(name);
  type Found = { readonly content: { readonly text: string } | null };
  const found = await until(`${name} to hold a record`, () =>
    client.call<Found>('record_get', { phase, record }),
  );
  return found.content?.text ?? null;
}

const reads = (name: string, record: string) => until(`${name} to read a record`, () => textOf(name, record));

async function keysAt(name: string): Promise<Keys> {
  return (await devnet.client(name)).call<Keys>('phase_get', { phase });
}

beforeAll(async () => {
  devnet = await Devnet.start(join(cwd, 'net'), cwd, ['--consensus', '1', '--participants', '5']);
  await devnet.ask('project', 'create', 'House');
  const members = ['--participant', 'alice:contributor,steward', '--participant', 'bob:contributor'];
  const custody = ['--custody', 'participants', '--open'];
  const added = await devnet.ask<{ phase: string }>(
    ...['phase', 'add', 'intake', '--project', 'House', ...members, ...custody],
  );
  phase = added.phase;
}, SETUP_TIMEOUT_MS);

it('an owner without keys makes a phase and adds a member: the node of the steward seals by itself', async () => {
  const first = await put('alice', 'ours');
  expect((await keysAt('manager')).openEpochs).not.toContain(1);
  expect(await textOf('manager', first)).toBeNull();
  const added = await devnet.ask<Added>('participant', 'add', 'carol', '--phase', phase);
  expect(added).toMatchObject({ sealed: true, opener: 'alice' });
  const second = await put('bob', 'for carol too');
  expect(await reads('carol', second)).toBe('for carol too');
  expect(await textOf('manager', second)).toBeNull();
});

it('a phase outlives its steward: two of three holders give the past to the next one', async () => {
  const old = await put('alice', 'from before');
  const holders = ['bob', 'carol', 'erin'].flatMap(name => ['--holder', name]);
  await devnet.ask('--as', 'alice', 'phase', 'recovery', 'set', phase, ...holders, '--threshold', '2');
  // nobody answers for alice any more, and nobody starts her node again
  const pid = await devnet.pid('alice');
  process.kill(pid, 'SIGSTOP');
  atEnd(() => process.kill(pid, 'SIGCONT'));

  const added = await devnet.run(
    ...['participant', 'add', 'dave', '--phase', phase, '--roles', 'contributor,steward', '--grant', 'all'],
  );
  expect([added.code, added.stderr]).toEqual([WAITING, expect.stringContaining('alice')]);
  // his own node ends the freeze; the past it has not
  const fresh = await put('dave', 'goes on');
  expect(await reads('carol', fresh)).toBe('goes on');
  expect(await textOf('dave', old)).toBeNull();
  const ill = await devnet.run('--as', 'dave', 'doctor', '--keys');
  expect([ill.code, ill.stdout]).toEqual([UNHEALTHY, expect.stringContaining('dave waits for the keys')]);

  await devnet.ask('--as', 'dave', 'phase', 'recovery', 'ask', phase);
  const offer = (name: string) =>
    until(`${name} to offer its share`, () =>
      devnet.ask('--as', name, 'phase', 'recovery', 'offer', phase, 'dave'),
    );
  // erin takes no part: she sees who asks, and no payload
  await offer('erin');
  expect(await textOf('erin', fresh)).toBeNull();
  expect(await textOf('dave', old)).toBeNull();
  await offer('bob');
  expect(await reads('dave', old)).toBe('from before');
  await devnet.ask('--as', 'dave', 'doctor', '--keys');
});

it('an opener that seals noise to a member is complained about, and another steward opens the next epoch', async () => {
  await devnet.ask('participant', 'role', 'bob', 'contributor,steward', '--phase', phase);
  const before = await until('bob to be a steward', async () => {
    const found = await keysAt('bob');
    const own = found.participants.find(({ member }) => member === 'bob');
    return own?.roles.includes('steward') ? found : null;
  });
  const keys = new Map<MemberId, KeyBundle>();
  // carol's envelope is sealed to a key that is not hers
  const sealedTo = { alice: 'alice', bob: 'bob', carol: 'erin', dave: 'dave' };
  for (const [name, owner] of Object.entries(sealedTo)) {
    keys.set(name as MemberId, await keysOf(join(devnet.dir, owner)));
  }
  const node = await devnet.client('node-1');
  const { head, chainId } = await node.call<{ head: { height: number }; chainId: string }>('node_status');
  const signed = await rotationBy({
    ...{ chainId: chainId as Hash, project: before.project as ProjectId, phase: phase as PhaseId },
    ...{ epoch: before.epochs.length, membershipVersion: before.membershipVersion, height: head.height },
    ...{ steward: 'bob' as MemberId, keys, card: { label: 'intake', project: 'House', recordTypes: [] } },
    recovery: new Uint8Array(121),
  });
  await node.call('tx_submit', { transaction: Buffer.from(signed).toString('base64') });
  const after = await until('dave to open the next epoch', async () => {
    const { epochs } = await keysAt('dave');
    return epochs.length >= before.epochs.length + 2 ? epochs : null;
  });
  expect(after.slice(before.epochs.length).map(({ opener }) => opener)).toEqual(['bob', 'dave']);
  expect(await reads('carol', await put('bob', 'carol reads again'))).toBe('carol reads again');
  const { entries } = await devnet.ask<{ entries: { kind: string; member: string }[] }>(
    ...['--as', 'dave', 'phase', 'history', phase],
  );
  const complaints = entries.filter(({ kind }) => kind === 'epochComplaint');
  expect(complaints.map(({ member }) => member)).toEqual(['carol']);
});
