import { describe, expect, it } from 'vitest';
import type { PhaseId, TransactionId } from '../../../src/core/base/ids.ts';
import { ROLES } from '../../../src/core/types/operation.ts';
import { hashOf } from '../../support/ledger-kit.ts';
import { granted, record, refused, STEWARD, World, WRITER } from './support.ts';

const READER = ROLES.reader;

/** intake → review → end, and intake → archive; bob approves what intake hands over. */
async function flow() {
  const world = new World(['admin', 'alice', 'bob', 'carol', 'dave']);
  const admin = world.records('admin');
  const project = await world.project(admin);
  const approver = READER | ROLES.approver;
  const intake = await world.phase(admin, project, { alice: STEWARD, bob: approver });
  const after = (label: string, ...predecessors: PhaseId[]) => ({ label, predecessors });
  const review = await world.phase(
    admin,
    project,
    { alice: WRITER, carol: STEWARD },
    after('review', intake),
  );
  const end = await world.phase(admin, project, { dave: WRITER }, after('end', review));
  const archive = await world.phase(admin, project, { bob: WRITER }, after('archive', intake));
  const [alice, bob, carol, dave] = ['alice', 'bob', 'carol', 'dave'].map(name => world.records(name));
  granted(
    await admin.flow.setPolicy(intake, before => ({
      ...before,
      approvals: { ...before.approvals, handover: { roles: ROLES.approver, k: 1 } },
    })),
  );
  const put = granted(await alice!.putRecord(record(intake, 'the plan')));
  return {
    world,
    admin,
    alice: alice!,
    bob: bob!,
    carol: carol!,
    dave: dave!,
    intake,
    review,
    end,
    archive,
    put,
  };
}

type Flow = Awaited<ReturnType<typeof flow>>;

/** The record goes to review with bob's approval, from there to end, and to archive. */
async function handedOn({ admin, bob, intake, review, end, archive, put }: Flow) {
  const hand = (source: PhaseId, target: PhaseId) =>
    admin.handover({ source, target, records: [put.id], targetEpoch: null });
  const heights: number[] = [];
  const ids: TransactionId[] = [];
  for (const [source, target] of [
    [intake, review],
    [review, end],
    [intake, archive],
  ] as const) {
    let done = await hand(source, target);
    if ('reject' in done && done.reject === 'approval_pending') {
      const [request] = granted(await bob.flow.requests(intake)).slice(-1);
      granted(await bob.flow.vote(intake, request!.number, true));
      done = await hand(source, target);
    }
    const [sent] = granted(done).transactions;
    heights.push(sent!.height);
    ids.push(sent!.id);
  }
  return { heights, ids };
}

describe('the lineage of a record', () => {
  it('has where it was written and every handover with its approvals, for one who reads all', async () => {
    const flowing = await flow();
    const { admin, intake, review, end, archive, put } = flowing;
    const { heights, ids } = await handedOn(flowing);
    const lineage = granted(await admin.lineage(put.id));
    expect(lineage).toMatchObject({
      ...{ id: put.id, author: 'alice', phase: intake, position: put.position },
      ...{ height: put.height, timeMs: put.timeMs },
    });
    expect([...lineage.readable].sort()).toEqual([intake, review, end, archive].sort());
    const approved = { requester: 'admin', votes: [{ member: 'bob', approve: true }] };
    expect(lineage.steps).toMatchObject([
      { from: intake, to: review, handover: ids[0], by: 'admin', height: heights[0], request: approved },
      { from: review, to: end, handover: ids[1], by: 'admin', height: heights[1], request: null },
      { from: intake, to: archive, handover: ids[2], by: 'admin', height: heights[2], request: approved },
    ]);
    for (const step of lineage.steps) {
      expect(step.sourcePosition).toBeGreaterThan(0);
      expect(step.position).toBeGreaterThan(0);
    }
  });

  it('shows one who has only the last phase the whole way back, and says what is not for it to see', async () => {
    const flowing = await flow();
    const { dave, intake, review, end, put } = flowing;
    const { ids } = await handedOn(flowing);
    const lineage = granted(await dave.lineage(put.id));
    expect(lineage).toMatchObject({ author: 'alice', phase: intake, readable: [end] });
    expect(lineage.steps).toMatchObject([
      { from: intake, to: review, handover: ids[0], sourcePosition: null, request: null },
      { from: review, to: end, handover: ids[1], sourcePosition: null, request: null },
    ]);
    // where it stood in review is known by the item that came from there
    expect(lineage.steps.every(({ position }) => position !== null)).toBe(true);
  });

  it('shows one who has only the first phase where it went from there', async () => {
    const flowing = await flow();
    const { bob, alice, carol, intake, review, end, archive, put } = flowing;
    await handedOn(flowing);
    const seen = granted(await bob.lineage(put.id));
    expect([...seen.readable].sort()).toEqual([intake, archive].sort());
    expect(seen.steps.map(({ from, to }) => [from, to])).toEqual([
      [intake, review],
      [intake, archive],
    ]);
    expect(seen.steps[0]).toMatchObject({ position: null, request: { votes: [{ member: 'bob' }] } });
    const middle = granted(await carol.lineage(put.id));
    expect(middle.steps.map(({ from, to }) => [from, to])).toEqual([
      [intake, review],
      [review, end],
    ]);
    expect(granted(await alice.lineage(put.id)).steps).toHaveLength(3);
    expect(refused(await carol.lineage(hashOf('none') as TransactionId))).toBe('unknown_record');
  });

  it('of a record that went nowhere has no steps, and none of a handover that was refused', async () => {
    const { admin, alice, intake, review, put } = await flow();
    expect(
      refused(await admin.handover({ source: intake, target: review, records: null, targetEpoch: null })),
    ).toBe('approval_pending');
    const lineage = granted(await alice.lineage(put.id));
    expect(lineage).toMatchObject({ author: 'alice', phase: intake, steps: [], readable: [intake] });
  });
});
