import { type Command, InvalidArgumentError } from 'commander';
import { CommandFailure, EXIT } from '../failure.ts';
import type { Io } from '../io.ts';
import { wholeNumber } from '../options.ts';
import { openSession, type Session } from '../session.ts';

export interface ProposalAnswer {
  readonly proposal: number;
  readonly title: string;
  readonly proposer: string;
  readonly status: string;
  readonly reason: string | null;
  readonly height: number;
  readonly expiresHeight: number;
  readonly closedHeight: number | null;
  readonly approvals: number;
  readonly rejections: number;
  readonly outstanding: number;
  readonly threshold: number;
  readonly ballots: readonly {
    readonly member: string;
    readonly approve: boolean;
    readonly height: number;
  }[];
  readonly changes: readonly {
    readonly what: string;
    readonly before: string | null;
    readonly after: string | null;
  }[];
}

interface Created {
  readonly id: string;
  readonly height: number;
  readonly proposal: number | null;
}

const NOTHING = '—';

function stateOf({ status, reason }: ProposalAnswer): string {
  return reason === null ? status : `${status} (${reason})`;
}

/** Threshold and voters are those of now: they say something of a proposal while it is open. */
function approvalsOf({ status, ballots, approvals, threshold, outstanding }: ProposalAnswer): string {
  if (status === 'open') return `${approvals} of ${threshold} needed, ${outstanding} have not voted`;
  return String(ballots.filter(({ approve }) => approve).length);
}

function showOne(session: Session, found: ProposalAnswer): void {
  const ballots = found.ballots.map(
    ({ member, approve, height }) =>
      ['ballot', `${member} ${approve ? 'approved' : 'rejected'} at height ${height}`] as const,
  );
  session.show(found, {
    pairs: [
      ['proposal', found.proposal],
      ['title', found.title],
      ['proposed by', `${found.proposer} at height ${found.height}`],
      ['state', stateOf(found)],
      ['approvals', approvalsOf(found)],
      found.closedHeight === null
        ? ['votes until', `height ${found.expiresHeight}`]
        : ['closed at', `height ${found.closedHeight}`],
      ...ballots,
    ],
    head: ['CHANGE', 'BEFORE', 'AFTER'],
    rows: found.changes.map(({ what, before, after }) => [what, before ?? NOTHING, after ?? NOTHING]),
  });
}

/** Sends a proposal and shows what became of it: where one administrator decides it is carried out already. */
export async function propose(
  session: Session,
  title: string,
  actions: readonly object[],
  expiresBlocks?: number,
): Promise<void> {
  const given = { title, actions, ...(expiresBlocks === undefined ? {} : { expiresBlocks }) };
  const made = await session.call<Created>('proposal_create', given);
  if (made.proposal === null) {
    session.show(made, { text: `proposed at height ${made.height}; phaseline proposal list shows it` });
    return;
  }
  const found = await session.call<ProposalAnswer>('proposal_show', { proposal: made.proposal });
  showOne(session, found);
  if (found.status === 'open')
    session.tell(`other administrators decide: phaseline proposal approve ${made.proposal}`);
}

export function parseSettings(settings: readonly string[]): Record<string, number> {
  const values: Record<string, number> = {};
  for (const setting of settings) {
    const match = /^([A-Za-z]+)=(\d+)$/.exec(setting);
    if (match === null) {
      throw new CommandFailure(
        EXIT.usage,
        `"${setting}" is not NAME=NUMBER`,
        'For example: phaseline proposal propose-parameters viewTimeoutMs=2000 windowBlocks=64',
      );
    }
    values[match[1]!] = Number(match[2]);
  }
  return values;
}

function parseMembers(text: string): string[] {
  const members = text.split(',').map(member => member.trim());
  if (members.every(member => /^[a-z][a-z0-9-]{0,31}$/.test(member))) return members;
  throw new InvalidArgumentError('member ids with commas between.');
}

const NUMBER = ['<proposal>', 'its number, as proposal list shows it', wholeNumber(1)] as const;

