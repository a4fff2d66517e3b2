import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { dataPaths } from '../../config/node-config.ts';
import { readPassphrase } from '../../config/passphrase.ts';
import { CommandFailure, EXIT } from '../failure.ts';
import type { Io } from '../io.ts';
import { openSession, type Session } from '../session.ts';
import { identityDocument } from './data-directory.ts';
import { addUserCommands } from './member-user.ts';
import { propose } from './proposal.ts';

interface CardAnswer {
  readonly card: { readonly id: string; readonly name: string };
  readonly proof: string;
}

interface Answer {
  readonly nonce: string;
  readonly signature: string;
}

interface MemberAnswer {
  readonly id: string;
  readonly name: string;
  readonly revoked: boolean;
  readonly suspendedHeight: number | null;
  readonly administrator: boolean;
  readonly version: number;
  readonly peerIds: readonly string[];
  readonly keys: readonly {
    readonly keyId: number;
    readonly fromHeight: number;
    readonly untilHeight: number | null;
  }[];
}

interface RegisterOptions {
  readonly card?: string;
  readonly answer?: string;
}

async function readJson<T>(io: Io, file: string): Promise<T> {
  const text = await readFile(resolve(io.directory, file), 'utf8').catch(() => null);
  if (text === null) throw new CommandFailure(EXIT.usage, `cannot read ${file}`);
  try {
    return JSON.parse(text) as T;
  } catch {
    throw new CommandFailure(EXIT.usage, `${file} is not JSON`);
  }
}

/** A node of the same network answers for itself; a member elsewhere sends its card and its answer as files. */
async function registration(
  io: Io,
  name: string | undefined,
  options: RegisterOptions,
  manager: Session,
  command: Command,
) {
  if (options.card !== undefined && options.answer !== undefined) {
    return {
      ...(await readJson<CardAnswer>(io, options.card)),
      ...(await readJson<Answer>(io, options.answer)),
    };
  }
  if (name === undefined)
    throw new CommandFailure(EXIT.usage, 'give a NAME of this network, or --card and --answer');
  const node = await openSession(io, command, name, { ignoreAs: true });
  const card = await node.call<CardAnswer>('identity_card');
  const { nonce } = await manager.call<{ nonce: string }>('manager_memberChallenge', { card: card.card });
  const { signature } = await node.call<{ signature: string }>('identity_answer', { nonce });
  return { ...card, nonce, signature };
}

async function register(
  io: Io,
  name: string | undefined,
  options: RegisterOptions,
  command: Command,
): Promise<void> {
  const manager = await openSession(io, command, 'manager');
  if (name !== undefined) {
    const { members } = await manager.call<{ members: MemberAnswer[] }>('manager_memberList');
    const known = members.find(member => member.id === name);
    if (known !== undefined) {
      manager.show({ member: known.id, registered: 'before' }, { text: `${name} is registered already` });
      return;
    }
  }
  const given = await registration(io, name, options, manager, command);
  const done = await manager.call<{ height: number }>('manager_memberRegister', given);
  const { id } = given.card;
  manager.show(
    { member: id, registered: 'now', ...done },
    { text: `registered ${id} at height ${done.height}` },
  );
}

function stateOf({ revoked, suspendedHeight, administrator }: MemberAnswer): string {
  if (revoked) return 'revoked';
  if (suspendedHeight !== null) return `suspended since height ${suspendedHeight}`;
  return administrator ? 'administrator' : 'active';
}

function showMembers(session: Session, members: readonly MemberAnswer[], value: unknown): void {
  session.show(value, {
    head: ['MEMBER', 'NAME', 'STATE', 'KEYS', 'NODES'],
    rows: members.map(member => [
      member.id,
      member.name,
      stateOf(member),
      member.keys.length,
      member.peerIds.length,
    ]),
  });
}

function addRegistration(member: Command, io: Io): void {
  member
    .command('register')
    .description('register a member, after its node proved to hold the keys of its card')
    .argument('[name]', 'a node of this network')
    .option('--card <file>', 'what `member card` printed on the member’s machine')
    .option('--answer <file>', 'what `member answer` printed there')
    .action((name: string | undefined, options: RegisterOptions, command: Command) =>
      register(io, name, options, command),
    );
  member
    .command('card')
    .description("print a node's member card, for an administrator")
    .action(async (_: object, command: Command) => {
      const session = await openSession(io, command, null);
      io.out(JSON.stringify(await session.call('identity_card'), null, 2));
    });
  member
    .command('challenge')
    .description('ask the management server for a challenge to a card')
    .argument('<card>', 'file with the card')
    .action(async (file: string, _: object, command: Command) => {
      const session = await openSession(io, command, 'manager');
      const { card } = await readJson<CardAnswer>(io, file);
      io.out((await session.call<{ nonce: string }>('manager_memberChallenge', { card })).nonce);
    });
  member
    .command('answer')
    .description("sign a management server's challenge with the member's key")
    .argument('<nonce>', 'what `member challenge` printed')
    .action(async (nonce: string, _: object, command: Command) => {
      const session = await openSession(io, command, null);
      const { signature } = await session.call<{ signature: string }>('identity_answer', { nonce });
      io.out(JSON.stringify({ nonce, signature }));
    });
}

