import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { Devnet } from './support/devnet.ts';
import { setUpPhase } from './support/flow.ts';
import { temporaryDirectory } from './support/temporary.ts';
import { until } from './support/until.ts';

interface Head {
  readonly height: number;
  readonly hash: string;
}

interface Validators {
  readonly setId: number;
  readonly validators: readonly {
    readonly name: string;
    readonly publicKey: string;
    readonly connected: boolean;
  }[];
}

const cwd = temporaryDirectory();
const dir = join(cwd, 'net');

async function headOf(devnet: Devnet, node: string): Promise<Head> {
  const client = await devnet.client(node);
  return (await client.call<{ head: Head }>('node_status', {})).head;
}

/** Every one of these nodes has the same newest block, at or above the height. */
async function sameHead(devnet: Devnet, nodes: readonly string[], height: number): Promise<void> {
  await until(
    `${nodes.join(', ')} to be on one head at ${height} or above`,
    async () => {
      const heads = await Promise.all(nodes.map(node => headOf(devnet, node)));
      const [first] = heads;
      return heads.every(head => head.height >= height && head.hash === first!.hash) ? true : null;
    },
    30_000,
  );
}

async function notReady(devnet: Devnet, node: string): Promise<readonly string[]> {
  const client = await devnet.client(node);
  return (await client.call<{ notReady: string[] }>('node_status', {})).notReady;
}

const names = ({ validators }: Validators) => validators.map(({ name }) => name);

it('[55][58] a network of four gets a fifth validator, loses its leader, changes a key, and goes on', async () => {
  const devnet = await Devnet.start(dir, cwd);
  const phase = await setUpPhase(devnet, 'House', 'intake');
  let written = 0;
  const write = async () => {
    written += 1;
    const words = ['record', 'put', '--phase', phase, '--text', `record ${written}`];
    return devnet.ask<{ height: number }>('--as', 'alice', ...words);
  };
  const list = () => devnet.ask<Validators>('validator', 'list');
  await write();

  const { node } = await devnet.ask<{ node: string }>('devnet', 'add-node');
  expect(node).toBe('node-5');
  const added = await devnet.ask<{ status: string; changes: object[] }>('validator', 'propose-add', node);
  expect(added).toMatchObject({
    status: 'executed',
    changes: [{ what: 'validator node-5', before: null, after: expect.stringContaining('/tcp/') }],
  });
  expect(names(await list())).toEqual(['node-1', 'node-2', 'node-3', 'node-4', 'node-5']);
  const { height } = await write();
  await sameHead(devnet, ['node-1', 'node-2', 'node-3', 'node-4', 'node-5'], height);

  const second = await devnet.client('node-2');
  const { leader } = await second.call<{ leader: string }>('chain_status', {});
  await devnet.ask('validator', 'propose-remove', leader);
  const left = names(await list());
  expect(left).toHaveLength(4);
  expect(left).not.toContain(leader);
  await sameHead(devnet, left, (await write()).height);

  const rekeyed = 'node-3';
  const before = (await list()).validators.find(({ name }) => name === rekeyed)!.publicKey;
  const keystore = await readFile(join(dir, rekeyed, 'keys', 'keystore.json'), 'utf8');
  await devnet.ask('validator', 'propose-rekey', rekeyed);
  const after = (await list()).validators.find(({ name }) => name === rekeyed)!.publicKey;
  expect(after).not.toBe(before);
  expect(await readFile(join(dir, rekeyed, 'keys', 'keystore.json'), 'utf8')).not.toBe(keystore);
  await sameHead(devnet, left, (await write()).height);

  // With its new key and the new node, without one of the old ones: both vote.
  const other = left.find(name => name !== rekeyed && name !== 'node-5')!;
  const pid = await devnet.crash(other);
  await write();
  await devnet.restarted(other, pid);
  await devnet.restarted(rekeyed, await devnet.crash(rekeyed));
  await sameHead(devnet, left, (await write()).height);

  // A validator that lost its database votes again with a new key [16].
  const lost = await devnet.pid(rekeyed);
  await devnet.crash(rekeyed);
  await rm(join(dir, rekeyed, 'db'), { recursive: true, force: true });
  await until('the node to answer again', async () => {
    const now = (await devnet.pids())[rekeyed] ?? null;
    if (now === null || now === lost) return null;
    return (await notReady(devnet, rekeyed)).some(reason => reason.includes('phaseline validator new-key'))
      ? true
      : null;
  });
  await devnet.ask('validator', 'propose-rekey', rekeyed);
  await sameHead(devnet, left, (await write()).height);
  await until('the node to be ready', async () =>
    (await notReady(devnet, rekeyed)).length === 0 ? true : null,
  );
  const records = await devnet.ask<{ records: object[] }>('--as', 'bob', 'record', 'list', '--phase', phase);
  expect(records.records).toHaveLength(written);
}, 240_000);
