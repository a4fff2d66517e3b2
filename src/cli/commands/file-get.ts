import { stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import { CommandFailure, EXIT } from '../failure.ts';
import { transferring } from '../files/command.ts';
import { type ByteSpan, type GetEnvironment, getFile, getToStream } from '../files/get.ts';
import { getDirectory } from '../files/get-directory.ts';
import { findFiles, isCid } from '../files/list.ts';
import { safeRelativePath } from '../files/names.ts';
import { type Io, writePaced } from '../io.ts';
import { openSession } from '../session.ts';

interface GetOptions {
  readonly phase: string;
  readonly out?: string;
  readonly range?: ByteSpan;
}

function span(text: string): ByteSpan {
  const match = /^(\d{1,15})-(\d{0,15})$/.exec(text);
  const from = Number(match?.[1]);
  const to = match?.[2] === '' ? undefined : Number(match?.[2]);
  if (match === null || (to !== undefined && to < from))
    throw new InvalidArgumentError('first and last byte, such as 0-99, or 100- for the rest.');
  return to === undefined ? { from } : { from, to };
}

async function isDirectory(path: string): Promise<boolean> {
  return (await stat(path).catch(() => null))?.isDirectory() === true;
}

/** Where one file goes: into a directory under its own name made safe, or to the path that was given. */
async function targetOf(io: Io, out: string | undefined, name: string): Promise<string> {
  const safe = basename(safeRelativePath(name));
  if (out === undefined) return resolve(io.directory, safe);
  const path = resolve(io.directory, out);
  return (await isDirectory(path)) ? join(path, safe) : path;
}

async function get(io: Io, what: string, options: GetOptions, command: Command): Promise<void> {
  const { phase, out } = options;
  const { output } = command.optsWithGlobals<{ output: string }>();
  const session = await openSession(io, command, null);
  const files = await findFiles(session.client, what, phase);
  const range = options.range ?? null;
  const directory = what.endsWith('/') && !isCid(what);
  if (directory && (range !== null || out === '-')) {
    throw new CommandFailure(EXIT.usage, 'a directory is not written to standard output, and has no range');
  }
  await transferring(io, { output, what }, async (progress, signal) => {
    const environment: GetEnvironment = { client: session.client, progress, signal };
    if (directory) {
      const got = await getDirectory(environment, phase, files, resolve(io.directory, out ?? '.'));
      progress.end();
      const rows = got.files.map(({ path, bytes, sha256 }) => [path, bytes, sha256]);
      const gone = got.purged.length === 0 ? {} : { text: `purged, and not here: ${got.purged.join(', ')}` };
      return session.show(got, { head: ['WROTE', 'BYTES', 'SHA256'], rows, ...gone });
    }
    // a CID that no record here names is the node's to answer for: unknown, purged or not readable
    const { cid, name } = files[0] ?? { cid: what, name: what };
    const toStandardOutput = (chunk: Uint8Array) => writePaced(process.stdout, chunk, signal);
    if (out === '-') return getToStream(environment, { phase, cid }, range, toStandardOutput);
    const answer = await getFile(environment, { phase, cid }, await targetOf(io, out, name), range);
    session.show(answer, {
      pairs: [
        ['wrote', answer.path],
        ['bytes', answer.bytes],
        ['sha256', answer.sha256],
      ],
    });
  });
}

export function addFileGetCommand(file: Command, io: Io): void {
  file
    .command('get')
    .description(
      'write a file, or all of a directory, to new files here; what is interrupted goes on when tried again',
    )
    .argument('<cid|name>', 'CID or name of the file; a name with / at the end for a directory')
    .requiredOption('--phase <phase>', 'phase: label, id or start of the id')
    .option('--out <path>', 'file or directory to write to, - for standard output; nothing is replaced')
    .option('--range <first-last>', 'these bytes only, counted from 0, both included', span)
    .action((what: string, options: GetOptions, command: Command) => get(io, what, options, command));
}
