import { readFileSync } from 'node:fs';
import { Command, Option } from 'commander';
import { addApprovalCommands } from './commands/approval.ts';
import { addBenchCommands } from './commands/bench.ts';
import { addDataCommands } from './commands/data-directory.ts';
import { addDatabaseCommands } from './commands/database.ts';
import { addDevnetCommand } from './commands/devnet.ts';
import { addDoctorCommand } from './commands/doctor.ts';
import { addDossierCommands } from './commands/dossier.ts';
import { addEvidenceCommands } from './commands/evidence.ts';
import { addExportCommands } from './commands/export.ts';
import { addFileCommands } from './commands/file.ts';
import { addImportCommands } from './commands/import.ts';
import { addMemberCommands } from './commands/member.ts';
import { addParticipantCommands } from './commands/participant.ts';
import { addPhaseCommands } from './commands/phase.ts';
import { addProjectCommands } from './commands/project.ts';
import { addProofCommands } from './commands/proof.ts';
import { addProposalCommands } from './commands/proposal.ts';
import { addRecordCommands } from './commands/record.ts';
import { addStatusCommand } from './commands/status.ts';
import { addValidatorCommands } from './commands/validator.ts';
import type { ConnectOptions } from './connect.ts';
import type { Io } from './io.ts';

export interface GlobalOptions extends ConnectOptions {
  readonly output: 'table' | 'json';
}

/** A command family adds itself to the program. */
export type AddCommands = (program: Command, io: Io) => void;

const FAMILIES: readonly AddCommands[] = [
  addDevnetCommand,
  addDataCommands,
  addDatabaseCommands,
  addStatusCommand,
  addMemberCommands,
  addValidatorCommands,
  addProposalCommands,
  addProjectCommands,
  addPhaseCommands,
  addApprovalCommands,
  addParticipantCommands,
  addRecordCommands,
  addFileCommands,
  addDossierCommands,
  addEvidenceCommands,
  addProofCommands,
  addDoctorCommand,
  addImportCommands,
  addExportCommands,
  addBenchCommands,
];

function packageVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

export function buildProgram(io: Io): Command {
  const program = new Command('phaseline')
    .description('A consortium ledger in which every phase of every project is a ledger of its own.')
    .version(packageVersion())
    .addOption(
      new Option('--network <dir>', 'directory of a network, one data directory a node').env(
        'PHASELINE_NETWORK',
      ),
    )
    .addOption(new Option('--as <node>', 'which node of the network to talk to').env('PHASELINE_AS'))
    .addOption(new Option('--url <url>', 'JSON-RPC address of a node, instead of --as').env('PHASELINE_URL'))
    .addOption(new Option('--token-file <file>', 'session token for --url').env('PHASELINE_TOKEN_FILE'))
    .addOption(
      new Option('--output <format>', 'how results are shown')
        .choices(['table', 'json'])
        .default('table')
        .env('PHASELINE_OUTPUT'),
    )
    .showHelpAfterError('(phaseline COMMAND --help shows what a command takes)')
    .exitOverride()
    .configureOutput({ writeOut: text => io.out(text.trimEnd()), writeErr: text => io.err(text.trimEnd()) });
  for (const add of FAMILIES) add(program, io);
  inheritSettings(program);
  return program;
}

/** Subcommands made before the parent's settings were final take them over, so that every usage error is one exit code. */
function inheritSettings(command: Command): void {
  for (const child of command.commands) {
    child.copyInheritedSettings(command);
    inheritSettings(child);
  }
}

/** @throws whatever the command throws; `describeFailure` turns it into an exit code */
export async function runCommand(words: readonly string[], io: Io): Promise<void> {
  await buildProgram(io).parseAsync(words, { from: 'user' });
}
