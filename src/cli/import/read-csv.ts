import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { parse } from 'csv-parse';
import { OperatingError } from '../../ports/lifecycle.ts';

export interface EventRow {
  /** Line of a CSV file, the header being line 1; of an XES file the number of the event, from 1. */
  readonly line: number;
  readonly caseId: string;
  readonly activity: string;
  readonly group: string;
  readonly fields: Readonly<Record<string, string>>;
}

export interface EventLogFile {
  readonly rows: readonly EventRow[];
  /** SHA-256 of the file: names the import, so that the same file is never imported twice. */
  readonly sha256: string;
}

const CASE = 'case:concept:name';
const ACTIVITY = 'concept:name';
const GROUP = 'org:group';
const REQUIRED = [CASE, ACTIVITY, GROUP];

/** Limits of one import. */
const IMPORT_LIMITS = { rows: 5_000_000, lineBytes: 64 * 1024, columns: 256 } as const;

function badCsv(path: string, detail: string, cause?: unknown): OperatingError {
  const hint = `The file needs the columns ${REQUIRED.join(', ')} and one event a line; correct it and run the import again.`;
  return new OperatingError('bad_csv', `${path}: ${detail}`, hint, cause);
}

function checkHeader(path: string, columns: readonly string[]): void {
  const missing = REQUIRED.filter(column => !columns.includes(column));
  if (missing.length > 0) throw badCsv(path, `column ${missing.join(', ')} is missing`);
  const twice = columns.find((column, index) => columns.indexOf(column) !== index);
  if (twice !== undefined) throw badCsv(path, `column ${twice} stands there twice`);
}

function toRow(path: string, line: number, fields: Record<string, string>): EventRow {
  const caseId = fields[CASE] ?? '';
  const activity = fields[ACTIVITY] ?? '';
  if (caseId === '') throw badCsv(path, `line ${line}: ${CASE} is empty`);
  if (activity === '') throw badCsv(path, `line ${line}: ${ACTIVITY} is empty`);
  return { line, caseId, activity, group: fields[GROUP] ?? '', fields };
}

/**
 * Reads an event log in the CSV form of process-mining tools. All of it is checked before anything is imported, so that
 * a malformed line leaves nothing half done.
 * @throws OperatingError `no_file` or `bad_csv` naming the line
 */
export async function readEventLog(path: string): Promise<EventLogFile> {
  const hash = createHash('sha256');
  const rows: EventRow[] = [];
  const source = createReadStream(path);
  source.on('data', chunk => hash.update(chunk));
  const parser = parse({
    bom: true,
    columns: (header: string[]) => {
      checkHeader(path, header);
      return header;
    },
    info: true,
    max_record_size: IMPORT_LIMITS.lineBytes,
    skip_empty_lines: true,
  });
  source.on('error', error => parser.destroy(error));
  source.pipe(parser);
  try {
    for await (const { record, info } of parser as AsyncIterable<{
      record: Record<string, string>;
      info: { lines: number };
    }>) {
      if (rows.length === IMPORT_LIMITS.rows) throw badCsv(path, `more than ${IMPORT_LIMITS.rows} events`);
      rows.push(toRow(path, info.lines, record));
    }
  } catch (cause) {
    source.destroy();
    if (cause instanceof OperatingError) throw cause;
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'EACCES' || code === 'EISDIR') {
      throw new OperatingError(
        'no_file',
        `cannot read ${path}: ${code}`,
        'Give the path of a CSV file.',
        cause,
      );
    }
    throw badCsv(path, message, cause);
  }
  if (rows.length === 0) throw badCsv(path, 'there is no event in it');
  return { rows, sha256: hash.digest('hex') };
}
