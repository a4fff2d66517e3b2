import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { CommandFailure, EXIT } from '../failure.ts';
import type { Io } from '../io.ts';
import { openSession, type Session } from '../session.ts';

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

function showMembers(session: Session, members: readonly MemberAnswer[], value: unknown): void {
  session.show(value, {
    head: ['MEMBER', 'NAME', 'STATE', 'KEYS', 'NODES'],
    rows: members.map(member => [
      member.id,
      member.name,
      member.revoked ? 'revoked' : member.administrator ? 'administrator' : 'active',
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
          ['state', found.revoked ? 'revoked' : 'active'],
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

export function addMemberCommands(program: Command, io: Io): void {
  const member = program.command('member').description('members of the consortium');
  addRegistration(member, io);
  addReading(member, io);
  member
    .command('revoke')
    .description('revoke a member: it may nothing any more, and its phases are frozen until a new key epoch')
    .argument('<member>', 'member id')
    .option('--reason <text>', 'why', 'revoked by an administrator')
    .action(async (id: string, options: { reason: string }, command: Command) => {
      const session = await openSession(io, command, 'manager');
      const done = await session.call<{ height: number }>('manager_memberRevoke', {
        member: id,
        reason: options.reason,
      });
      session.show({ member: id, ...done }, { text: `revoked ${id} at height ${done.height}` });
    });
}
