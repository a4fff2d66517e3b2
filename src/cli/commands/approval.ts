import type { Command } from 'commander';
import { AS_USER, credentialsOf } from '../as-user.ts';
import { CommandFailure, EXIT } from '../failure.ts';
import type { Io } from '../io.ts';
import { wholeNumber } from '../options.ts';
import { openSession, type Session } from '../session.ts';

const PHASE = 'label, id, start of the id, or project/phase';
const NOTHING = '—';

interface Done {
  readonly height: number;
}

interface RequestAnswer {
  readonly request: number;
  readonly deed: string;
  readonly records: readonly string[];
  readonly changes: readonly {
    readonly what: string;
    readonly before: string | null;
    readonly after: string | null;
  }[];
  readonly requester: string;
  readonly height: number;
  readonly expiresHeight: number;
  readonly alive: boolean;
  readonly approved: boolean;
  readonly rules: readonly {
    readonly roles: readonly string[];
    readonly needed: number;
    readonly approvals: number;
  }[];
  readonly votes: readonly { readonly member: string; readonly approve: boolean }[];
}

async function requestsOf(session: Session, phase: string): Promise<readonly RequestAnswer[]> {
  return (await session.call<{ requests: RequestAnswer[] }>('approval_list', { phase })).requests;
}

function stateOf({ alive, approved }: RequestAnswer): string {
  if (!alive) return 'over';
  return approved ? 'approved: may be carried out' : 'waits';
}

const counts = ({ rules }: RequestAnswer) =>
  rules.map(({ approvals, needed, roles }) => `${approvals} of ${needed} (${roles.join(', ')})`).join('; ');

async function showRequest(io: Io, phase: string, number: number, command: Command): Promise<void> {
  const session = await openSession(io, command, 'manager');
  const found = (await requestsOf(session, phase)).find(({ request }) => request === number);
  if (found === undefined) {
    throw new CommandFailure(
      EXIT.error,
      `phase "${phase}" has no request ${number}`,
      'phaseline approval list PHASE shows those that wait.',
    );
  }
  session.show(found, {
    pairs: [
      ['request', number],
      ['to', found.deed],
      ...found.records.map(id => ['record', id] as const),
      ['asked by', `${found.requester} at height ${found.height}, until height ${found.expiresHeight}`],
      ['state', stateOf(found)],
      ['approvals', counts(found)],
      ...found.votes.map(
        ({ member, approve }) => ['vote', `${member} ${approve ? 'approved' : 'rejected'}`] as const,
      ),
    ],
    ...(found.changes.length === 0
      ? {}
      : {
          head: ['CHANGE', 'BEFORE', 'AFTER'],
          rows: found.changes.map(({ what, before, after }) => [what, before ?? NOTHING, after ?? NOTHING]),
        }),
  });
}

export function addApprovalCommands(program: Command, io: Io): void {
  const approval = program
    .command('approval')
    .description('what waits for the approvals that a phase asks for');
  const number = wholeNumber(0);
  approval
    .command('list')
    .description('the requests of a phase, oldest first')
    .argument('<phase>', PHASE)
    .action(async (phase: string, _: object, command: Command) => {
      const session = await openSession(io, command, 'manager');
      const requests = await requestsOf(session, phase);
      session.show(
        { requests },
        {
          head: ['REQUEST', 'TO', 'BY', 'UNTIL HEIGHT', 'APPROVALS', 'STATE'],
          rows: requests.map(each => [
            each.request,
            each.deed,
            each.requester,
            each.expiresHeight,
            counts(each),
            stateOf(each),
          ]),
        },
      );
    });
  approval
    .command('show')
    .description('one request: what it changes, and who has approved')
    .argument('<phase>', PHASE)
    .argument('<request>', 'its number', number)
    .action((phase: string, request: number, _: object, command: Command) =>
      showRequest(io, phase, request, command),
    );
  for (const [verb, method, told] of [
    ['approve', 'approval_vote', 'approved'],
    ['reject', 'approval_vote', 'rejected'],
    ['withdraw', 'approval_withdraw', 'withdrawn'],
  ] as const) {
    const each = approval
      .command(verb)
      .description(
        verb === 'withdraw' ? 'take a request back, as who made it' : `${verb} a request, as --as NAME`,
      )
      .argument('<phase>', PHASE)
      .argument('<request>', 'its number', number)
      .action(async (phase: string, request: number, options: { asUser?: string }, command: Command) => {
        const session = await openSession(io, command, verb === 'withdraw' ? 'manager' : null);
        const asUser = credentialsOf(io, options.asUser);
        const vote = method === 'approval_vote' ? { approve: verb === 'approve', asUser } : {};
        const done = await session.call<Done>(method, { phase, request, ...vote });
        session.show(done, { text: `request ${request} ${told} at height ${done.height}` });
      });
    if (verb !== 'withdraw') each.option(...AS_USER);
  }
}
