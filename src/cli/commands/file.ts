import type { Command } from 'commander';
import { CommandFailure, EXIT } from '../failure.ts';
import { addWaitOptions, putWithProgress, reportRows, type WaitOptions, waitOf } from '../files/command.ts';
import { listFiles } from '../files/list.ts';
import { formatBytes } from '../files/progress.ts';
import type { PutReport } from '../files/put.ts';
import { walk } from '../files/walk.ts';
import type { Io } from '../io.ts';
import { openSession, type Session } from '../session.ts';
import { addFileCareCommands } from './file-care.ts';
import { addFileGetCommand } from './file-get.ts';

interface PutOptions extends WaitOptions {
  readonly phase: string;
  readonly name?: string;
  readonly mediaType: string;
  readonly type: string;
  readonly title: string;
}

async function putStandardInput(session: Session, options: PutOptions): Promise<PutReport> {
  const { phase, mediaType, type } = options;
  const name = options.name ?? 'stdin';
  const receipt = await session.client.upload({ phase, name, mediaType, type, body: process.stdin });
  return { records: [receipt], present: [] };
}

async function put(io: Io, paths: readonly string[], options: PutOptions, command: Command): Promise<void> {
  const waitForCopies = waitOf(options);
  const { output } = command.optsWithGlobals<{ output: string }>();
  const standardInput = paths.includes('-');
  if (standardInput && (paths.length > 1 || waitForCopies !== null)) {
    throw new CommandFailure(EXIT.usage, 'standard input (-) is put alone, and without --wait-for-copies');
  }
  if (options.name !== undefined && paths.length > 1) {
    throw new CommandFailure(EXIT.usage, '--name is for one file');
  }
  const session = await openSession(io, command, null);
  if (standardInput) {
    const report = await putStandardInput(session, options);
    return session.show(report, { pairs: reportRows(report) });
  }
  const { files, skipped } = await walk(paths, io.directory);
  for (const path of skipped) io.err(`left out, not a regular file: ${path}`);
  if (files.length === 0) {
    const detail = `there is no file in ${paths.join(', ')}`;
    throw new CommandFailure(EXIT.error, detail, 'Give paths of files, or of directories that have some.');
  }
  const named = options.name === undefined ? files : files.map(file => ({ ...file, name: options.name! }));
  const { phase, type, title, mediaType } = options;
  const rest = { phase, type, title, mediaType, text: null, references: [], waitForCopies, oneRecord: false };
  const report = await putWithProgress(io, session, { ...rest, asUser: null, files: named }, output);
  session.show(report, { pairs: reportRows(report) });
}

async function list(
  io: Io,
  name: string | undefined,
  options: { phase: string },
  command: Command,
): Promise<void> {
  const session = await openSession(io, command, null);
  const files = await listFiles(session.client, options.phase, name ?? null);
  session.show(
    { files },
    {
      head: ['POS', 'NAME', 'SIZE', 'AUTHOR', 'TIME', 'CID'],
      rows: files.map(file => [
        ...[file.position, file.name, file.purged ? 'purged' : formatBytes(file.bytes)],
        ...[file.author, file.time.iso, file.cid],
      ]),
    },
  );
}

interface UploadLine {
  readonly id: string;
  readonly name: string;
  readonly bytes: number | null;
  readonly offset: number;
  readonly stage: string;
  readonly error: string | null;
}

async function uploads(io: Io, options: { phase: string }, command: Command): Promise<void> {
  const session = await openSession(io, command, null);
  const answer = await session.call<{ uploads: UploadLine[] }>('file_uploads', { phase: options.phase });
  session.show(answer, {
    head: ['UPLOAD', 'NAME', 'THERE', 'OF', 'STAGE'],
    rows: answer.uploads.map(({ id, name, bytes, offset, stage, error }) => [
      ...[id, name, formatBytes(offset), bytes === null ? '?' : formatBytes(bytes)],
      error === null ? stage : `${stage}: ${error}`,
    ]),
  });
}

export function addFileCommands(program: Command, io: Io): void {
  const file = program.command('file').description('off-chain files of a phase, encrypted and replicated');
  const phase = ['--phase <phase>', 'phase: label, id or start of the id'] as const;
  const putting = file
    .command('put')
    .description('put files and directories into a phase, as records that name them; - reads standard input')
    .argument('<path...>', 'files and directories')
    .requiredOption(...phase)
    .option('--name <name>', 'what one file is called in the record')
    .option('--media-type <type>', 'media type of the files', 'application/octet-stream')
    .option('--type <type>', 'what kind of record it is', 'file')
    .option('--title <title>', 'what people read in a list', '');
  addWaitOptions(putting).action((paths: string[], options: PutOptions, command: Command) =>
    put(io, paths, options, command),
  );
  addFileGetCommand(file, io);
  file
    .command('list')
    .description('files that the records of a phase name')
    .argument('[name]', 'one name; with / at the end, what begins with it')
    .requiredOption(...phase)
    .action((name: string | undefined, options: { phase: string }, command: Command) =>
      list(io, name, options, command),
    );
  file
    .command('uploads')
    .description('files on their way in, and what became of the last ones')
    .requiredOption(...phase)
    .action((options: { phase: string }, command: Command) => uploads(io, options, command));
  addFileCareCommands(file, io);
}
