import { createWriteStream } from 'node:fs';
import { resolve } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Command, Option } from 'commander';
import { type AuditLog, readAudit } from '../export/audit.ts';
import { ocelOf, ocelXmlOf } from '../export/ocel.ts';
import { xesOf } from '../export/xes.ts';
import { CommandFailure, EXIT } from '../failure.ts';
import type { Io } from '../io.ts';
import { openSession, type Session } from '../session.ts';

interface ExportOptions {
  readonly project?: string;
  readonly phase?: string;
  readonly format: 'xes' | 'ocel' | 'ocel-xml';
  readonly out: string;
  readonly caseField?: string;
  readonly timeField?: string;
}

interface Named {
  readonly id: string;
  readonly label: string | null;
}

type Flow = Parameters<typeof readAudit>[1];

const named = ({ id, label }: Named) => ({ id, label: label ?? id.slice(0, 12) });

/** The phases of an own project, those of a foreign one that the node is in, or one phase alone. */
async function flowOf(session: Session, { project, phase }: ExportOptions): Promise<Flow> {
  if (phase !== undefined) {
    const found = await session.call<Named & { project: Named }>('phase_get', { phase });
    return { project: named(found.project), own: false, phases: [named(found)] };
  }
  const found = await session.call<Named & { phases: readonly Named[] }>('project_get', { project });
  return { project: named(found), own: true, phases: found.phases.map(named) };
}

function* piecesOf(log: AuditLog, format: ExportOptions['format']): Generator<string> {
  if (format === 'xes') yield* xesOf(log);
  else if (format === 'ocel') yield `${JSON.stringify(ocelOf(log), null, 1)}\n`;
  else yield* ocelXmlOf(ocelOf(log));
}

async function eventLog(io: Io, options: ExportOptions, command: Command): Promise<void> {
  const { project, phase, format, caseField, timeField } = options;
  if ((project === undefined) === (phase === undefined)) {
    throw new CommandFailure(EXIT.usage, 'say what to export: --project PROJECT or --phase PHASE');
  }
  const session = await openSession(io, command, 'manager');
  const log = await readAudit(session, await flowOf(session, options), { caseField, timeField });
  const path = resolve(io.directory, options.out);
  await pipeline(Readable.from(piecesOf(log, format)), createWriteStream(path, { flags: 'wx' })).catch(
    (error: NodeJS.ErrnoException) => {
      const what = error.code === 'EEXIST' ? 'it is there already' : (error.code ?? error.message);
      throw new CommandFailure(EXIT.error, `cannot write ${path}: ${what}`, 'Name another file with --out.');
    },
  );
  const cases = new Set(log.events.map(event => event.caseId).filter(id => id !== null)).size;
  const answer = { path, format, events: log.events.length, phases: log.phases.length, cases };
  session.show(answer, {
    pairs: [
      ['wrote', path],
      ['events', answer.events],
      ['phases', answer.phases],
      ...(caseField === undefined ? [] : [['cases', cases] as const]),
    ],
  });
}

export function addExportCommands(program: Command, io: Io): void {
  program
    .command('export')
    .description('take what happened out of the ledger')
    .command('event-log')
    .description('write the audit trail of a project or phase for process-mining tools')
    .option('--project <project>', 'an own project: label, id or start of the id')
    .option('--phase <phase>', 'one phase')
    .requiredOption('--out <file>', 'the file to write')
    .addOption(
      new Option('--format <format>', 'XES (IEEE 1849-2016), or OCEL 2.0 as JSON or XML')
        .choices(['xes', 'ocel', 'ocel-xml'])
        .default('xes'),
    )
    .option('--case-field <name>', 'field of the records that names the case: case:concept:name of an import')
    .option('--time-field <name>', 'field of the records that says when it happened: time:timestamp')
    .action((options: ExportOptions, command: Command) => eventLog(io, options, command));
}
