import type { EventRow } from './read-csv.ts';

/** How a log's cases and activities become projects, phases and records. */
export interface PlanOptions {
  readonly cases: 'records' | 'projects';
  readonly activities: 'phases' | 'types';
}

export interface PlannedMember {
  readonly id: string;
  readonly name: string;
}

export interface PlannedPhase {
  readonly label: string;
  /** Labels of phases of the same project. */
  readonly predecessors: readonly string[];
  /** Member ids. */
  readonly participants: readonly string[];
}

export interface PlannedProject {
  readonly label: string;
  readonly phases: readonly PlannedPhase[];
}

export interface PlannedRecord {
  /** `EventRow.line`: names the event when an import goes on. */
  readonly line: number;
  readonly project: string;
  readonly phase: string;
  readonly member: string;
  readonly type: string;
  readonly data: Readonly<Record<string, string>>;
}

export interface Plan {
  readonly members: readonly PlannedMember[];
  readonly projects: readonly PlannedProject[];
  readonly records: readonly PlannedRecord[];
}

const UNASSIGNED = 'unassigned';

/** A member id made of free text: lower case, digits and dashes; `taken` keeps two names from becoming one id. */
function memberIdOf(text: string, taken: ReadonlyMap<string, string>): string {
  const slug = text
    .toLowerCase()
    .normalize('NFKD')
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^[^a-z]+|-+$/g, '')
    .slice(0, 24);
  const base = slug === '' ? 'group' : slug;
  for (let suffix = 1; ; suffix += 1) {
    const id = suffix === 1 ? base : `${base}-${suffix}`;
    const owner = taken.get(id);
    if (owner === undefined || owner === text) return id;
  }
}

interface PhaseDraft {
  readonly predecessors: Set<string>;
  readonly participants: Set<string>;
}

/**
 * Phases follow the order in which activities first appear: each new one comes after the one before it, which is a chain
 * and so never a cycle, whatever order single cases took.
 */
function phaseDraft(project: Map<string, PhaseDraft>, label: string): PhaseDraft {
  const known = project.get(label);
  if (known !== undefined) return known;
  const last = [...project.keys()].at(-1);
  const draft = { predecessors: new Set(last === undefined ? [] : [last]), participants: new Set<string>() };
  project.set(label, draft);
  return draft;
}

/** @param logName label of the project that holds the log's cases as records, and prefix of a project per case */
export function planEventLog(rows: readonly EventRow[], logName: string, options: PlanOptions): Plan {
  const members = new Map<string, string>();
  const projects = new Map<string, Map<string, PhaseDraft>>();
  const records: PlannedRecord[] = [];
  for (const row of rows) {
    const group = row.group === '' ? UNASSIGNED : row.group;
    const member = memberIdOf(group, members);
    members.set(member, group);
    const project = options.cases === 'projects' ? `${logName} ${row.caseId}` : logName;
    const phase = options.activities === 'phases' ? row.activity : 'events';
    let phases = projects.get(project);
    if (phases === undefined) {
      phases = new Map();
      projects.set(project, phases);
    }
    phaseDraft(phases, phase).participants.add(member);
    records.push({ line: row.line, project, phase, member, type: row.activity, data: row.fields });
  }
  return {
    members: [...members].map(([id, name]) => ({ id, name })),
    projects: [...projects].map(([label, phases]) => ({
      label,
      phases: [...phases].map(([phaseLabel, draft]) => ({
        label: phaseLabel,
        predecessors: [...draft.predecessors],
        participants: [...draft.participants].sort(),
      })),
    })),
    records,
  };
}
