import type { Command } from 'commander';
import { CommandFailure, EXIT } from '../failure.ts';
import type { Io } from '../io.ts';
import { openSession, short } from '../session.ts';

interface PhaseAnswer {
  readonly id: string;
  readonly label: string | null;
}

interface LineageAnswer {
  readonly id: string;
  readonly author: string;
  readonly phase: PhaseAnswer;
  readonly height: number;
  readonly time: { readonly iso: string };
  readonly handovers: readonly {
    readonly from: PhaseAnswer;
    readonly to: PhaseAnswer;
    readonly by: string;
    readonly height: number;
    readonly time: { readonly iso: string };
    readonly sourcePosition: number | null;
    readonly request: {
      readonly number: number;
      readonly requester: string;
      readonly votes: readonly { readonly member: string; readonly approve: boolean }[];
    } | null;
  }[];
  readonly verification: {
    readonly ok: boolean;
    readonly checks: readonly { readonly name: string; readonly ok: boolean; readonly detail: string }[];
    readonly notSeen: readonly string[];
  } | null;
}

type Handover = LineageAnswer['handovers'][number];

const nameOf = ({ id, label }: PhaseAnswer) => label ?? short(id);

/** `sourcePosition` is null where the log that would show approvals is not this member's to read. */
function approvalText({ request, sourcePosition }: Handover): string {
  if (sourcePosition === null) return '; approvals are not for this member to see';
  if (request === null) return '';
  const said = request.votes.map(
    ({ member, approve }) => `${approve ? 'approved' : 'rejected'} by ${member}`,
  );
  return `; request ${request.number} by ${request.requester}${said.map(text => `, ${text}`).join('')}`;
}

function pairsOf(lineage: LineageAnswer): (readonly [string, string])[] {
  const { id, author, phase, height, time, handovers } = lineage;
  return [
    ['record', id],
    ['written', `in ${nameOf(phase)} by ${author} at height ${height}, ${time.iso}`],
    ...handovers.map(step => {
      const way = `from ${nameOf(step.from)} to ${nameOf(step.to)}`;
      const when = `at height ${step.height}, ${step.time.iso}`;
      return ['handed over', `${way} by ${step.by} ${when}${approvalText(step)}`] as const;
    }),
    ...(lineage.verification?.notSeen ?? []).map(text => ['not proven here', text] as const),
  ];
}

async function lineage(
  io: Io,
  record: string,
  options: { verify?: boolean },
  command: Command,
): Promise<void> {
  const session = await openSession(io, command, null);
  const verify = options.verify === true;
  const answer = await session.call<LineageAnswer>('record_lineage', { record, verify });
  const { verification } = answer;
  const rows = verification?.checks.map(check => [check.name, check.ok ? 'ok' : 'FAILED', check.detail]);
  const table = rows === undefined ? {} : { head: ['CHECK', 'RESULT', 'DETAIL'], rows };
  session.show(answer, { pairs: pairsOf(answer), ...table });
  if (verification?.ok === false) {
    throw new CommandFailure(EXIT.unhealthy, `the way of record ${short(record)} does not verify`);
  }
}

export function addLineageCommand(record: Command, io: Io): void {
  record
    .command('lineage')
    .description(
      'the way of a record through phases: author, handovers, approvals, as far as the node may see',
    )
    .argument('<id>', 'id of the record, whole')
    .option('--verify', 'prove each step that the node may see, and say which it may not')
    .action((id: string, options: { verify?: boolean }, command: Command) =>
      lineage(io, id, options, command),
    );
}
