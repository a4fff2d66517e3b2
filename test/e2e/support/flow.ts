import type { Devnet } from './devnet.ts';

export interface RecordLine {
  readonly id: string;
  readonly position: number;
  readonly author: string;
  readonly content: { readonly type: string; readonly text: string | null } | null;
}

/** A project with one open phase of alice and bob. */
export async function setUpPhase(devnet: Devnet, project: string, phase: string): Promise<string> {
  await devnet.ask('project', 'create', project);
  const members = ['--participant', 'alice:contributor', '--participant', 'bob:contributor'];
  const added = await devnet.ask<{ phase: string }>(
    ...['phase', 'add', phase, '--project', project, ...members, '--open'],
  );
  return added.phase;
}

/** Every record that a member's node lists for a phase, page by page. */
export async function listRecords(devnet: Devnet, member: string, phase: string): Promise<RecordLine[]> {
  const client = await devnet.client(member);
  const records: RecordLine[] = [];
  for (let from: number | null = 0; from !== null; ) {
    const page: { records: RecordLine[]; next: number | null } = await client.call('record_list', {
      phase,
      from,
      limit: 500,
      withData: true,
    });
    records.push(...page.records);
    from = page.next;
  }
  return records;
}
