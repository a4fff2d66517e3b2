import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { ROLES } from '../../core/types/operation.ts';
import { CommandFailure, EXIT } from '../failure.ts';
import type { Io } from '../io.ts';
import { wholeNumber } from '../options.ts';
import { openSession, type Session } from '../session.ts';
import { authorOf } from './record.ts';

const PHASE = 'label, id, start of the id, or project/phase';
const NOTHING = '—';
const collect = (value: string, before: readonly string[]) => [...before, value];

export interface RuleAnswer {
  readonly roles: readonly string[];
  readonly k: number;
}

export interface PolicyAnswer {
  readonly copiesTarget: number;
  readonly copiesMinimum: number;
  readonly writers: readonly string[];
  readonly retentionDays: number;
  readonly approvals: Readonly<Record<string, RuleAnswer>>;
}

interface Done {
  readonly height: number;
}

function roleNames(text: string): string[] {
  const roles = text.split(',');
  const unknown = roles.find(role => !Object.hasOwn(ROLES, role));
  if (unknown === undefined) return roles;
  throw new InvalidArgumentError(`"${unknown}" is no role; roles are ${Object.keys(ROLES).join(', ')}.`);
}

/** `2:approver`, `1:approver,steward`; `0` for none. */
function approvalRule(text: string): RuleAnswer {
  const match = /^(\d{1,3})(?::([a-z,]+))?$/.exec(text);
  if (match === null) throw new InvalidArgumentError('K:ROLE, as 2:approver; 0 asks for none.');
  return { k: Number(match[1]), roles: roleNames(match[2] ?? 'approver') };
}

export function policyPairs(policy: PolicyAnswer): [string, string][] {
  const rule = ({ k, roles }: RuleAnswer) => (k === 0 ? 'nobody' : `${k} of ${roles.join(', ')}`);
  return [
    ['copies', `${policy.copiesTarget} wanted, at least ${policy.copiesMinimum}`],
    ['writers', policy.writers.join(', ')],
    ['retention', policy.retentionDays === 0 ? 'no time set' : `${policy.retentionDays} days after its end`],
    ...Object.entries(policy.approvals).map(([name, value]): [string, string] => [
      `approval: ${name}`,
      rule(value),
    ]),
  ];
}

async function policyOf(session: Session, phase: string): Promise<PolicyAnswer> {
  return (await session.call<{ policy: PolicyAnswer }>('phase_get', { phase })).policy;
}

interface PolicyOptions {
  readonly copies?: number;
  readonly copiesMinimum?: number;
  readonly writers?: readonly string[];
  readonly retentionDays?: number;
  readonly approveClose?: RuleAnswer;
  readonly approveHandover?: RuleAnswer;
  readonly approveAdd?: RuleAnswer;
  readonly approveRemove?: RuleAnswer;
}

async function setPolicy(io: Io, phase: string, options: PolicyOptions, command: Command): Promise<void> {
  const session = await openSession(io, command, 'manager');
  const before = await policyOf(session, phase);
  const given = (values: object) =>
    Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
  const approvals = given({
    close: options.approveClose,
    handover: options.approveHandover,
    add: options.approveAdd,
    remove: options.approveRemove,
  });
  const { copies: copiesTarget, copiesMinimum, writers, retentionDays } = options;
  const change = given({ copiesTarget, copiesMinimum, writers, retentionDays });
  if (Object.keys({ ...change, ...approvals }).length === 0) {
    throw new CommandFailure(
      EXIT.usage,
      'nothing to change is given',
      'phaseline phase policy set --help shows what can be.',
    );
  }
  const done = await session.call<Done>('phase_policy', { phase, change: { ...change, approvals } });
  const after = policyPairs(await policyOf(session, phase));
  const old = new Map(policyPairs(before));
  session.show(done, {
    text: `policy of "${phase}" changed at height ${done.height}`,
    head: ['POLICY', 'BEFORE', 'AFTER'],
    rows: after
      .filter(([name, value]) => old.get(name) !== value)
      .map(([name, value]) => [name, old.get(name), value]),
  });
}

