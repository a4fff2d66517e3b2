import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Io } from '../io.ts';
import { wholeNumber } from '../options.ts';
import { openSession, type Session, short } from '../session.ts';
import { addCustodyCommands, type KeysAnswer } from './custody.ts';
import { addFlowCommands, type PolicyAnswer, policyPairs } from './flow.ts';
import { addHandoverCommand } from './handover.ts';
import { type RetentionAnswer, retentionPairs } from './retention.ts';

interface PhaseAnswer {
  readonly id: string;
  /** Null where this node can open no card of the phase. */
  readonly label: string | null;
  readonly project: string;
  readonly projectLabel: string | null;
  readonly owner: string;
  readonly lifecycle: string;
  readonly lifecycleHeight: number;
  readonly frozen: boolean;
  readonly current: boolean;
  readonly custody: string;
  readonly membershipVersion: number;
  readonly policy: PolicyAnswer;
  readonly retention: RetentionAnswer | null;
  readonly participants: readonly { readonly member: string; readonly roles: readonly string[] }[];
  readonly former: readonly { readonly member: string }[];
  readonly epochs: readonly { readonly number: number; readonly opener: string }[];
  readonly complaints: KeysAnswer['complaints'];
  readonly recovery: KeysAnswer['recovery'];
  readonly log: { readonly size: number; readonly root: string };
}

export interface RolesOfMember {
  readonly member: string;
  readonly roles: readonly string[];
}

const ROLE_NAMES = ['reader', 'contributor', 'approver', 'steward'];

export function parseRoles(text: string): string[] {
  const roles = text.split(',');
  const unknown = roles.find(role => !ROLE_NAMES.includes(role));
  if (unknown === undefined) return roles;
  throw new InvalidArgumentError(`"${unknown}" is no role; roles are ${ROLE_NAMES.join(', ')}.`);
}

/** `alice:contributor,steward`; a name alone reads. */
function collectParticipant(text: string, before: readonly RolesOfMember[]): readonly RolesOfMember[] {
  const [member, roles] = text.split(':') as [string, string | undefined];
  return [...before, { member, roles: roles === undefined ? ['reader'] : parseRoles(roles) }];
}

const collect = (value: string, before: readonly string[]) => [...before, value];

interface AddOptions {
  readonly project: string;
  readonly after: readonly string[];
  readonly before: readonly string[];
  readonly participant: readonly RolesOfMember[];
  readonly custody: string;
  readonly copies: number;
  readonly open?: boolean;
}

async function add(io: Io, label: string, options: AddOptions, command: Command): Promise<void> {
  const session = await openSession(io, command, 'manager');
  const done = await session.call<{ phase: string; height: number }>('manager_phaseAdd', {
    project: options.project,
    label,
    predecessors: options.after,
    successors: options.before,
    participants: options.participant,
    custody: options.custody,
    copiesTarget: options.copies,
  });
  if (options.open === true) await session.call('manager_phaseOpen', { phase: done.phase });
  const state = options.open === true ? 'open' : 'draft';
  session.show(
    { ...done, lifecycle: state },
    { text: `added phase "${label}" (${short(done.phase)}) at height ${done.height}, ${state}` },
  );
}

function keysOf({ custody, epochs }: PhaseAnswer): string {
  const { number, opener } = epochs.at(-1)!;
  return `custody ${custody}, epoch ${number} by ${opener}`;
}

function recoveryPairs(recovery: KeysAnswer['recovery']): (readonly [string, string])[] {
  if (recovery === null) return [];
  const { threshold, holders } = recovery;
  return [['recovery', `${threshold} of ${holders.length} shares: ${holders.join(', ')}`]];
}

function showPhase(session: Session, phase: PhaseAnswer): void {
  session.show(phase, {
    pairs: [
      ['phase', phase.label === null ? phase.id : `${phase.label} (${phase.id})`],
      ['project', phase.projectLabel === null ? phase.project : `${phase.projectLabel} (${phase.project})`],
      ['owner', phase.owner],
      [
        'state',
        `${phase.lifecycle} since height ${phase.lifecycleHeight}${phase.frozen ? ', frozen until a new key epoch' : ''}`,
      ],
      ['keys', keysOf(phase)],
      ...phase.complaints.map(
        ({ member, reason, height }) =>
          ['complaint', `${member} at height ${height}: its key does not open (${reason})`] as const,
      ),
      ...recoveryPairs(phase.recovery),
      ...policyPairs(phase.policy),
      ...retentionPairs(phase.retention, phase.id),
      ...phase.participants.map(
        entry => ['participant', `${entry.member}: ${entry.roles.join(', ')}`] as const,
      ),
      ...phase.former.map(entry => ['was there', entry.member] as const),
      ['log', `${phase.log.size} leaves, root ${phase.log.root}`],
      ...(phase.current
        ? []
        : [['note', 'this member was removed; this is the state that removed it'] as const]),
    ],
  });
}

