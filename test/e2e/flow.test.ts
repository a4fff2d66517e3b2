import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { Devnet } from './support/devnet.ts';
import { listRecords } from './support/flow.ts';
import { temporaryDirectory } from './support/temporary.ts';
import { until } from './support/until.ts';

const WAITING = 6;
const REFUSED = 3;

const TEMPLATE = `
[[phases]]
label = "intake"
open = true
participants = { alice = ["contributor"], bob = ["contributor", "approver"] }
policy = { approvals = { close = { k = 1, roles = ["approver"] } } }
types = { note = { type = "object", properties = { text = { type = "string" } }, required = ["text"] } }

[[phases]]
label = "review"
after = ["intake"]
participants = { alice = ["contributor"], bob = ["contributor"] }

[[phases]]
label = "end"
after = ["review"]
participants = { alice = ["contributor"] }
`;

interface Shown {
  readonly phases: readonly {
    readonly id: string;
    readonly label: string;
    readonly lifecycle: string;
    readonly predecessors: readonly string[];
  }[];
}

const cwd = temporaryDirectory();

it('a flow from a template is changed while it runs: approvals, insert, move, skip, split, merge, reopen, archive', async () => {
  const devnet = await Devnet.start(join(cwd, 'net'), cwd);
  await writeFile(join(cwd, 'flow.toml'), TEMPLATE);
  await devnet.ask('project', 'create', 'House', '--template', 'flow.toml');
  const flow = async () => {
    const { phases } = await devnet.ask<Shown>('project', 'show', 'House');
    const labels = new Map(phases.map(({ id, label }) => [id, label]));
    return Object.fromEntries(
      phases.map(({ label, lifecycle, predecessors }) => [
        label,
        `${lifecycle} after ${predecessors
          .map(id => labels.get(id))
          .sort()
          .join(',')}`,
      ]),
    );
  };
  expect(await flow()).toEqual({
    intake: 'open after ',
    review: 'draft after intake',
    end: 'draft after review',
  });

  const put = (text: string) => [
    '--as',
    'alice',
    'record',
    'put',
    '--phase',
    'intake',
    '--type',
    'note',
    '--text',
    text,
  ];
  const { id } = await devnet.ask<{ id: string }>(...put('{"text":"one"}'));
  await devnet.ask(...put('{"text":"two"}'));
  const wrong = await devnet.run(...put('{"text":2}'));
  expect([wrong.code, wrong.stderr]).toEqual([REFUSED, expect.stringContaining('/text must be string')]);

  await devnet.ask('phase', 'add', 'check', '--project', 'House', '--after', 'intake', '--before', 'review');
  expect(await flow()).toMatchObject({ check: 'draft after intake', review: 'draft after check' });
  await devnet.ask('phase', 'skip', 'check');
  expect(await flow()).toMatchObject({ check: 'skipped after intake', review: 'draft after intake' });
  await devnet.ask('phase', 'move', 'end', '--after', 'intake');
  await devnet.ask('phase', 'move', 'end', '--after', 'review');

  const split = ['phase', 'split', 'intake', '--into', `left:${id}`, '--into', 'right'];
  const stopped = await devnet.run(...split);
  expect([stopped.code, stopped.stderr]).toEqual([WAITING, expect.stringContaining('0 of 1')]);
  const requests = await until('bob to see the request', async () => {
    const found = await devnet.ask<{ requests: { request: number }[] }>(
      '--as',
      'bob',
      'approval',
      'list',
      'intake',
    );
    return found.requests.length === 0 ? null : found.requests;
  });
  await devnet.ask('--as', 'bob', 'approval', 'approve', 'intake', String(requests[0]!.request));
  await until('the split to go on', async () => ((await devnet.run(...split)).code === 0 ? true : null));
  expect(await flow()).toMatchObject({
    intake: 'closed after ',
    left: 'open after intake',
    right: 'open after intake',
    review: 'draft after left,right',
  });
  const texts = async (phase: string) =>
    (await listRecords(devnet, 'alice', phase)).map(({ content }) => content?.text);
  await until('the records to arrive', async () => ((await texts('right')).length === 2 ? true : null));
  expect(await texts('left')).toEqual(['{"text":"one"}']);

  const way = await devnet.ask<{
    handovers: { to: { label: string }; request: { votes: { member: string }[] } | null }[];
    verification: { ok: boolean; checks: { name: string }[]; notSeen: string[] };
  }>('--as', 'alice', 'record', 'lineage', id, '--verify');
  expect(way.handovers.map(({ to }) => to.label).sort()).toEqual(['left', 'right']);
  expect(way.handovers.every(({ request }) => request === null)).toBe(true);
  expect(way.verification).toMatchObject({ ok: true, notSeen: [] });
  expect(way.verification.checks.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['the record in phase "intake"', 'the record in phase "left"']),
  );
  expect(way.verification.checks).toHaveLength(5);

  await devnet.ask('phase', 'open', 'review');
  const both = await devnet.run(
    '--output',
    'json',
    'phase',
    'handover',
    'right',
    '--to',
    'review',
    '--to',
    'end',
  );
  expect([both.code, both.stderr]).toEqual([REFUSED, expect.stringContaining('notSuccessor')]);
  const { targets } = JSON.parse(both.stdout) as { targets: { items: number; refusal: object | null }[] };
  expect(targets).toMatchObject([
    { items: 2, refusal: null },
    { items: 0, refusal: { reason: 'notSuccessor' } },
  ]);

  await devnet.ask('phase', 'policy', 'set', 'right', '--retention-days', '30');
  const kept = await devnet.run('--output', 'table', 'phase', 'show', 'right');
  expect(kept.stdout).toContain('kept as long as the phase is not closed');
  const due = await devnet.run('--as', 'alice', '--output', 'table', 'file', 'purge', '--expired');
  expect([due.code, due.stdout]).toEqual([0, expect.stringContaining('no file is due for purge')]);

  const weaker = await devnet.run('phase', 'policy', 'set', 'left', '--approve-close', '0');
  expect(weaker.code).toBe(WAITING);
  await devnet.ask('phase', 'merge', 'review', 'end', '--into', 'joined');
  await devnet.ask('phase', 'archive', 'review');
  await devnet.ask('phase', 'reopen', 'end');
  expect(await flow()).toMatchObject({
    review: 'archived after left,right',
    end: 'open after review',
    joined: 'open after end,review',
  });

  const exported = await devnet.run('--output', 'table', 'project', 'export-template', 'House');
  await writeFile(join(cwd, 'again.toml'), exported.stdout);
  await devnet.ask('project', 'create', 'Second house', '--template', 'again.toml');
  const second = await devnet.ask<Shown>('project', 'show', 'Second house');
  expect(second.phases.map(({ label, lifecycle }) => `${label} ${lifecycle}`).sort()).toEqual([
    'check draft',
    'end open',
    'intake draft',
    'joined open',
    'left open',
    'review draft',
    'right open',
  ]);
  const types = await devnet.ask<{ types: { name: string }[] }>(
    'phase',
    'types',
    'list',
    'Second house/intake',
  );
  expect(types.types.map(({ name }) => name)).toEqual(['note']);
  await devnet.stop();
}, 180_000);