function addPolicy(phase: Command, io: Io): void {
  const policy = phase
    .command('policy')
    .description('what a phase asks for: copies, writers, approvals, retention');
  policy
    .command('show')
    .argument('<phase>', PHASE)
    .description('the policy of a phase')
    .action(async (name: string, _: object, command: Command) => {
      const session = await openSession(io, command, 'manager');
      const found = await policyOf(session, name);
      session.show(found, { pairs: policyPairs(found) });
    });
  policy
    .command('set')
    .argument('<phase>', PHASE)
    .description('change what is given, and leave the rest')
    .option('--copies <n>', 'copies of each file that its nodes work towards', wholeNumber(1, 256))
    .option('--copies-minimum <n>', 'under this a record shows a gap', wholeNumber(1, 256))
    .option('--writers <roles>', 'who may write records, as contributor,steward', roleNames)
    .option(
      '--retention-days <n>',
      'days after its end for which no file may be purged; then they are due; 0: no such time',
      wholeNumber(0, 36_500),
    )
    .option(
      '--approve-close <k:role>',
      'approvals to close or skip it, as 2:approver; 0 for none',
      approvalRule,
    )
    .option('--approve-handover <k:role>', 'approvals to hand records over', approvalRule)
    .option('--approve-add <k:role>', 'approvals to add a participant or change its roles', approvalRule)
    .option('--approve-remove <k:role>', 'approvals to remove an active participant', approvalRule)
    .action((name: string, options: PolicyOptions, command: Command) =>
      setPolicy(io, name, options, command),
    );
}

function addEnds(phase: Command, io: Io): void {
  for (const [verb, told, description] of [
    ['skip', 'skipped', 'skip a phase: what follows it comes after its predecessors'],
    ['reopen', 'open again', 'open a closed or skipped phase again'],
    ['archive', 'archived', 'end a closed or skipped phase for good; it stays readable'],
  ] as const) {
    phase
      .command(verb)
      .description(description)
      .argument('<phase>', PHASE)
      .action(async (name: string, _: object, command: Command) => {
        const session = await openSession(io, command, 'manager');
        const done = await session.call<Done>(`phase_${verb}`, { phase: name });
        session.show(done, { text: `phase "${name}" is ${told} at height ${done.height}` });
      });
  }
}

interface FlowAnswer {
  readonly phases: readonly string[];
  readonly steps: readonly { readonly what: string; readonly height: number }[];
  readonly refusal: { readonly reason: string; readonly detail: string; readonly hint: string } | null;
}

function showFlow(session: Session, done: FlowAnswer): void {
  session.show(done, {
    head: ['HEIGHT', 'STEP'],
    rows: done.steps.map(({ what, height }) => [height, what]),
  });
  if (done.refusal === null) return;
  const exitCode = done.refusal.reason === 'approval_pending' ? EXIT.waiting : EXIT.refused;
  const hint = `${done.refusal.hint} The same command goes on from here.`;
  throw new CommandFailure(exitCode, done.refusal.detail, hint);
}

/** `label`, or `label:id,id` for chosen records; one without ids receives all. */
function splitPart(text: string) {
  const [label, ids] = text.split(':') as [string, string | undefined];
  return { label, records: ids === undefined ? null : ids.split(',').filter(id => id !== '') };
}

function addShapes(phase: Command, io: Io): void {
  phase
    .command('move')
    .description('put a phase behind others of its project')
    .argument('<phase>', PHASE)
    .option('--after <phase>', 'what comes before it from now on (repeat); none: it comes first', collect, [])
    .action(async (name: string, { after }: { after: string[] }, command: Command) => {
      const session = await openSession(io, command, 'manager');
      const done = await session.call<Done>('phase_move', { phase: name, after });
      const told = after.length === 0 ? 'first' : `after ${after.join(', ')}`;
      session.show(done, { text: `phase "${name}" comes ${told} from height ${done.height} on` });
    });
  phase
    .command('split')
    .description('make one phase several: they follow it, receive its records, and it is closed')
    .argument('<phase>', PHASE)
    .requiredOption(
      '--into <label[:id,id…]>',
      'a new phase and its records; without ids all (repeat)',
      collect,
      [],
    )
    .action(async (name: string, { into }: { into: string[] }, command: Command) => {
      const session = await openSession(io, command, 'manager');
      showFlow(session, await session.call('phase_split', { phase: name, into: into.map(splitPart) }));
    });
  phase
    .command('merge')
    .description('make several phases one that follows them and receives their records; they are closed')
    .argument('<phases...>', PHASE)
    .requiredOption('--into <label>', 'what people call the new phase')
    .action(async (phases: string[], { into }: { into: string }, command: Command) => {
      const session = await openSession(io, command, 'manager');
      showFlow(session, await session.call('phase_merge', { phases, label: into }));
    });
}

