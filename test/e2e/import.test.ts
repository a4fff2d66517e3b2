import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { Devnet } from './support/devnet.ts';
import { type Event, generateEventLog } from './support/event-log.ts';
import { listRecords } from './support/flow.ts';
import { Program } from './support/program.ts';
import { temporaryDirectory } from './support/temporary.ts';
import { until } from './support/until.ts';

const SEED = 20111011;

interface Report {
  readonly events: number;
  readonly written: number;
  readonly present: number;
  readonly inLedger: number;
  readonly phases: number;
}

interface Project {
  readonly id: string;
  readonly label: string;
  readonly phases: readonly { readonly id: string; readonly label: string }[];
}

const unique = (values: readonly string[]) => [...new Set(values)];

describe(`importing an event log (seed ${SEED})`, () => {
  const cwd = temporaryDirectory();
  let devnet: Devnet;

  beforeAll(async () => {
    devnet = await Devnet.start(join(cwd, 'net'), cwd);
  });

  function write(name: string, seed: number, cases: number, events: number): Event[] {
    const log = generateEventLog(seed, cases, events);
    writeFileSync(join(cwd, name), log.csv);
    return log.events;
  }

  const load = (name: string, ...words: string[]) =>
    devnet.ask<Report>('import', 'event-log', name, ...words);

  async function projectsOf(name: string): Promise<Project[]> {
    const { projects } = await devnet.ask<{ projects: Project[] }>('project', 'list');
    return projects.filter(project => project.label.startsWith(`${name} `));
  }

  /** Compares every record of the projects with the file: each line once, by the right member, with all its fields. */
  async function expectWhole(projects: readonly Project[], events: readonly Event[]): Promise<void> {
    const found: [number, object][] = [];
    for (const { phases } of projects) {
      for (const phase of phases) {
        for (const { author, content } of await listRecords(devnet, 'manager', phase.id)) {
          const data = JSON.parse(content!.text!) as Record<string, string> & { line: number };
          found.push([
            data.line,
            {
              phase: phase.label,
              author,
              type: content!.type,
              caseId: data['case:concept:name'],
              activity: data['concept:name'],
              group: data['org:group'],
              resource: data['org:resource'],
            },
          ]);
        }
      }
    }
    found.sort(([a], [b]) => a - b);
    const single = projects.some(project => project.phases.some(phase => phase.label === 'events'));
    expect(found.map(([line]) => line)).toEqual(events.map((_, index) => index + 2));
    expect(found.map(([, record]) => record)).toEqual(
      events.map(event => ({
        phase: single ? 'events' : event.activity,
        author: event.group === '' ? 'unassigned' : event.group.toLowerCase().replace(' ', '-'),
        type: event.activity,
        ...event,
      })),
    );
  }

  it('writes every event once, as records of one project with a phase for each activity', async () => {
    const events = write('small.csv', SEED, 12, 60);
    const report = await load('small.csv', '--cases', 'records');
    expect(report).toEqual({ events: 60, written: 60, present: 0, inLedger: 60, phases: 5 });
    const projects = await projectsOf('small.csv');
    expect(projects).toHaveLength(1);
    expect(projects[0]!.phases.map(phase => phase.label)).toEqual(
      unique(events.map(event => event.activity)),
    );
    await expectWhole(projects, events);
    const { members } = await devnet.ask<{ members: { id: string; name: string }[] }>('member', 'list');
    const names = new Map(members.map(member => [member.id, member.name]));
    expect(names.get('empty')).toBe('EMPTY');
    expect(names.get('unassigned')).toBe('unassigned');
  });

  it('writes nothing when the same file comes again', async () => {
    const report = await load('small.csv');
    expect(report).toEqual({ events: 60, written: 0, present: 60, inLedger: 60, phases: 5 });
  });

  it('goes on where it was interrupted, without a gap and without a double', async () => {
    const events = write('large.csv', SEED + 1, 40, 600);
    const words = ['--network', devnet.dir, 'import', 'event-log', 'large.csv'];
    const first = new Program(words, { cwd });
    const progress = () => /^records: ([1-9]\d*) of 600/m.exec(first.stderr);
    await until('the first records', () => progress() ?? (first.alive ? null : undefined), 60_000);
    const { code, stdout, stderr } = await first.stop('SIGINT');
    expect(code, stdout).toBe(1);
    expect(stdout).toBe('');
    expect(stderr).toMatch(
      /the import was interrupted; nothing is half written\nThe same command again goes on/,
    );

    const report = await load('large.csv');
    expect(report).toMatchObject({ events: 600, inLedger: 600, phases: 5 });
    expect(report.written + report.present).toBe(600);
    expect(report.written).toBeGreaterThan(0);
    expect(report.present).toBeGreaterThan(0);
    await expectWhole(await projectsOf('large.csv'), events);
  });

  it('makes a project of each case', async () => {
    const events = write('cases.csv', SEED + 2, 5, 25);
    const report = await load('cases.csv', '--cases', 'projects');
    expect(report).toMatchObject({ events: 25, written: 25, inLedger: 25 });
    const projects = await projectsOf('cases.csv');
    const cases = unique(events.map(event => event.caseId));
    expect(projects.map(project => project.label.split(' ').at(-1)).sort()).toEqual(cases.sort());
    expect(report.phases).toBe(unique(events.map(event => `${event.caseId} ${event.activity}`)).length);
    await expectWhole(projects, events);
  });

  it('makes the activities record types of one phase', async () => {
    const events = write('types.csv', SEED + 3, 6, 30);
    const report = await load('types.csv', '--activities', 'types');
    expect(report).toEqual({ events: 30, written: 30, present: 0, inLedger: 30, phases: 1 });
    await expectWhole(await projectsOf('types.csv'), events);
  });
});
