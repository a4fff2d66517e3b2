import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { planEventLog } from '../../../src/cli/import/plan.ts';
import { readEventLog } from '../../../src/cli/import/read-csv.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'phaseline-csv-'));
});
afterAll(() => rm(dir, { recursive: true }));

const HEADER = 'case:concept:name,concept:name,org:group,org:resource,time:timestamp';

async function csv(...lines: string[]) {
  const path = join(dir, `${Math.abs(lines.join().length)}-${lines.length}.csv`);
  await writeFile(path, `${lines.join('\n')}\n`);
  return path;
}

const SAMPLE = [
  HEADER,
  'c1,Receive,Group 1,r1,2011-10-11',
  'c1,Check,Group 2,r2,2011-10-12',
  'c2,Receive,"Group, 1",r1,2011-10-13',
  'c2,Decide,,r3,2011-10-14',
];

describe('reading an event log', () => {
  it('keeps every event with its line', async () => {
    const { rows } = await readEventLog(await csv(...SAMPLE));
    expect(rows.map(row => [row.line, row.caseId, row.activity, row.group])).toEqual([
      [2, 'c1', 'Receive', 'Group 1'],
      [3, 'c1', 'Check', 'Group 2'],
      [4, 'c2', 'Receive', 'Group, 1'],
      [5, 'c2', 'Decide', ''],
    ]);
  });

  it('names the line that is malformed', async () => {
    await expect(readEventLog(await csv(HEADER, 'c1,Receive,g,r,t', 'c2,only three,x'))).rejects.toThrow(
      /line 3/,
    );
    await expect(readEventLog(await csv(HEADER, ',Receive,g,r,t'))).rejects.toThrow(
      /line 2: case:concept:name is empty/,
    );
  });

  it('names a missing column, an empty log and a missing file', async () => {
    await expect(readEventLog(await csv('a,b', '1,2'))).rejects.toThrow(/column case:concept:name/);
    await expect(readEventLog(await csv(HEADER))).rejects.toThrow(/no event/);
    await expect(readEventLog(join(dir, 'absent.csv'))).rejects.toMatchObject({ code: 'no_file' });
  });
});

describe('planning an import', () => {
  it('makes cases records of one project and activities its phases', async () => {
    const { rows } = await readEventLog(await csv(...SAMPLE));
    const plan = planEventLog(rows, 'log', { cases: 'records', activities: 'phases' });
    expect(plan.projects).toEqual([
      {
        label: 'log',
        phases: [
          { label: 'Receive', predecessors: [], participants: ['group-1', 'group-1-2'] },
          { label: 'Check', predecessors: ['Receive'], participants: ['group-2'] },
          { label: 'Decide', predecessors: ['Check'], participants: ['unassigned'] },
        ],
      },
    ]);
    expect(plan.members).toContainEqual({ id: 'group-1-2', name: 'Group, 1' });
    expect(plan.records).toHaveLength(4);
  });

  it('makes each case a project when asked, and activities record types', async () => {
    const { rows } = await readEventLog(await csv(...SAMPLE));
    const plan = planEventLog(rows, 'log', { cases: 'projects', activities: 'types' });
    expect(plan.projects.map(project => [project.label, project.phases.length])).toEqual([
      ['log c1', 1],
      ['log c2', 1],
    ]);
    expect(plan.records.map(record => record.type)).toEqual(['Receive', 'Check', 'Receive', 'Decide']);
  });
});
