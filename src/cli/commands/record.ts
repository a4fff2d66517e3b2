import type { Command } from 'commander';
import { CommandFailure, EXIT } from '../failure.ts';
import { addWaitOptions, putWithProgress, reportRows, type WaitOptions, waitOf } from '../files/command.ts';
import { walk } from '../files/walk.ts';
import type { Io } from '../io.ts';
import { wholeNumber } from '../options.ts';
import { openSession, type Session, short } from '../session.ts';

export interface FileAnswer {
  readonly cid: string;
  readonly name: string;
  readonly bytes: number;
}

export interface RecordAnswer {
  readonly id: string;
  readonly position: number;
  readonly height: number;
  readonly time: { readonly iso: string };
  readonly author: string;
  readonly handedOverFrom: { readonly phase: string } | null;
  readonly content: {
    readonly type: string;
    readonly text: string | null;
    readonly files: FileAnswer[];
  } | null;
  readonly unreadable: string | null;
}

export interface PutAnswer {
  readonly id: string;
  readonly height: number;
  readonly position: number;
  readonly files: readonly FileAnswer[];
}

interface PutOptions extends WaitOptions {
  readonly phase: string;
  readonly type: string;
  readonly text?: string;
  readonly title: string;
  readonly file: readonly string[];
  readonly reference: readonly string[];
}

const collect = (value: string, before: readonly string[]) => [...before, value];

/** `12` is a position in the log, anything else an id. */
function recordKey(text: string): string | number {
  return /^\d{1,15}$/.test(text) ? Number(text) : text;
}

export interface CheckAnswer {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
}

/** Shows each check; a failed one makes the command fail. */
export function showChecks(
  session: Session,
  what: string,
  answer: { ok: boolean; checks: readonly CheckAnswer[] },
) {
  session.show(answer, {
    head: ['CHECK', 'RESULT', 'DETAIL'],
    rows: answer.checks.map(check => [check.name, check.ok ? 'ok' : 'FAILED', check.detail]),
  });
  if (!answer.ok) throw new CommandFailure(EXIT.unhealthy, `${what} does not verify`);
}

const TEXT_BYTES_MAX = 2 * 1024 * 1024;

/** The text itself, or standard input for `-`. */
async function textOf(given: string | undefined): Promise<string | null> {
  if (given !== '-') return given ?? null;
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of process.stdin) {
    bytes += chunk.length;
    if (bytes > TEXT_BYTES_MAX) {
      const detail = `standard input has more than ${TEXT_BYTES_MAX} bytes`;
      throw new CommandFailure(EXIT.error, detail, 'Put it as a file: phaseline file put -');
    }
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString('utf8');
}

async function put(io: Io, options: PutOptions, command: Command): Promise<void> {
  if (options.text === undefined && options.file.length === 0) {
    throw new CommandFailure(EXIT.usage, 'a record needs --text or --file');
  }
  const waitForCopies = waitOf(options);
  const { output } = command.optsWithGlobals<{ output: string }>();
  const { files, skipped } = await walk(options.file, io.directory);
  for (const path of skipped) io.err(`left out, not a regular file: ${path}`);
  const session = await openSession(io, command, null);
  const { phase, type, title, reference: references } = options;
  const given = { phase, type, title, references, waitForCopies, oneRecord: true };
  const text = await textOf(options.text);
  // what a record is written with belongs to it, also what the phase has already
  const own = files.map(file => ({ ...file, inDirectory: false }));
  const report = await putWithProgress(
    io,
    session,
    { ...given, mediaType: 'application/octet-stream', text, files: own },
    output,
  );
  session.show(report.records.length === 1 ? report.records[0] : report, { pairs: reportRows(report) });
}

async function get(io: Io, key: string, options: { phase: string }, command: Command): Promise<void> {
  const session = await openSession(io, command, null);
  const record = await session.call<RecordAnswer>('record_get', {
    phase: options.phase,
    record: recordKey(key),
  });
  session.show(record, {
    pairs: [
      ['record', record.id],
      ['author', record.author],
      ['time', record.time.iso],
      ['height', record.height],
      ['position', record.position],
      ...(record.handedOverFrom === null ? [] : [['handed over from', record.handedOverFrom.phase] as const]),
      ['type', record.content?.type ?? ''],
      ['text', record.content?.text ?? record.unreadable ?? ''],
      ...(record.content?.files ?? []).map(
        file => [`file ${file.name}`, `${file.cid} (${file.bytes} bytes)`] as const,
      ),
    ],
  });
}

interface ListOptions {
  readonly phase: string;
  readonly from: number;
  readonly limit: number;
}

async function list(io: Io, options: ListOptions, command: Command): Promise<void> {
  const session = await openSession(io, command, null);
  const answer = await session.call<{ records: RecordAnswer[]; next: number | null; size: number }>(
    'record_list',
    {
      phase: options.phase,
      from: options.from,
      limit: options.limit,
      withData: true,
    },
  );
  session.show(answer, {
    head: ['POS', 'RECORD', 'AUTHOR', 'TIME', 'TYPE', 'TEXT', 'FILES'],
    rows: answer.records.map(record => [
      record.position,
      short(record.id),
      record.author,
      record.time.iso,
      record.content?.type ?? '',
      (record.content?.text ?? record.unreadable ?? '').slice(0, 60),
      record.content?.files.length ?? '',
    ]),
    ...(answer.next === null ? {} : { text: `more with --from ${answer.next}` }),
  });
}

export function addRecordCommands(program: Command, io: Io): void {
  const record = program.command('record').description('records of a phase, end-to-end encrypted');
  const putting = record
    .command('put')
    .description('write a record; answers when it is committed')
    .requiredOption('--phase <phase>', 'phase: label, id or start of the id')
    .option('--type <type>', 'what kind of record it is', 'note')
    .option('--title <title>', 'what people read in a list', '')
    .option('--text <text>', 'the content; - reads it from standard input')
    .option('--file <path>', 'a file or directory that goes with it (repeat)', collect, [])
    .option('--reference <id>', 'an earlier record that it refers to (repeat)', collect, []);
  addWaitOptions(putting).action((options: PutOptions, command: Command) => put(io, options, command));
  record
    .command('get')
    .description('read a record')
    .argument('<record>', 'id or position')
    .requiredOption('--phase <phase>', 'phase')
    .action((key: string, options: { phase: string }, command: Command) => get(io, key, options, command));
  record
    .command('list')
    .description('list the records of a phase')
    .requiredOption('--phase <phase>', 'phase')
    .option('--from <position>', 'first position of the log', wholeNumber(0), 0)
    .option('--limit <n>', 'how many', wholeNumber(1, 500), 100)
    .action((options: ListOptions, command: Command) => list(io, options, command));
  record
    .command('verify')
    .description('check a record anew: certificate, inclusion, author, key, payload')
    .argument('<record>', 'id or position')
    .requiredOption('--phase <phase>', 'phase')
    .action(async (key: string, options: { phase: string }, command: Command) => {
      const session = await openSession(io, command, null);
      const params = { phase: options.phase, record: recordKey(key) };
      showChecks(session, `record ${key}`, await session.call('record_verify', params));
    });
}
