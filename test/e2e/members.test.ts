import { join } from 'node:path';
import { expect, it } from 'vitest';
import { Devnet } from './support/devnet.ts';
import { listRecords, setUpPhase } from './support/flow.ts';
import { run } from './support/program.ts';
import { temporaryDirectory } from './support/temporary.ts';
import { until } from './support/until.ts';

const cwd = temporaryDirectory();
const environment = { PHASELINE_USER_PASSPHRASE: 'only maria knows' };

interface RecordAnswer {
  readonly id: string;
  readonly author: string;
  readonly user: { readonly name: string | null } | null;
  readonly verified: boolean;
}

it('a person signs for a member until it is revoked; a member is suspended, and is back', async () => {
  const devnet = await Devnet.start(join(cwd, 'net'), cwd);
  const phase = await setUpPhase(devnet, 'House', 'intake');
  const put = ['record', 'put', '--phase', phase, '--text'];
  const asMaria = (text: string, variables: Readonly<Record<string, string>> = environment) =>
    run(['--network', devnet.dir, '--output', 'json', '--as', 'alice', ...put, text, '--as-user', 'maria'], {
      ...{ cwd, environment: variables },
    });

  const added = await run(
    ['--network', devnet.dir, '--as', 'alice', 'member', 'user', 'add', 'maria', '--generate'],
    { cwd, environment },
  );
  expect(added.code, added.stderr).toBe(0);
  const written = await asMaria('by maria');
  expect(written.code, written.stderr).toBe(0);
  const { id } = JSON.parse(written.stdout) as { id: string };
  const get = (as: string) =>
    devnet.ask<RecordAnswer>('--as', as, 'record', 'get', id, '--phase', phase, '--verify');
  const read = await until('bob to have the record', async () => get('bob').catch(() => null));
  expect(read).toMatchObject({ author: 'alice', user: { name: 'maria' }, verified: true });
  const shown = await devnet.run('--as', 'bob', 'record', 'list', '--phase', phase);
  expect(shown.stdout).toContain('alice (maria)');
  const wrong = await asMaria('not by maria', { PHASELINE_USER_PASSPHRASE: 'guessed' });
  expect(wrong.code).not.toBe(0);
  expect(wrong.stderr).toContain('passphrase');
  await devnet.ask('--as', 'alice', 'member', 'user', 'revoke', 'maria');
  const late = await asMaria('too late');
  expect(late.stderr).toContain('there is no user "maria" of alice with a valid key');
  expect(await get('bob')).toMatchObject({ verified: true });

  const { height } = await devnet.ask<{ height: number }>(
    'member',
    'suspend',
    'bob',
    '--reason',
    'stolen laptop',
  );
  const list = await devnet.run('member', 'list');
  expect(list.stdout).toContain(`suspended since height ${height}`);
  const told = `member bob is suspended since height ${height}`;
  await until('bob’s node to know', async () => {
    const client = await devnet.client('bob');
    const { notReady } = await client.call<{ notReady: string[] }>('node_status', {});
    return notReady.includes(told) ? true : null;
  });
  const refused = await devnet.run('--as', 'bob', ...put, 'while out');
  expect(refused.code).toBe(3);
  expect(refused.stderr).toContain(told);
  expect(refused.stderr).toContain('phaseline member resume bob');
  await devnet.ask('--as', 'alice', ...put, 'while bob is out');
  const texts = async () => (await listRecords(devnet, 'bob', phase)).map(({ content }) => content?.text);
  expect(await texts()).toEqual(['by maria']);

  const back = await devnet.ask<{ status: string }>('member', 'resume', 'bob');
  expect(back.status).toBe('executed');
  await until('bob to have what came meanwhile', async () => ((await texts()).length === 2 ? true : null));
  expect(await texts()).toEqual(['by maria', 'while bob is out']);
  await until('bob to write again', async () =>
    (await devnet.run('--as', 'bob', ...put, 'back again')).code === 0 ? true : null,
  );
  await devnet.stop();
});
