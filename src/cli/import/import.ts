import { CommandFailure, EXIT } from '../failure.ts';
import type { Io } from '../io.ts';
import type { Session } from '../session.ts';
import type { Plan, PlannedProject, PlannedRecord } from './plan.ts';
import { Progress } from './progress.ts';

/** Records of one call; the manager signs what waits together. */
const RECORDS_PER_CALL = 256;
/** Calls under way at the same time. */
const CALLS_MAX = 4;
/** Projects set up at the same time. */
const PROJECTS_MAX = 8;

export interface ImportReport {
  readonly events: number;
  readonly written: number;
  readonly present: number;
  /** Counted anew from the ledger after the import. */
  readonly inLedger: number;
  readonly phases: number;
}

interface ProjectAnswer {
  readonly id: string;
  readonly label: string;
  readonly phases: readonly {
    readonly id: string;
    readonly label: string;
    readonly lifecycle: string | null;
  }[];
}

/** Phase ids of the plan's phases, by project and phase label. */
type PhaseIds = Map<string, string>;
const keyOf = (project: string, phase: string) => JSON.stringify([project, phase]);

async function hostMembers(session: Session, plan: Plan): Promise<void> {
  for (const { id, name } of plan.members) await session.call('manager_memberHost', { member: id, name });
}

/** Creates what is missing of one project: the project, its phases in order, and opens them. */
async function ensureProject(
  session: Session,
  planned: PlannedProject,
  known: ProjectAnswer | null,
  ids: PhaseIds,
) {
  const project =
    known?.id ??
    (await session.call<{ project: string }>('manager_projectCreate', { label: planned.label })).project;
  const there = new Map(known?.phases.map(phase => [phase.label, phase]));
  for (const phase of planned.phases) {
    let entry = there.get(phase.label);
    if (entry === undefined) {
      const predecessors = phase.predecessors.map(label => ids.get(keyOf(planned.label, label))!);
      const participants = phase.participants.map(member => ({ member, roles: ['contributor'] }));
      const params = { project, label: phase.label, predecessors, participants };
      entry = {
        id: (await session.call<{ phase: string }>('manager_phaseAdd', params)).phase,
        label: phase.label,
        lifecycle: 'draft',
      };
    }
    ids.set(keyOf(planned.label, phase.label), entry.id);
    if (entry.lifecycle === 'draft') await session.call('manager_phaseOpen', { phase: entry.id });
  }
}

/**
 * Runs `work` over all items, a bounded number at a time; the first failure ends it. Once `signal` fires what is under way
 * is finished and nothing is begun: a record that the manager still writes after this process has gone would be missing
 * for the import that goes on, which would write it again.
 */
async function eachOf<T>(
  items: readonly T[],
  atOnce: number,
  signal: AbortSignal,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const queue = items.values();
  const lane = async () => {
    for (const item of queue) {
      if (signal.aborted) return;
      await work(item);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
  if (signal.aborted) {
    throw new CommandFailure(
      EXIT.error,
      'the import was interrupted; nothing is half written',
      'The same command again goes on where it was.',
    );
  }
}

interface RecordsPage {
  readonly records: readonly { readonly content: { readonly text: string | null } | null }[];
  readonly next: number | null;
}

/** Lines of the file that a phase has already: each record says its own. */
async function linesOf(session: Session, phase: string, sha256: string): Promise<Set<number>> {
  const lines = new Set<number>();
  for (let from: number | null = 0; from !== null; ) {
    const page: RecordsPage = await session.call('record_list', { phase, from, limit: 500, withData: true });
    for (const { content } of page.records) {
      if (content?.text == null) continue;
      const data = JSON.parse(content.text) as { import?: string; line?: number };
      if (data.import === sha256 && typeof data.line === 'number') lines.add(data.line);
    }
    from = page.next;
  }
  return lines;
}

async function allLines(
  session: Session,
  ids: PhaseIds,
  sha256: string,
  signal: AbortSignal,
): Promise<Set<number>> {
  const all = new Set<number>();
  await eachOf([...ids.values()], CALLS_MAX, signal, async phase => {
    for (const line of await linesOf(session, phase, sha256)) all.add(line);
  });
  return all;
}

/** Calls of records that share author and phase, in the order of the file. */
function callsOf(records: readonly PlannedRecord[]): PlannedRecord[][] {
  const open = new Map<string, PlannedRecord[]>();
  const calls: PlannedRecord[][] = [];
  for (const record of records) {
    const key = JSON.stringify([record.project, record.phase, record.member]);
    let call = open.get(key);
    if (call === undefined || call.length === RECORDS_PER_CALL) {
      call = [];
      open.set(key, call);
      calls.push(call);
    }
    call.push(record);
  }
  return calls;
}

/**
 * Sets up what the plan needs and is not there, then writes the records that are missing. What is there already is read
 * from the ledger itself, so an import that was interrupted anywhere goes on, and none is written twice.
 */
export async function importEventLog(
  session: Session,
  io: Io,
  plan: Plan,
  sha256: string,
  signal: AbortSignal,
): Promise<ImportReport> {
  await hostMembers(session, plan);
  const { projects } = await session.call<{ projects: ProjectAnswer[] }>('manager_projectList');
  const known = new Map(projects.map(project => [project.label, project]));
  const ids: PhaseIds = new Map();
  const setUp = new Progress(io, 'projects', plan.projects.length);
  await eachOf(plan.projects, PROJECTS_MAX, signal, async planned => {
    await ensureProject(session, planned, known.get(planned.label) ?? null, ids);
    setUp.add(1);
  });
  setUp.end();
  const present = await allLines(session, ids, sha256, signal);
  const missing = plan.records.filter(record => !present.has(record.line));
  const writing = new Progress(io, 'records', plan.records.length);
  writing.add(plan.records.length - missing.length);
  await eachOf(callsOf(missing), CALLS_MAX, signal, async call => {
    const { project, phase, member } = call[0]!;
    const records = call.map(({ line, type, data }) => ({
      type,
      text: JSON.stringify({ import: sha256, line, ...data }),
    }));
    await session.call('manager_recordsPut', { as: member, phase: ids.get(keyOf(project, phase))!, records });
    writing.add(call.length);
  });
  writing.end();
  const inLedger = (await allLines(session, ids, sha256, signal)).size;
  if (inLedger !== plan.records.length) {
    const detail = `the file has ${plan.records.length} events, the ledger ${inLedger}`;
    throw new CommandFailure(
      EXIT.unhealthy,
      `the import is incomplete: ${detail}`,
      'Run the same command again.',
    );
  }
  const written = missing.length;
  return {
    events: plan.records.length,
    written,
    present: plan.records.length - written,
    inLedger,
    phases: ids.size,
  };
}