function addReading(phase: Command, io: Io): void {
  phase
    .command('list')
    .description('the phases that a node may read')
    .option('--project <project>', 'only of this project')
    .action(async (options: { project?: string }, command: Command) => {
      const session = await openSession(io, command, 'manager');
      const answer = await session.call<{ phases: PhaseAnswer[] }>('phase_list', {
        project: options.project ?? null,
      });
      session.show(answer, {
        head: ['PHASE', 'LABEL', 'PROJECT', 'STATE', 'PARTICIPANTS', 'EPOCH', 'LEAVES'],
        rows: answer.phases.map(entry => [
          short(entry.id),
          entry.label ?? short(entry.id),
          entry.projectLabel ?? short(entry.project),
          entry.current ? entry.lifecycle : 'removed',
          entry.participants.map(participant => participant.member).join(', '),
          entry.epochs.at(-1)?.number ?? '',
          entry.log.size,
        ]),
      });
    });
  phase
    .command('show')
    .description('one phase: participants, roles, key epochs, log')
    .argument('<phase>', 'label, id, start of the id, or project/phase')
    .action(async (name: string, _: object, command: Command) => {
      const session = await openSession(io, command, 'manager');
      showPhase(session, await session.call<PhaseAnswer>('phase_get', { phase: name }));
    });
}

function addLifecycle(phase: Command, io: Io, verb: 'open' | 'close', description: string): void {
  phase
    .command(verb)
    .description(description)
    .argument('<phase>', 'label, id, start of the id, or project/phase')
    .action(async (name: string, _: object, command: Command) => {
      const session = await openSession(io, command, 'manager');
      const method = verb === 'open' ? 'manager_phaseOpen' : 'manager_phaseClose';
      const done = await session.call<{ height: number }>(method, { phase: name });
      session.show(done, { text: `phase "${name}": ${verb} at height ${done.height}` });
    });
}

export function addPhaseCommands(program: Command, io: Io): void {
  const phase = program.command('phase').description('phases: participants, records and files of their own');
  phase
    .command('add')
    .description('add a phase to a project, as a draft')
    .argument('<label>', 'what people call it')
    .requiredOption('--project <project>', 'label, id or start of the id')
    .option('--after <phase>', 'a phase that comes before it (repeat)', collect, [])
    .option('--before <phase>', 'a phase that comes after it: it is inserted there (repeat)', collect, [])
    .option(
      '--participant <member[:roles]>',
      'who is in it, as alice:contributor,steward (repeat)',
      collectParticipant,
      [],
    )
    .addOption(
      new Option('--custody <side>', 'who makes its keys')
        .choices(['manager', 'participants'])
        .default('manager'),
    )
    .option('--copies <n>', 'copies of each file among its nodes', wholeNumber(1, 256), 2)
    .option('--open', 'open it at once')
    .action((label: string, options: AddOptions, command: Command) => add(io, label, options, command));
  addFlowCommands(phase, io);
  addCustodyCommands(phase, io);
  addReading(phase, io);
  addLifecycle(phase, io, 'open', 'open a phase for records');
  addLifecycle(phase, io, 'close', 'close a phase: no more records');
  phase
    .command('rename')
    .description('give a phase another name')
    .argument('<phase>', 'label, id, start of the id, or project/phase')
    .argument('<label>', 'what people call it from now on')
    .action(async (name: string, label: string, _: object, command: Command) => {
      const session = await openSession(io, command, 'manager');
      const done = await session.call<{ height: number }>('manager_phaseRename', { phase: name, label });
      session.show(done, { text: `"${name}" is called "${label}" from height ${done.height}` });
    });
  addHandoverCommand(phase, io);
}
