import type { Session } from '../session.ts';

const PAGE = 500;

/** A value of an event in an exported log. */
export type Value = string | number | boolean;

/** One thing that happened, as both formats write it. */
export interface AuditEvent {
  readonly id: string;
  readonly activity: string;
  readonly timeMs: number;
  /** The member that signed it. */
  readonly member: string;
  readonly phase: string | null;
  readonly project: string;
  readonly records: readonly string[];
  readonly files: readonly string[];
  readonly refused: string | null;
  /** Members that it is about: those added, removed, given roles. */
  readonly concerns: readonly string[];
  /** The case of an imported log, where it was asked for and the record has one. */
  readonly caseId: string | null;
  readonly attributes: Readonly<Record<string, Value>>;
}

export interface AuditLog {
  readonly name: string;
  readonly project: { readonly id: string; readonly label: string };
  readonly phases: readonly { readonly id: string; readonly label: string }[];
  /** In the order of time; those of one block in that of their logs. */
  readonly events: readonly AuditEvent[];
}

export interface AuditOptions {
  /** Field of the records' JSON data that names the case. */
  readonly caseField?: string | undefined;
  /** Field of the records' JSON data that says when it happened, instead of when it was written. */
  readonly timeField?: string | undefined;
}

interface TrailAnswer {
  readonly events: readonly {
    readonly position: number;
    readonly height: number;
    readonly time: { readonly ms: number };
    readonly transaction: string;
    readonly kind: string;
    readonly member: string;
    readonly keyId: number;
    readonly refused: string | null;
    readonly records: readonly string[];
    readonly details: Readonly<Record<string, Value>>;
  }[];
  readonly next: number | null;
}

interface RecordsAnswer {
  readonly records: readonly {
    readonly id: string;
    readonly content: {
      readonly type: string;
      readonly title: string;
      readonly text: string | null;
      readonly files: readonly { readonly cid: string }[];
    } | null;
  }[];
  readonly next: number | null;
}

type RecordContent = RecordsAnswer['records'][number]['content'];

/** `recordPut` → `record put`. */
function words(kind: string): string {
  return kind.replace(/[A-Z]/g, letter => ` ${letter.toLowerCase()}`);
}

async function trailOf(session: Session, method: string, params: object): Promise<TrailAnswer['events']> {
  const events: TrailAnswer['events'][number][] = [];
  for (let from: number | null = 0; from !== null; ) {
    const page: TrailAnswer = await session.call(method, { ...params, from, limit: PAGE });
    events.push(...page.events);
    from = page.next;
  }
  return events;
}

async function contentsOf(session: Session, phase: string): Promise<Map<string, RecordContent>> {
  const contents = new Map<string, RecordContent>();
  for (let from: number | null = 0; from !== null; ) {
    const page: RecordsAnswer = await session.call('record_list', {
      phase,
      from,
      limit: PAGE,
      withData: true,
    });
    for (const { id, content } of page.records) contents.set(id, content);
    from = page.next;
  }
  return contents;
}

function dataOf(content: RecordContent): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(content?.text ?? '');
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

const CONCERNED = ['member', 'participants'];

function eventOf(
  entry: TrailAnswer['events'][number],
  place: { readonly project: string; readonly phase: string | null },
  content: RecordContent,
  options: AuditOptions,
): AuditEvent {
  const data = content === null ? {} : dataOf(content);
  const said = options.timeField === undefined ? null : textOf(data[options.timeField]);
  const saidMs = said === null ? Number.NaN : Date.parse(said);
  const { details } = entry;
  const concerns = CONCERNED.flatMap(name => String(details[name] ?? '').split(' ')).filter(Boolean);
  const title = textOf(content?.title);
  return {
    ...{ id: entry.transaction, member: entry.member, refused: entry.refused, records: entry.records },
    ...place,
    activity: textOf(content?.type) ?? words(entry.kind),
    timeMs: Number.isNaN(saidMs) ? entry.time.ms : saidMs,
    files: (content?.files ?? []).map(({ cid }) => cid),
    concerns,
    caseId: options.caseField === undefined ? null : textOf(data[options.caseField]),
    attributes: {
      ...{ kind: entry.kind, key: entry.keyId, height: entry.height, position: entry.position },
      ...(title === null ? {} : { title }),
      ...details,
    },
  };
}

/** Reads every log of the flow that the node holds, from beginning to end. */
export async function readAudit(
  session: Session,
  flow: {
    readonly project: { readonly id: string; readonly label: string };
    /** True where the log of the project itself is the node's to read. */
    readonly own: boolean;
    readonly phases: readonly { readonly id: string; readonly label: string }[];
  },
  options: AuditOptions,
): Promise<AuditLog> {
  const { project, phases, own } = flow;
  const events: AuditEvent[] = [];
  const seen = new Set<string>();
  for (const phase of phases) {
    const contents = await contentsOf(session, phase.id);
    for (const entry of await trailOf(session, 'phase_trail', { phase: phase.id })) {
      const content = entry.kind === 'recordPut' ? (contents.get(entry.transaction) ?? null) : null;
      // A handover stands in both logs: once is enough, as an event of the phase that hands over.
      if (seen.has(entry.transaction)) continue;
      seen.add(entry.transaction);
      events.push(eventOf(entry, { project: project.id, phase: phase.id }, content, options));
    }
  }
  const flowTrail = own ? await trailOf(session, 'project_trail', { project: project.id }) : [];
  for (const entry of flowTrail) {
    if (!seen.has(entry.transaction))
      events.push(eventOf(entry, { project: project.id, phase: null }, null, options));
  }
  // Stable: what has one time stays in the order of its log.
  events.sort((a, b) => a.timeMs - b.timeMs);
  return { name: project.label, project, phases, events };
}
