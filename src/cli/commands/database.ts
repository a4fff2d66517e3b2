import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { DatabaseInfo } from '../../roles/chain-database.ts';
import type { HistoryView } from '../../rpc/api.ts';
import { CommandFailure, EXIT } from '../failure.ts';
import { type Io, show } from '../io.ts';
import type { GlobalOptions } from '../program.ts';

interface DirOption {
  readonly dir: string;
}

const VOTES: Record<string, string> = { true: 'yes', false: 'no: it observes', null: 'never started' };

const load = () => import('../../roles/chain-database.ts');
const loadBackup = () => import('../../roles/backup.ts');

function historyPairs({ mode, baseHeight, blocksFrom, bodiesFrom }: HistoryView): [string, unknown][] {
  return [
    ['history', mode],
    ['began with', baseHeight === 0 ? 'genesis' : `the snapshot of height ${baseHeight}`],
    ['blocks from', blocksFrom],
    ['transactions from', bodiesFrom],
  ];
}

async function verify({ dir }: DirOption, io: Io, command: Command): Promise<void> {
  const { output } = command.optsWithGlobals<GlobalOptions>();
  const { verifyDatabase } = await import('../../roles/verify-database.ts');
  const report = await verifyDatabase(resolve(io.directory, dir));
  show(io, output, report, {
    pairs: [
      ['blocks', report.blocks],
      ['transactions', report.transactions],
      ['head', report.head],
      [
        'verdict',
        report.fault ?? (report.left === null ? 'every block verifies' : 'all that is here verifies'),
      ],
      ...(report.left === null ? [] : [['not verified', report.left] as [string, unknown]]),
    ],
  });
  if (report.fault !== null) throw new CommandFailure(EXIT.unhealthy, `${dir}: ${report.fault}`);
}

async function info({ dir }: DirOption, io: Io, command: Command): Promise<void> {
  const { output } = command.optsWithGlobals<GlobalOptions>();
  const answer: DatabaseInfo = await (await load()).databaseInfo(resolve(io.directory, dir));
  show(io, output, answer, {
    pairs: [
      ['name', answer.name],
      ['height', answer.height],
      ['head', answer.head],
      ['validator set', answer.validatorSetId],
      ...historyPairs(answer),
      ['may vote', VOTES[String(answer.mayVote)]],
    ],
  });
}

async function prune({ dir }: DirOption, io: Io, command: Command): Promise<void> {
  const { output } = command.optsWithGlobals<GlobalOptions>();
  const history = await (await load()).pruneDatabase(resolve(io.directory, dir));
  show(io, output, history, { pairs: historyPairs(history) });
}

export function addDatabaseCommands(program: Command, io: Io): void {
  const db = program.command('db').description('look after the chain of a stopped consensus node');
  const dirOption = (command: Command) => command.requiredOption('--dir <dir>', 'data directory');
  dirOption(db.command('info'))
    .description('height, what is held of the past, whether the node may vote')
    .action((options: DirOption, command: Command) => info(options, io, command));
  dirOption(db.command('verify'))
    .description(
      'check every block, signature, certificate and root that is there, from genesis where all are',
    )
    .action((options: DirOption, command: Command) => verify(options, io, command));
  dirOption(db.command('prune'))
    .description('delete the transactions of old blocks now, and give the room back to the disk')
    .action((options: DirOption, command: Command) => prune(options, io, command));
  dirOption(db.command('repair'))
    .description('make a damaged database readable; the node then builds its state anew when it starts')
    .action(async ({ dir }: DirOption) => {
      await (await load()).repairDatabase(resolve(io.directory, dir));
      io.err('the database can be read; the node builds its state anew when it starts, and votes after that');
    });

  dirOption(program.command('backup'))
    .description('copy a stopped consensus node: configuration, keys and chain, without the right to vote')
    .requiredOption('--to <dir>', 'directory to make')
    .action(async ({ dir, to }: DirOption & { to: string }) => {
      const target = resolve(io.directory, to);
      await (await loadBackup()).backUp(resolve(io.directory, dir), target);
      io.err(`wrote ${target}; it holds the encrypted keys, and not the passphrase`);
    });
  dirOption(program.command('restore'))
    .description(
      'make a data directory of a backup; its node follows and does not vote until it has a new key',
    )
    .requiredOption('--from <dir>', 'what "phaseline backup" made')
    .action(async ({ dir, from }: DirOption & { from: string }) => {
      const target = resolve(io.directory, dir);
      await (await loadBackup()).restore(resolve(io.directory, from), target);
      io.err(`made ${target}; its consensus key may have voted since, so the node observes when it starts`);
      io.err('it votes again with a new consensus key: phaseline validator new-key');
    });
}
