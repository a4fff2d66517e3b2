import { type Command, InvalidArgumentError } from 'commander';
import type { Io } from '../io.ts';
import { openSession } from '../session.ts';
import { awaitKeys, keysWait } from './custody.ts';
import { parseRoles } from './phase.ts';

type Grant = 'none' | 'all' | { readonly fromEpoch: number };

function parseGrant(text: string): Grant {
  if (text === 'none' || text === 'all') return text;
  const epoch = /^from:(\d{1,6})$/.exec(text);
  if (epoch !== null) return { fromEpoch: Number(epoch[1]) };
  throw new InvalidArgumentError('a grant is none, all, or from:EPOCH.');
}

interface AddOptions {
  readonly phase: string;
  readonly roles: readonly string[];
  readonly grant: Grant;
}

interface Done {
  readonly height: number;
}

interface PhaseAnswer {
  readonly epochs: readonly { readonly number: number }[];
  readonly participants: readonly {
    readonly member: string;
    readonly roles: readonly string[];
    readonly fromEpoch: number;
  }[];
  readonly former: readonly {
    readonly member: string;
    readonly startPosition: number;
    readonly endPosition: number;
  }[];
}

const PHASE_OPTION = ['--phase <phase>', 'label, id, start of the id, or project/phase'] as const;

function addChanges(participant: Command, io: Io): void {
  participant
    .command('add')
    .description('add a member to a phase')
    .argument('<member>', 'member id')
    .requiredOption(...PHASE_OPTION)
    .option('--roles <roles>', 'roles with commas between', parseRoles, ['contributor'])
    .option('--grant <grant>', 'how much of the past it may read: none, all, from:EPOCH', parseGrant, 'none')
    .action(async (member: string, options: AddOptions, command: Command) => {
      const session = await openSession(io, command, 'manager');
      const done = await session.call<Done>('manager_participantAdd', { member, ...options });
      const { phase, sealed, stewards } = await awaitKeys(session, options.phase, member);
      const { number: epoch, opener } = phase.epochs.at(-1)!;
      const by = sealed && opener !== phase.owner ? `; key epoch ${epoch} by ${opener} is open to it` : '';
      session.show(
        { ...done, sealed, epoch, opener, waitsFor: sealed ? [] : stewards },
        { text: `added ${member} to "${options.phase}" at height ${done.height}${by}` },
      );
      if (!sealed) throw keysWait(options.phase, stewards);
    });
  participant
    .command('remove')
    .description('remove a member from a phase: a new key epoch begins')
    .argument('<member>', 'member id')
    .requiredOption(...PHASE_OPTION)
    .action(async (member: string, options: { phase: string }, command: Command) => {
      const session = await openSession(io, command, 'manager');
      const done = await session.call<Done>('manager_participantRemove', { member, phase: options.phase });
      const { phase, sealed, stewards } = await awaitKeys(session, options.phase, null);
      const epoch = phase.epochs.at(-1)!.number;
      const then = sealed ? `; key epoch ${epoch} begins` : '';
      session.show(
        { ...done, epoch, sealed, waitsFor: sealed ? [] : stewards },
        { text: `removed ${member} from "${options.phase}" at height ${done.height}${then}` },
      );
      if (!sealed) throw keysWait(options.phase, stewards);
    });
  participant
    .command('role')
    .description('change the roles of a participant')
    .argument('<member>', 'member id')
    .argument('<roles>', 'roles with commas between', parseRoles)
    .requiredOption(...PHASE_OPTION)
    .action(async (member: string, roles: string[], options: { phase: string }, command: Command) => {
      const session = await openSession(io, command, 'manager');
      const done = await session.call<Done>('manager_participantRole', {
        member,
        roles,
        phase: options.phase,
      });
      session.show(done, {
        text: `${member} is now ${roles.join(', ')} in "${options.phase}", from height ${done.height}`,
      });
    });
}

export function addParticipantCommands(program: Command, io: Io): void {
  const participant = program.command('participant').description('who is in a phase');
  addChanges(participant, io);
  participant
    .command('list')
    .description('who is and was in a phase')
    .requiredOption(...PHASE_OPTION)
    .action(async (options: { phase: string }, command: Command) => {
      const session = await openSession(io, command, 'manager');
      const answer = await session.call<PhaseAnswer>('phase_get', { phase: options.phase });
      session.show(
        { participants: answer.participants, former: answer.former },
        {
          head: ['MEMBER', 'ROLES', 'READS'],
          rows: [
            ...answer.participants.map(entry => [
              entry.member,
              entry.roles.join(', '),
              `from epoch ${entry.fromEpoch}`,
            ]),
            ...answer.former.map(entry => [
              entry.member,
              'removed',
              `leaves ${entry.startPosition} to ${entry.endPosition - 1}`,
            ]),
          ],
        },
      );
    });
}
