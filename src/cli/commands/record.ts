import type { Command } from 'commander';
import { AS_USER, credentialsOf } from '../as-user.ts';
import { CommandFailure, EXIT } from '../failure.ts';
import { addWaitOptions, putWithProgress, reportRows, type WaitOptions, waitOf } from '../files/command.ts';
import { walk } from '../files/walk.ts';
import type { Io } from '../io.ts';
import { wholeNumber } from '../options.ts';
import { rangeOf } from '../proofs/range.ts';
import { openSession, type Session, short } from '../session.ts';
import { addLineageCommand } from './lineage.ts';

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
  readonly user: { readonly id: string; readonly name: string | null } | null;
  readonly handedOverFrom: { readonly phase: string } | null;
  readonly content: {
    readonly type: string;
    readonly text: string | null;
    readonly files: FileAnswer[];
  } | null;
  readonly unreadable: string | null;
  readonly typeFault: string | null;
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
  readonly asUser?: string;
}

const collect = (value: string, before: readonly string[]) => [...before, value];

/** `12` is a position in the log, anything else an id. */
export function recordKey(text: string): string | number {
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
    head: CHECK_HEAD,
    rows: checkRows(answer.checks),
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
  const asUser = credentialsOf(io, options.asUser);
  const given = { phase, type, title, references, waitForCopies, oneRecord: true, asUser };
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

interface Verification {
  readonly ok: boolean;
  readonly checks: readonly CheckAnswer[];
}

const CHECK_HEAD = ['CHECK', 'RESULT', 'DETAIL'];
const checkRows = (checks: readonly CheckAnswer[]) =>
  checks.map(check => [check.name, check.ok ? 'ok' : 'FAILED', check.detail]);

/** The member, and the person where one signed for it. */
export function authorOf({ author, user }: Pick<RecordAnswer, 'author' | 'user'>): string {
  return user === null ? author : `${author} (${user.name ?? `user ${short(user.id)}`})`;
}

function recordPairs(record: RecordAnswer): (readonly [string, unknown])[] {
  return [
    ['record', record.id],
    ['author', authorOf(record)],
    ['time', record.time.iso],
    ['height', record.height],
    ['position', record.position],
    ...(record.handedOverFrom === null ? [] : [['handed over from', record.handedOverFrom.phase] as const]),
    ['type', record.content?.type ?? ''],
    ...(record.typeFault === null
      ? []
      : [['note', `does not follow its type: ${record.typeFault}`] as const]),
    ['text', record.content?.text ?? record.unreadable ?? ''],
    ...(record.content?.files ?? []).map(
      file => [`file ${file.name}`, `${file.cid} (${file.bytes} bytes)`] as const,
    ),
  ];
}

interface GetOptions {
  readonly phase: string;
  readonly verify?: boolean;
}

async function get(io: Io, key: string, options: GetOptions, command: Command): Promise<void> {
  const session = await openSession(io, command, null);
  const params = { phase: options.phase, record: recordKey(key) };
  const record = await session.call<RecordAnswer>('record_get', params);
  const pairs = recordPairs(record);
  if (options.verify !== true) {
    session.show(record, { pairs });
    return;
  }
  const verification = await session.call<Verification>('record_verify', params);
  const { checks, ok } = verification;
  session.show({ ...record, verification }, { pairs, head: CHECK_HEAD, rows: checkRows(checks) });
  if (!ok) throw new CommandFailure(EXIT.unhealthy, `record ${key} does not verify`);
}

interface ListOptions {
  readonly phase: string;
  readonly from?: string;
  readonly to?: string;
  readonly type?: string;
  readonly author?: string;
  readonly limit: number;
  readonly verify?: boolean;
}

interface ListAnswer {
  readonly records: readonly RecordAnswer[];
  readonly next: number | null;
  readonly size: number;
  readonly verification: (Verification & { readonly from: number; readonly to: number }) | null;
}

async function list(io: Io, options: ListOptions, command: Command): Promise<void> {
  const { phase, limit, type = null, author = null, verify = false } = options;
  const range = rangeOf(options.from, options.to);
  const session = await openSession(io, command, null);
  const params = { phase, limit, withData: true, ...range, type, author, verify };
  const answer = await session.call<ListAnswer>('record_list', params);
  session.show(answer, {
    head: ['POS', 'RECORD', 'AUTHOR', 'TIME', 'TYPE', 'TEXT', 'FILES'],
    rows: answer.records.map(record => [
      record.position,
      short(record.id),
      authorOf(record),
      record.time.iso,
      `${record.content?.type ?? ''}${record.typeFault === null ? '' : ' (does not follow its type)'}`,
      (record.content?.text ?? record.unreadable ?? '').slice(0, 60),
      record.content?.files.length ?? '',
    ]),
    ...(answer.next === null ? {} : { text: `more from position ${answer.next} on` }),
  });
  if (answer.verification === null) return;
  const { ok, checks, from, to } = answer.verification;
  const failed = checks.filter(check => !check.ok).map(check => check.name);
  if (!ok) throw new CommandFailure(EXIT.unhealthy, `the list does not verify: ${failed.join(', ')}`);
  session.tell(`verified: positions ${from} to below ${to}, nothing missing`);
  for (const { name, detail } of checks) session.tell(`  ${name}: ${detail}`);
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
    .option('--reference <id>', 'an earlier record that it refers to (repeat)', collect, [])
    .option(...AS_USER);
  addWaitOptions(putting).action((options: PutOptions, command: Command) => put(io, options, command));
  record
    .command('get')
    .description('read a record')
    .argument('<record>', 'id or position')
    .requiredOption('--phase <phase>', 'phase')
    .option('--verify', 'check it anew, and say what was checked')
    .action((key: string, options: GetOptions, command: Command) => get(io, key, options, command));
  record
    .command('list')
    .description('list the records of a phase')
    .requiredOption('--phase <phase>', 'phase')
    .option('--from <bound>', 'a position of the log, height:N, or a time such as 2026-01-31')
    .option('--to <bound>', 'the first that is not asked for')
    .option('--type <type>', 'records of this type only')
    .option('--author <member>', 'records of this member only')
    .option('--limit <n>', 'how many', wholeNumber(1, 500), 100)
    .option('--verify', 'prove that nothing of the range is missing, and say what was checked')
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
  addLineageCommand(record, io);
}