interface HistoryAnswer {
  readonly entries: readonly {
    readonly height: number;
    readonly time: { readonly iso: string };
    readonly member: string;
    readonly user: string | null;
    readonly kind: string;
    readonly refused: string | null;
    readonly changes: readonly {
      readonly what: string;
      readonly before: string | null;
      readonly after: string | null;
    }[];
  }[];
}

/** `project history` and `phase history`: one line a change, or one for what changes nothing that is listed. */
export function addHistory(noun: Command, io: Io, scope: 'project' | 'phase'): void {
  noun
    .command('history')
    .description('every change in order: height, time, who, before and after')
    .argument(`<${scope}>`, scope === 'phase' ? PHASE : 'label, id or start of the id')
    .action(async (name: string, _: object, command: Command) => {
      const session = await openSession(io, command, 'manager');
      const found = await session.call<HistoryAnswer>(`${scope}_history`, { [scope]: name });
      session.show(found, {
        head: ['HEIGHT', 'TIME', 'WHO', 'DEED', 'WHAT', 'BEFORE', 'AFTER'],
        rows: found.entries.flatMap(({ height, time, member, user, kind, refused, changes }) => {
          const who = authorOf({ author: member, user: user === null ? null : { id: user, name: null } });
          const start = [height, time.iso, who, refused === null ? kind : `${kind}: ${refused}`];
          if (changes.length === 0) return [[...start, '', '', '']];
          return changes.map(({ what, before, after }) => [
            ...start,
            what,
            before ?? NOTHING,
            after ?? NOTHING,
          ]);
        }),
      });
    });
}

async function readTypes(path: string): Promise<unknown> {
  const text = await readFile(path, 'utf8').catch(() => {
    throw new CommandFailure(EXIT.error, `cannot read ${path}`);
  });
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return Object.entries(value).map(([name, schema]) => ({ name, schema }));
    }
  } catch {
    // what it is instead is said below
  }
  const hint = 'For example: {"note": {"type": "object", "required": ["text"]}}; {} takes all types away.';
  throw new CommandFailure(EXIT.usage, `${path} is no JSON object of type names and their schemas`, hint);
}

function addTypes(phase: Command, io: Io): void {
  const types = phase
    .command('types')
    .description('what kinds of records a phase takes, with their JSON Schema');
  types
    .command('list')
    .argument('<phase>', PHASE)
    .description('the record types of a phase')
    .action(async (name: string, _: object, command: Command) => {
      const session = await openSession(io, command, 'manager');
      const found = await session.call<{ types: { name: string; schema: unknown }[] }>('phase_typeList', {
        phase: name,
      });
      session.show(found, {
        head: ['TYPE', 'SCHEMA'],
        rows: found.types.map(type => [type.name, JSON.stringify(type.schema)]),
      });
    });
  types
    .command('set')
    .argument('<phase>', PHASE)
    .argument('<file>', 'JSON: an object of type names and their schemas')
    .description('give a phase other record types')
    .action(async (name: string, file: string, _: object, command: Command) => {
      const given = await readTypes(resolve(io.directory, file));
      const session = await openSession(io, command, 'manager');
      const done = await session.call<Done>('phase_typeSet', { phase: name, types: given });
      session.show(done, { text: `record types of "${name}" changed at height ${done.height}` });
    });
}

/** Of `phase`: what changes a flow while it runs. */
export function addFlowCommands(phase: Command, io: Io): void {
  addEnds(phase, io);
  addShapes(phase, io);
  addPolicy(phase, io);
  addTypes(phase, io);
  addHistory(phase, io, 'phase');
}
