import { basename, resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { stopSignal } from '../devnet/stop.ts';
import { importEventLog } from '../import/import.ts';
import { type PlanOptions, planEventLog } from '../import/plan.ts';
import { readLogFile } from '../import/read-log.ts';
import type { Io } from '../io.ts';
import { openSession } from '../session.ts';

async function eventLog(io: Io, file: string, options: PlanOptions, command: Command): Promise<void> {
  const log = await readLogFile(resolve(io.directory, file));
  const session = await openSession(io, command, 'manager');
  const plan = planEventLog(log.rows, `${basename(file)} ${log.sha256.slice(0, 8)}`, options);
  io.err(
    `${file}: ${log.rows.length} events → ${plan.members.length} members, ${plan.projects.length} projects, ` +
      `${plan.projects.reduce((sum, project) => sum + project.phases.length, 0)} phases`,
  );
  const stop = stopSignal();
  const report = await importEventLog(session, io, plan, log.sha256, stop.signal).finally(stop.release);
  session.show(report, {
    pairs: [
      ['events in the file', report.events],
      ['records written now', report.written],
      ['records there before', report.present],
      ['records in the ledger', report.inLedger],
      ['cases', new Set(log.rows.map(row => row.caseId)).size],
      ['projects', plan.projects.length],
      ['phases', report.phases],
      ['members', plan.members.length],
    ],
  });
}

export function addImportCommands(program: Command, io: Io): void {
  program
    .command('import')
    .description('bring existing flows into the ledger')
    .command('event-log')
    .description('load an event log, XES or CSV; the same command again goes on where an interrupted one was')
    .argument('<file>', 'XES, or CSV with the columns case:concept:name, concept:name, org:group')
    .addOption(
      new Option('--cases <as>', 'cases become records of one project, or a project each')
        .choices(['records', 'projects'])
        .default('records'),
    )
    .addOption(
      new Option('--activities <as>', 'activities become phases, or record types of one phase')
        .choices(['phases', 'types'])
        .default('phases'),
    )
    .action((file: string, options: PlanOptions, command: Command) => eventLog(io, file, options, command));
}
