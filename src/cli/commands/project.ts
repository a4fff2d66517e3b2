import type { Command } from 'commander';
import type { Io } from '../io.ts';
import { openSession, short } from '../session.ts';
import { addHistory } from './flow.ts';
import { createFromTemplate, exportTemplate } from './template.ts';

interface ProjectAnswer {
  readonly id: string;
  /** Null where this node can open no card of the project. */
  readonly label: string | null;
  readonly owner: string;
  readonly archived: boolean | null;
  readonly version: number | null;
  readonly phases: readonly {
    readonly id: string;
    readonly label: string | null;
    readonly predecessors: readonly string[] | null;
    readonly lifecycle: string | null;
  }[];
}

function addRename(project: Command, io: Io): void {
  project
    .command('rename')
    .description('give a project another name')
    .argument('<project>', 'label, id or start of the id')
    .argument('<label>', 'what people call it from now on')
    .action(async (name: string, label: string, _: object, command: Command) => {
      const session = await openSession(io, command, 'manager');
      const done = await session.call<{ height: number; unchanged: string[] }>('manager_projectRename', {
        project: name,
        label,
      });
      session.show(done, {
        text: `"${name}" is called "${label}" from height ${done.height}`,
        rows: done.unchanged.map(id => [
          `in phase ${short(id)} it keeps its old name: its keys are not held here`,
        ]),
      });
    });
}

/** How many phases must come before each, at least; in the order in which they run. */
function byLevel<T extends Pick<ProjectAnswer['phases'][number], 'id' | 'predecessors'>>(
  phases: readonly T[],
): { readonly phase: T; readonly level: number }[] {
  const levels = new Map<string, number>();
  const found: { phase: T; level: number }[] = [];
  let left = [...phases];
  for (let level = 0; left.length > 0 && level <= phases.length; level += 1) {
    const ready = left.filter(({ predecessors }) =>
      (predecessors ?? []).every(id => levels.has(id) || !phases.some(phase => phase.id === id)),
    );
    for (const phase of ready) found.push({ phase, level });
    for (const { id } of ready) levels.set(id, level);
    left = left.filter(({ id }) => !levels.has(id));
  }
  return found;
}

function addReading(project: Command, io: Io): void {
  project
    .command('list')
    .description('the projects that a node may read')
    .action(async (_: object, command: Command) => {
      const session = await openSession(io, command, 'manager');
      const answer = await session.call<{ projects: ProjectAnswer[] }>('project_list');
      session.show(answer, {
        head: ['PROJECT', 'LABEL', 'OWNER', 'PHASES', 'STATE'],
        rows: answer.projects.map(entry => [
          short(entry.id),
          entry.label ?? short(entry.id),
          entry.owner,
          entry.phases.length,
          entry.archived === null ? 'in part' : entry.archived ? 'archived' : 'active',
        ]),
      });
    });
  project
    .command('show')
    .description('one project with its phases')
    .argument('<project>', 'label, id or start of the id')
    .action(async (name: string, _: object, command: Command) => {
      const session = await openSession(io, command, 'manager');
      const found = await session.call<ProjectAnswer>('project_get', { project: name });
      const labels = new Map(found.phases.map(phase => [phase.id, phase.label]));
      session.show(found, {
        text: `${found.label ?? 'project'} (${found.id}), owned by ${found.owner}`,
        head: ['PHASE', 'LABEL', 'STATE', 'AFTER'],
        rows: byLevel(found.phases).map(({ phase, level }) => [
          short(phase.id),
          `${'  '.repeat(level)}${level === 0 ? '' : '└ '}${phase.label ?? short(phase.id)}`,
          phase.lifecycle ?? '',
          (phase.predecessors ?? []).map(id => labels.get(id) ?? short(id)).join(', '),
        ]),
      });
    });
  addRename(project, io);
}

export function addProjectCommands(program: Command, io: Io): void {
  const project = program.command('project').description('projects: an owner and a graph of phases');
  project
    .command('create')
    .description('create a project; its owner is the management server’s member')
    .argument('<label>', 'what people call it')
    .option(
      '--template <file>',
      'with the phases of this file (TOML or JSON), checked before anything is sent',
    )
    .action(async (label: string, { template }: { template?: string }, command: Command) => {
      if (template !== undefined) return createFromTemplate(io, label, template, command);
      const session = await openSession(io, command, 'manager');
      const done = await session.call<{ project: string; height: number }>('manager_projectCreate', {
        label,
      });
      session.show(done, {
        text: `created project "${label}" (${short(done.project)}) at height ${done.height}`,
      });
    });
  addReading(project, io);
  addHistory(project, io, 'project');
  project
    .command('export-template')
    .description('print the flow of a project as a template for others')
    .argument('<project>', 'label, id or start of the id')
    .action((name: string, _: object, command: Command) => exportTemplate(io, name, command));
  project
    .command('archive')
    .description('archive a project whose phases are all closed')
    .argument('<project>', 'label, id or start of the id')
    .action(async (name: string, _: object, command: Command) => {
      const session = await openSession(io, command, 'manager');
      const done = await session.call<{ height: number }>('manager_projectArchive', { project: name });
      session.show(done, { text: `archived "${name}" at height ${done.height}` });
    });
}