function addReading(proposal: Command, io: Io): void {
  proposal
    .command('list')
    .description('open proposals, and those that were decided lately')
    .option('--open', 'only those that can be voted on')
    .action(async (options: { open?: boolean }, command: Command) => {
      const session = await openSession(io, command, 'manager');
      const answer = await session.call<{ proposals: ProposalAnswer[] }>('proposal_list', {
        openOnly: options.open === true,
      });
      session.show(answer, {
        head: ['PROPOSAL', 'STATE', 'APPROVALS', 'BY', 'VOTES UNTIL', 'TITLE'],
        rows: answer.proposals.map(entry => [
          entry.proposal,
          stateOf(entry),
          entry.status === 'open' ? `${entry.approvals} of ${entry.threshold}` : approvalsOf(entry),
          entry.proposer,
          entry.status === 'open' ? entry.expiresHeight : NOTHING,
          entry.title,
        ]),
      });
    });
  proposal
    .command('show')
    .description('what a proposal changes, before and after, and who voted')
    .argument(...NUMBER)
    .action(async (number: number, _: object, command: Command) => {
      const session = await openSession(io, command, 'manager');
      showOne(session, await session.call<ProposalAnswer>('proposal_show', { proposal: number }));
    });
}

function addBallots(proposal: Command, io: Io): void {
  const ballots = [
    ['approve', 'vote for a proposal; the ballot that reaches the threshold carries it out', true],
    ['reject', 'vote against a proposal', false],
  ] as const;
  for (const [name, description, approve] of ballots) {
    proposal
      .command(name)
      .description(description)
      .argument(...NUMBER)
      .action(async (number: number, _: object, command: Command) => {
        const session = await openSession(io, command, 'manager');
        await session.call('proposal_vote', { proposal: number, approve });
        showOne(session, await session.call<ProposalAnswer>('proposal_show', { proposal: number }));
      });
  }
  proposal
    .command('withdraw')
    .description('take back a proposal of your own')
    .argument(...NUMBER)
    .action(async (number: number, _: object, command: Command) => {
      const session = await openSession(io, command, 'manager');
      await session.call('proposal_withdraw', { proposal: number });
      showOne(session, await session.call<ProposalAnswer>('proposal_show', { proposal: number }));
    });
}

interface ProposeOptions {
  readonly title?: string;
  readonly expiresBlocks?: number;
}

export const EXPIRES_OPTION = [
  '--expires-blocks <n>',
  'take ballots for so many blocks',
  wholeNumber(1, 10_000_000),
] as const;

function addProposals(proposal: Command, io: Io): void {
  proposal
    .command('propose-parameters')
    .description('propose other limits of the consortium')
    .argument('<name=number...>', 'for example viewTimeoutMs=2000')
    .option('--title <text>', 'what the other administrators read')
    .option(...EXPIRES_OPTION)
    .action(async (settings: string[], options: ProposeOptions, command: Command) => {
      const session = await openSession(io, command, 'manager');
      const values = parseSettings(settings);
      const title = options.title ?? `set ${settings.join(', ')}`;
      await propose(session, title, [{ type: 'parameters', values }], options.expiresBlocks);
    });
  proposal
    .command('propose-administrators')
    .description('propose who the administrators are, and how many of them decide')
    .argument('<members>', 'all of them, with commas between', parseMembers)
    .requiredOption('--threshold <n>', 'how many must approve', wholeNumber(1, 64))
    .option('--title <text>', 'what the other administrators read')
    .option(...EXPIRES_OPTION)
    .action(async (members: string[], options: ProposeOptions & { threshold: number }, command: Command) => {
      const session = await openSession(io, command, 'manager');
      const { threshold } = options;
      const title = options.title ?? `administrators: ${threshold} of ${members.join(', ')}`;
      await propose(session, title, [{ type: 'administrators', members, threshold }], options.expiresBlocks);
    });
  proposal
    .command('propose-version')
    .description('propose the height from which blocks carry another protocol version')
    .argument('<version>', 'its number', wholeNumber(1, 65_535))
    .requiredOption('--height <n>', 'first height; later than the last ballot', wholeNumber(1))
    .option('--title <text>', 'what the other administrators read')
    .option(...EXPIRES_OPTION)
    .action(async (version: number, options: ProposeOptions & { height: number }, command: Command) => {
      const session = await openSession(io, command, 'manager');
      const { height } = options;
      const title = options.title ?? `protocol version ${version} from height ${height} on`;
      await propose(session, title, [{ type: 'protocolVersion', version, height }], options.expiresBlocks);
    });
}

export function addProposalCommands(program: Command, io: Io): void {
  const proposal = program
    .command('proposal')
    .description('changes of the consortium that its administrators decide by ballot');
  addReading(proposal, io);
  addBallots(proposal, io);
  addProposals(proposal, io);
}