function addReading(member: Command, io: Io): void {
  member
    .command('list')
    .description('all members')
    .action(async (_: object, command: Command) => {
      const session = await openSession(io, command, 'manager');
      const answer = await session.call<{ members: MemberAnswer[] }>('member_list');
      showMembers(session, answer.members, answer);
    });
  member
    .command('show')
    .description('one member with its key history')
    .argument('<member>', 'member id')
    .action(async (id: string, _: object, command: Command) => {
      const session = await openSession(io, command, 'manager');
      const found = await session.call<MemberAnswer>('member_get', { member: id });
      session.show(found, {
        pairs: [
          ['member', found.id],
          ['name', found.name],
          ['state', stateOf(found)],
          ...found.peerIds.map(peer => ['node', peer] as const),
          ...found.keys.map(
            key =>
              [
                `key ${key.keyId}`,
                `from height ${key.fromHeight}${key.untilHeight === null ? '' : ` until ${key.untilHeight}`}`,
              ] as const,
          ),
        ],
      });
    });
}

/** Of who is no administrator one of them disposes at once; of one of them ballots do. */
async function dispose(
  io: Io,
  id: string,
  deed: { readonly call: string; readonly type: string; readonly verb: string; readonly done: string },
  reason: string,
  command: Command,
): Promise<void> {
  const session = await openSession(io, command, 'manager');
  const { administrator } = await session.call<MemberAnswer>('member_get', { member: id });
  if (administrator) {
    await propose(session, `${deed.verb} ${id}: ${reason}`, [{ type: deed.type, member: id, reason }]);
    return;
  }
  const done = await session.call<{ height: number }>(deed.call, { member: id, reason });
  session.show({ member: id, ...done }, { text: `${deed.done} ${id} at height ${done.height}` });
}

function addStanding(member: Command, io: Io): void {
  const deeds = [
    {
      ...{ call: 'manager_memberRevoke', type: 'memberRevoke', verb: 'revoke', done: 'revoked' },
      text: 'revoke a member: it may nothing any more, and its phases are frozen until a new key epoch',
    },
    {
      ...{ call: 'manager_memberSuspend', type: 'memberSuspend', verb: 'suspend', done: 'suspended' },
      text: 'suspend a member: it may nothing and is served nothing of its phases until it is resumed',
    },
  ] as const;
  for (const { text, ...deed } of deeds) {
    member
      .command(deed.verb)
      .description(`${text}; of an administrator by ballot`)
      .argument('<member>', 'member id')
      .option('--reason <text>', 'why', `${deed.done} by an administrator`)
      .action((id: string, options: { reason: string }, command: Command) =>
        dispose(io, id, deed, options.reason, command),
      );
  }
  member
    .command('resume')
    .description('end the suspension of a member, by ballot')
    .argument('<member>', 'member id')
    .action(async (id: string, _: object, command: Command) => {
      const session = await openSession(io, command, 'manager');
      await propose(session, `resume ${id}`, [{ type: 'memberResume', member: id }]);
    });
  member
    .command('new-keys')
    .description('make new keys for a member that lost its own, while its node is stopped; see member rekey')
    .requiredOption('--dir <dir>', 'data directory of its node')
    .action(async ({ dir }: { dir: string }) => makeNewKeys(io, resolve(io.directory, dir)));
  member
    .command('rekey')
    .description('give a member that lost its keys those of a new card, by ballot; it stays what it was')
    .argument('[name]', 'its node, where that is one of this network')
    .option('--card <file>', 'what `member card` printed on the member’s machine')
    .action(async (name: string | undefined, options: { card?: string }, command: Command) => {
      const session = await openSession(io, command, 'manager');
      const { card, proof } = await newCard(io, name, options.card, command);
      await propose(session, `other keys for ${card.id}`, [{ type: 'memberRekey', card, proof }]);
    });
}

async function makeNewKeys(io: Io, dir: string): Promise<void> {
  const passphrase = await readPassphrase(io.environment, dataPaths(dir).passphrase);
  const { replaceLostKeys } = await import('../../roles/lost-keys.ts');
  const { identity, aside } = await replaceLostKeys(dir, passphrase);
  io.out(JSON.stringify(identityDocument(identity), null, 2));
  if (aside !== null) io.err(`the old keystore is ${aside} now`);
  io.err('start the node, and let an administrator give: phaseline member rekey');
}

async function newCard(
  io: Io,
  name: string | undefined,
  file: string | undefined,
  command: Command,
): Promise<CardAnswer> {
  if (file !== undefined) return readJson<CardAnswer>(io, file);
  if (name === undefined) throw new CommandFailure(EXIT.usage, 'give a NAME of this network, or --card');
  const node = await openSession(io, command, name, { ignoreAs: true });
  return node.call<CardAnswer>('identity_card');
}

export function addMemberCommands(program: Command, io: Io): void {
  const member = program.command('member').description('members of the consortium');
  addRegistration(member, io);
  addReading(member, io);
  addStanding(member, io);
  addUserCommands(member, io);
}
