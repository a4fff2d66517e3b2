import type { Command } from 'commander';
import { CommandFailure, EXIT } from '../failure.ts';
import type { Io } from '../io.ts';
import { openSession, short } from '../session.ts';

interface HandoverAnswer {
  readonly targets: readonly {
    readonly target: string;
    readonly items: number;
    readonly transactions: readonly { readonly height: number }[];
    readonly skipped: readonly string[];
    readonly refusal: { readonly reason: string; readonly detail: string; readonly hint: string } | null;
  }[];
}

interface HandoverOptions {
  readonly to: readonly string[];
  readonly record: readonly string[];
  readonly file: readonly string[];
  readonly all?: boolean;
}

const collect = (value: string, before: readonly string[]) => [...before, value];

function checkUsage(targets: readonly string[], { record, file, all }: HandoverOptions): void {
  if (targets.length === 0) {
    throw new CommandFailure(
      EXIT.usage,
      'no phase is named that receives',
      'Name one or several: --to PHASE',
    );
  }
  if (all === true && record.length + file.length > 0) {
    throw new CommandFailure(EXIT.usage, '--all hands over everything: leave out --record and --file');
  }
}

/** One line a target: each is done or refused by itself. */
async function handOver(
  io: Io,
  source: string,
  named: readonly string[],
  options: HandoverOptions,
  command: Command,
): Promise<void> {
  const targets = [...named, ...options.to];
  checkUsage(targets, options);
  const session = await openSession(io, command, 'manager');
  const { as } = command.optsWithGlobals<{ as?: string }>();
  const method = as === undefined || as === 'manager' ? 'manager_phaseHandover' : 'phase_handover';
  const records = options.record.length === 0 ? null : options.record;
  const files = options.file.length === 0 ? null : options.file;
  const asked = { source, targets, records, files };
  const done = await session.client.callLong<HandoverAnswer>(method, asked);
  session.show(done, {
    head: ['TARGET', 'RECORDS', 'HEIGHT', 'LEFT OUT', 'REFUSED'],
    rows: done.targets.map(({ target, items, transactions, skipped, refusal }) => [
      short(target),
      items,
      transactions.map(({ height }) => height).join(', '),
      skipped.length,
      refusal === null ? '' : `${refusal.reason}: ${refusal.detail}`,
    ]),
  });
  for (const { target, refusal } of done.targets) {
    if (refusal === null) continue;
    const code = refusal.reason === 'approval_pending' ? EXIT.waiting : EXIT.refused;
    const detail = `not handed over to phase ${short(target)}: ${refusal.detail}`;
    throw new CommandFailure(code, detail, refusal.hint);
  }
}

export function addHandoverCommand(phase: Command, io: Io): void {
  phase
    .command('handover')
    .description('hand records and their files over to phases that follow, all of them unless some are named')
    .argument('<source>', 'phase')
    .argument('[target...]', 'phases that follow it; the same as --to')
    .option('--to <phase>', 'a phase that follows it (repeat)', collect, [])
    .option('--record <id>', 'only these records (repeat)', collect, [])
    .option('--file <cid>', 'only records that name this file (repeat)', collect, [])
    .option(
      '--all',
      'everything that can be opened and was not handed over yet; so it is without --record and --file',
    )
    .action((source: string, targets: string[], options: HandoverOptions, command: Command) =>
      handOver(io, source, targets, options, command),
    );
}
