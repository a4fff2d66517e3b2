import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import {
  type FlowTemplate,
  formatTemplate,
  parseTemplate,
  type TemplatePhase,
} from '../../config/flow-template.ts';
import { checkTypes } from '../../services/records/record-types.ts';
import { CommandFailure, EXIT } from '../failure.ts';
import type { Io } from '../io.ts';
import { openSession, type Session, short } from '../session.ts';
import type { PolicyAnswer } from './flow.ts';

interface ProjectAnswer {
  readonly id: string;
  readonly label: string | null;
  readonly phases: readonly {
    readonly id: string;
    readonly label: string | null;
    readonly predecessors: readonly string[] | null;
  }[];
}

interface PhaseAnswer {
  readonly lifecycle: string;
  readonly custody: 'manager' | 'participants';
  readonly policy: PolicyAnswer;
  readonly participants: readonly { readonly member: string; readonly roles: readonly string[] }[];
}

/** Whatever the ledger would refuse half way is found before anything is sent. */
async function checkMembers(session: Session, path: string, { phases }: FlowTemplate): Promise<void> {
  const { members } = await session.call<{ members: { id: string; revoked: boolean }[] }>(
    'manager_memberList',
  );
  const active = new Set(members.filter(({ revoked }) => !revoked).map(({ id }) => id));
  for (const [index, { participants }] of phases.entries()) {
    const stranger = Object.keys(participants).find(member => !active.has(member));
    if (stranger === undefined) continue;
    const detail = `${path}: phase "${phases[index]!.label}": participants.${stranger} is no active member`;
    throw new CommandFailure(EXIT.error, detail, 'phaseline member list shows the members.');
  }
}

function checkRecordTypes(path: string, { phases }: FlowTemplate): void {
  for (const { label, types } of phases) {
    const bad = checkTypes(Object.entries(types).map(([name, schema]) => ({ name, schema })));
    if (bad !== null)
      throw new CommandFailure(EXIT.error, `${path}: phase "${label}": ${bad.detail}`, bad.hint);
  }
}

async function projectOf(session: Session, label: string): Promise<ProjectAnswer> {
  const { projects } = await session.call<{ projects: ProjectAnswer[] }>('project_list');
  const known = projects.find(project => project.label === label);
  if (known !== undefined) return known;
  const { project } = await session.call<{ project: string }>('manager_projectCreate', { label });
  return { id: project, label, phases: [] };
}

async function addPhase(session: Session, project: string, phase: TemplatePhase): Promise<void> {
  const { phase: id } = await session.call<{ phase: string }>('manager_phaseAdd', {
    project,
    label: phase.label,
    predecessors: phase.after,
    participants: Object.entries(phase.participants).map(([member, roles]) => ({ member, roles })),
    custody: phase.custody,
    policy: phase.policy,
    recordTypes: Object.entries(phase.types).map(([name, schema]) => ({ name, schema })),
  });
  if (phase.open) await session.call('manager_phaseOpen', { phase: id });
}

/** The whole template is checked first. After an interruption the same command adds what is missing. */
export async function createFromTemplate(
  io: Io,
  label: string,
  file: string,
  command: Command,
): Promise<void> {
  const path = resolve(io.directory, file);
  const text = await readFile(path, 'utf8').catch(() => {
    throw new CommandFailure(EXIT.error, `cannot read ${path}`);
  });
  const template = parseTemplate(file, text);
  checkRecordTypes(file, template);
  const session = await openSession(io, command, 'manager');
  await checkMembers(session, file, template);
  const project = await projectOf(session, label);
  const there = new Set(project.phases.map(phase => phase.label));
  const missing = template.phases.filter(phase => !there.has(phase.label));
  for (const phase of missing) await addPhase(session, project.id, phase);
  const done = { project: project.id, added: missing.map(phase => phase.label) };
  session.show(done, {
    text: `project "${label}" (${short(project.id)}) has its ${template.phases.length} phases; ${missing.length} added now`,
  });
}

async function templatePhase(
  session: Session,
  { id, label, predecessors }: ProjectAnswer['phases'][number],
  labels: ReadonlyMap<string, string>,
): Promise<TemplatePhase> {
  const phase = await session.call<PhaseAnswer>('phase_get', { phase: id });
  const { types } = await session.call<{ types: { name: string; schema: unknown }[] }>('phase_typeList', {
    phase: id,
  });
  return {
    label: label ?? short(id),
    after: (predecessors ?? []).map(before => labels.get(before) ?? short(before)),
    participants: Object.fromEntries(phase.participants.map(({ member, roles }) => [member, [...roles]])),
    custody: phase.custody,
    open: phase.lifecycle === 'open',
    policy: phase.policy,
    types: Object.fromEntries(types.map(({ name, schema }) => [name, schema])),
  };
}

export async function exportTemplate(io: Io, name: string, command: Command): Promise<void> {
  const session = await openSession(io, command, 'manager');
  const project = await session.call<ProjectAnswer>('project_get', { project: name });
  const labels = new Map(project.phases.map(({ id, label }) => [id, label ?? short(id)]));
  const phases: TemplatePhase[] = [];
  for (const phase of project.phases) phases.push(await templatePhase(session, phase, labels));
  session.show({ phases }, { lines: formatTemplate({ phases }).trimEnd().split('\n') });
}
