import { resolve } from 'node:path';
import type { Command } from 'commander';
import { CommandFailure, EXIT } from '../failure.ts';
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

interface PutOptions {
  readonly phase: string;
  readonly type: string;
  readonly text?: string;
  readonly file: readonly string[];
  readonly reference: readonly string[];
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
    head: ['CHECK', 'RESULT', 'DETAIL'],
    rows: answer.checks.map(check => [check.name, check.ok ? 'ok' : 'FAILED', check.detail]),
  });
  if (!answer.ok) throw new CommandFailure(EXIT.unhealthy, `${what} does not verify`);
}

export function showPut(session: Session, answer: PutAnswer): void {
  session.show(answer, {
    pairs: [
      ['record', answer.id],
      ['height', answer.height],
      ['position', answer.position],
      ...answer.files.map(file => [`file ${file.name}`, `${file.cid} (${file.bytes} bytes)`] as const),
    ],
  });
}

async function put(io: Io, options: PutOptions, command: Command): Promise<void> {
  if (options.text === undefined && options.file.length === 0) {
    throw new CommandFailure(EXIT.usage, 'a record needs --text or --file');
  }
  const session = await openSession(io, command, null);
  const answer = await session.call<PutAnswer>('record_put', {
    phase: options.phase,
    type: options.type,
    text: options.text ?? null,
    files: options.file.map(path => ({ path: resolve(io.directory, path) })),
    references: options.reference,
  });
  showPut(session, answer);
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
  record
    .command('put')
    .description('write a record; answers when it is committed')
    .requiredOption('--phase <phase>', 'phase: label, id or start of the id')
    .option('--type <type>', 'what kind of record it is', 'note')
    .option('--text <text>', 'the content')
    .option('--file <path>', 'a file that goes with it (repeat)', collect, [])
    .option('--reference <id>', 'an earlier record that it refers to (repeat)', collect, [])
    .action((options: PutOptions, command: Command) => put(io, options, command));
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
