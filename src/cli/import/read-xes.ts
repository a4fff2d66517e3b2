import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { SaxesParser, type SaxesTagPlain } from 'saxes';
import { OperatingError } from '../../ports/lifecycle.ts';
import type { EventLogFile, EventRow } from './read-csv.ts';

/** Limits of one file; the text of one chunk is all that is held besides the events. */
const XES_LIMITS = { events: 5_000_000, depth: 32, attributesPerEvent: 256, valueChars: 64 * 1024 } as const;

/** Elements of IEEE 1849-2016 that hold a value; `list` and `container` hold others. */
const ATTRIBUTES = new Set(['string', 'date', 'int', 'float', 'boolean', 'id', 'list', 'container']);
const CASE = 'concept:name';
const ACTIVITY = 'concept:name';
const GROUP = 'org:group';

type Fields = Record<string, string>;

/** Collects the events of a log while its elements come and go. */
class XesReader {
  readonly rows: EventRow[] = [];
  /** Names of the open elements, and keys of the attributes among them. */
  private readonly open: string[] = [];
  private readonly keys: string[] = [];
  private trace: Fields | null = null;
  private event: Fields | null = null;

  constructor(private readonly fail: (detail: string) => never) {}

  start({ name, attributes }: SaxesTagPlain): void {
    if (this.open.length === XES_LIMITS.depth)
      this.fail(`elements are nested more than ${XES_LIMITS.depth} deep`);
    if (this.open.length === 0 && name !== 'log')
      this.fail(`<${name}> is no event log: it begins with <log>`);
    if (ATTRIBUTES.has(name)) this.attribute(attributes as Record<string, string>);
    else if (name === 'trace') this.trace = {};
    else if (name === 'event') this.startEvent();
    this.open.push(name);
  }

  end(name: string): void {
    this.open.pop();
    if (ATTRIBUTES.has(name)) this.keys.pop();
    else if (name === 'event') this.endEvent();
    else if (name === 'trace') this.trace = null;
  }

  private startEvent(): void {
    if (this.trace === null) this.fail('there is an <event> outside of every <trace>: its case is unknown');
    if (this.rows.length === XES_LIMITS.events) this.fail(`more than ${XES_LIMITS.events} events`);
    this.event = {};
  }

  /** Attributes of attributes have the keys of all of them: `cost:total/cost:currency`. */
  private attribute({ key, value }: Record<string, string>): void {
    if (key === undefined || key === '') this.fail('an attribute has no key');
    this.keys.push(key!);
    // What stands in <global> and <log> is a default or belongs to the log.
    const fields = this.open.includes('global') ? null : (this.event ?? this.trace);
    if (fields === null || value === undefined) return;
    if (value.length > XES_LIMITS.valueChars)
      this.fail(`the value of ${key} is longer than ${XES_LIMITS.valueChars}`);
    if (Object.keys(fields).length === XES_LIMITS.attributesPerEvent) {
      this.fail(`more than ${XES_LIMITS.attributesPerEvent} attributes`);
    }
    const name = this.keys.join('/');
    // Own property, whatever the key is called.
    Object.defineProperty(fields, name, { value, enumerable: true, configurable: true, writable: true });
  }

  private endEvent(): void {
    const { event, trace } = this;
    if (event === null || trace === null) return;
    const number = this.rows.length + 1;
    const caseId = trace[CASE] ?? '';
    const activity = event[ACTIVITY] ?? '';
    if (caseId === '') this.fail(`event ${number}: its trace has no ${CASE}`);
    if (activity === '') this.fail(`event ${number}: ${ACTIVITY} is missing`);
    const ofCase = Object.entries(trace).map(([name, value]) => [`case:${name}`, value] as const);
    const fields = Object.fromEntries([...Object.entries(event), ...ofCase]);
    this.rows.push({ line: number, caseId, activity, group: event[GROUP] ?? '', fields });
    this.event = null;
  }
}

function badXes(path: string, detail: string, cause?: unknown): OperatingError {
  const hint = 'The file must be an event log in XES (IEEE 1849); correct it and run the import again.';
  return new OperatingError('bad_xes', `${path}: ${detail}`, hint, cause);
}

/**
 * Reads an event log in XES as a stream. A document type is refused, so that there are no entities but the five of XML, and
 * nothing is fetched. Events are numbered from 1 in the order of the file.
 * @throws OperatingError `no_file`, or `bad_xes` that names the line
 */
export async function readXes(path: string): Promise<EventLogFile> {
  const hash = createHash('sha256');
  const parser = new SaxesParser({ xmlns: false, position: true });
  const fail = (detail: string): never => {
    throw badXes(path, `line ${parser.line}: ${detail}`);
  };
  const reader = new XesReader(fail);
  parser.on('error', error => fail(error.message.replace(/^\d+:\d+: /, '')));
  parser.on('doctype', () => fail('a document type is not allowed'));
  parser.on('xmldecl', ({ encoding }) => {
    if (encoding !== undefined && !/^utf-?8$/i.test(encoding)) fail(`the encoding is ${encoding}, not UTF-8`);
  });
  parser.on('opentag', tag => reader.start(tag as SaxesTagPlain));
  parser.on('closetag', tag => reader.end(tag.name));
  const decoder = new TextDecoder('utf-8', { fatal: true });
  try {
    for await (const chunk of createReadStream(path)) {
      hash.update(chunk as Buffer);
      parser.write(decoder.decode(chunk as Buffer, { stream: true }));
    }
    parser.write(decoder.decode()).close();
  } catch (cause) {
    if (cause instanceof OperatingError) throw cause;
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA')
      throw badXes(path, `line ${parser.line}: not UTF-8`, cause);
    throw new OperatingError(
      'no_file',
      `cannot read ${path}: ${code ?? message}`,
      'Give the path of an event log.',
      cause,
    );
  }
  if (reader.rows.length === 0) throw badXes(path, 'there is no event in it');
  return { rows: reader.rows, sha256: hash.digest('hex') };
}
