import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { readGenesis } from '../../config/genesis-file.ts';
import { isMemberId } from '../../core/base/ids.ts';
import { userPassphrase } from '../as-user.ts';
import { CommandFailure, EXIT } from '../failure.ts';
import type { Io } from '../io.ts';
import { openSession, short } from '../session.ts';

interface UserAnswer {
  readonly user: string;
  readonly name: string | null;
  readonly keyId: number;
  readonly fromHeight: number;
  readonly untilHeight: number | null;
  readonly kept: boolean;
}

interface Done {
  readonly user: string;
  readonly height: number;
}

interface AddOptions {
  readonly key?: string;
  readonly generate?: boolean;
}

async function keyOf(io: Io, { key, generate }: AddOptions): Promise<object> {
  if (generate === true && key === undefined) return { passphrase: userPassphrase(io) };
  if (key === undefined) {
    const hint = 'member user new-key makes a key that its user keeps, for --key.';
    throw new CommandFailure(EXIT.usage, 'give --generate, or --key FILE', hint);
  }
  const text = await readFile(resolve(io.directory, key), 'utf8').catch(() => null);
  try {
    const { signingKey, proof } = JSON.parse(text ?? '') as Record<string, string>;
    return { signingKey, proof };
  } catch {
    throw new CommandFailure(EXIT.usage, `cannot read ${key}, or it is not what member user new-key prints`);
  }
}

async function newKey(io: Io, options: { genesis: string; member: string; keystore: string }): Promise<void> {
  const { member } = options;
  if (!isMemberId(member)) throw new CommandFailure(EXIT.usage, `"${member}" is no member id`);
  const passphrase = userPassphrase(io);
  const genesis = await readGenesis(resolve(io.directory, options.genesis));
  const { makeUserKey } = await import('../../roles/member/users.ts');
  const made = await makeUserKey(genesis, member, resolve(io.directory, options.keystore), passphrase);
  io.out(JSON.stringify(made, null, 2));
}

function addChanges(user: Command, io: Io): void {
  user
    .command('add')
    .description('let a person sign for this member in projects and phases, with a key of its own')
    .argument('<name>', 'who it is; stays on this node, the chain gets a salted hash of it')
    .option('--generate', 'make the key here; PHASELINE_USER_PASSPHRASE, the user’s own, closes it')
    .addOption(new Option('--key <file>', 'what member user new-key printed').conflicts('generate'))
    .action(async (name: string, options: AddOptions, command: Command) => {
      const session = await openSession(io, command, null);
      const done = await session.call<Done>('member_userAdd', { name, key: await keyOf(io, options) });
      session.show(done, {
        text: `${name} signs as user ${short(done.user)} from height ${done.height + 1} on`,
      });
    });
  user
    .command('revoke')
    .description('end the key of a user: what it signed before stays valid')
    .argument('<name>', 'who it is')
    .action(async (name: string, _: object, command: Command) => {
      const session = await openSession(io, command, null);
      const done = await session.call<Done>('member_userRevoke', { name });
      session.show(done, { text: `${name} signs nothing after height ${done.height}` });
    });
}

export function addUserCommands(member: Command, io: Io): void {
  const user = member.command('user').description('people who sign for a member, each with a key of its own');
  addChanges(user, io);
  user
    .command('list')
    .description('users of this member, revoked ones too')
    .action(async (_: object, command: Command) => {
      const session = await openSession(io, command, null);
      const answer = await session.call<{ users: UserAnswer[] }>('member_userList');
      session.show(answer, {
        head: ['USER', 'NAME', 'KEY', 'FROM HEIGHT', 'UNTIL', 'KEPT HERE'],
        rows: answer.users.map(entry => [
          short(entry.user),
          entry.name ?? '—',
          entry.keyId,
          entry.fromHeight,
          entry.untilHeight ?? '—',
          entry.kept ? 'yes' : 'no',
        ]),
      });
    });
  user
    .command('new-key')
    .description('make a key that its user keeps, and print what member user add --key takes')
    .requiredOption('--genesis <file>', 'genesis.json of the consortium')
    .requiredOption('--member <id>', 'the member that it will sign for')
    .requiredOption('--keystore <file>', 'the new file, closed by PHASELINE_USER_PASSPHRASE')
    .action((options: { genesis: string; member: string; keystore: string }) => newKey(io, options));
}
