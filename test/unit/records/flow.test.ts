import { describe, expect, it } from 'vitest';
import type { MemberId, PhaseId } from '../../../src/core/base/ids.ts';
import type { PhasePolicy } from '../../../src/core/types/flow.ts';
import { LIFECYCLE, ROLES } from '../../../src/core/types/operation.ts';
import type { FlowResult } from '../../../src/services/records/flow.ts';
import type { Records } from '../../../src/services/records/service.ts';
import { granted, record, refused, STEWARD, World } from './support.ts';

const APPROVER = ROLES.reader | ROLES.approver;
const rule = { roles: ROLES.approver, k: 1 };

/** intake → end, intake with two records; bob approves what the policy of intake asks for. */
async function permits(approvals: Partial<PhasePolicy['approvals']> = {}) {
  const world = new World(['admin', 'alice', 'bob', 'carol']);
  const admin = world.records('admin');
  const project = await world.project(admin);
  const intake = await world.phase(admin, project, { alice: STEWARD, bob: APPROVER });
  const end = await world.phase(admin, project, { carol: STEWARD }, { label: 'end', predecessors: [intake] });
  const [alice, bob] = [world.records('alice'), world.records('bob')];
  const first = granted(await alice.putRecord(record(intake, 'first')));
  const second = granted(await alice.putRecord(record(intake, 'second')));
  if (Object.keys(approvals).length > 0) {
    const change = (before: PhasePolicy) => ({ ...before, approvals: { ...before.approvals, ...approvals } });
    granted(await admin.flow.setPolicy(intake, change));
  }
  /** New phases are known to what members of this world read. */
  const learn = (result: FlowResult) => {
    world.phases.push(...result.phases.filter(id => !world.phases.includes(id)));
    world.remember();
    return result;
  };
  const approveAll = async (phase: PhaseId) => {
    for (const request of granted(await bob.flow.requests(phase))) {
      const open = request.alive && !request.votes.some(({ member }) => member === 'bob');
      if (open) granted(await bob.flow.vote(phase, request.number, true));
    }
  };
  const predecessors = (id: PhaseId) =>
    admin.flow &&
    world
      .access('admin')
      .project(project)!
      .phases.find(phase => phase.id === id)!.predecessors;
  return { world, admin, alice, bob, project, intake, end, first, second, learn, approveAll, predecessors };
}

/** Does it again while it waits for approvals, which bob gives. */
async function untilDone(
  world: Awaited<ReturnType<typeof permits>>,
  phase: PhaseId,
  work: () => ReturnType<Records['flow']['split']>,
): Promise<{ result: FlowResult; waits: number }> {
  for (let waits = 0; waits < 10; waits += 1) {
    const done = await work();
    const result = 'reject' in done ? null : world.learn(done);
    const refusal = 'reject' in done ? done : done.refusal;
    if (refusal === null) return { result: result!, waits };
    expect(refusal.reject).toBe('approval_pending');
    await world.approveAll(phase);
  }
  throw new Error('approvals never suffice');
}

describe('splitting a phase', () => {
  it('gives each part its records, passes the old one by, and closes it', async () => {
    const world = await permits();
    const { admin, intake, end, first, learn, predecessors } = world;
    const parts = [
      { label: 'left', records: [first.id] },
      { label: 'right', records: null },
    ];
    const { phases, refusal } = learn(granted(await admin.flow.split(intake, parts)));
    expect([phases.length, refusal]).toEqual([2, null]);
    const [left, right] = phases as [PhaseId, PhaseId];
    const titles = async (id: PhaseId) =>
      granted(await admin.listRecords(id, 0, 10)).records.map(view => view.content!.title);
    expect([await titles(left), await titles(right)]).toEqual([['first'], ['first', 'second']]);
    expect(world.world.access('admin').phase(intake)!.lifecycle).toBe(LIFECYCLE.closed);
    expect([predecessors(left), predecessors(right), predecessors(end)]).toEqual([
      [intake],
      [intake],
      [left, right],
    ]);
    const members = world.world
      .access('admin')
      .phase(left)!
      .participants.map(({ member }) => member);
    expect(members).toEqual(['alice', 'bob']);
    const again = learn(granted(await admin.flow.split(intake, parts)));
    expect(again).toMatchObject({ phases: [left, right], steps: [], refusal: null });
  });

  it('waits for the approvals of handing over and of closing, and goes on where it stopped', async () => {
    const world = await permits({ handover: rule, close: rule });
    const { admin, intake, end, predecessors } = world;
    const parts = [{ label: 'left', records: null }];
    const { result, waits } = await untilDone(world, intake, () => admin.flow.split(intake, parts));
    expect(waits).toBe(2);
    const [left] = result.phases as [PhaseId];
    expect(granted(await admin.listRecords(left, 0, 10)).records).toHaveLength(2);
    expect(world.world.access('admin').phase(intake)!.lifecycle).toBe(LIFECYCLE.closed);
    expect(predecessors(end)).toEqual([left]);
  });
});

describe('merging phases', () => {
  it('under approvals hands over and closes each of them, and makes one phase of their records', async () => {
    const world = await permits({ handover: rule, close: rule });
    const { admin, alice, project, intake, end, predecessors } = world;
    const side = await world.world.phase(
      admin,
      project,
      { alice: STEWARD, bob: APPROVER },
      { label: 'side' },
    );
    granted(await alice.putRecord(record(side, 'third')));
    const merge = () => admin.flow.merge([intake, side], 'joint');
    const { result, waits } = await untilDone(world, intake, merge);
    expect(waits).toBe(2);
    const [joint] = result.phases as [PhaseId];
    const { records } = granted(await admin.listRecords(joint, 0, 10));
    expect(records.map(view => [view.content!.title, view.author])).toEqual([
      ['first', 'alice'],
      ['second', 'alice'],
      ['third', 'alice'],
    ]);
    for (const id of [intake, side]) {
      expect(world.world.access('admin').phase(id)!.lifecycle).toBe(LIFECYCLE.closed);
    }
    expect([...predecessors(joint)].sort()).toEqual([intake, side].sort());
    expect(predecessors(end)).toEqual([joint]);
    expect(refused(await admin.flow.merge([], 'nothing'))).toBe('nothing_to_merge');
    const other = await world.world.project(admin);
    const foreign = await world.world.phase(admin, other, { alice: STEWARD }, { label: 'foreign' });
    expect(refused(await admin.flow.merge([joint, foreign], 'both'))).toBe('unknown_phase');
  });
});

describe('the history of a flow', () => {
  it('says of each change who made it, and before and after', async () => {
    const { admin, alice, bob, intake, end, project, approveAll, world } = await permits({ close: rule });
    granted(
      await admin.addParticipant({
        phase: intake,
        member: 'carol' as MemberId,
        roles: 1,
        grant: 'all',
      } as never),
    );
    granted(await admin.changeRole(intake, 'carol' as MemberId, 3));
    granted(await admin.removeParticipant(intake, 'carol' as MemberId));
    expect(refused(await alice.closePhase(intake))).toBe('approval_pending');
    await approveAll(intake);
    granted(await alice.closePhase(intake));
    expect(refused(await bob.flow.reopen(intake))).toBe('roleMissing');
    granted(await admin.flow.reopen(intake));
    const entries = granted(await alice.flow.phaseHistory(intake));
    const lines = entries.flatMap(({ kind, member, refused: why, changes }) =>
      why === null
        ? changes.map(({ what, before, after }) => `${member} ${kind}: ${what} ${before} → ${after}`)
        : [`${member} ${kind}: ${why}`],
    );
    expect(lines).toEqual([
      'admin phaseAdd: state null → draft',
      'admin phaseAdd: participant alice null → reader, contributor, steward',
      'admin phaseAdd: participant bob null → reader, approver',
      'admin phaseAdd: key epoch null → 0',
      'admin phaseOpen: state draft → open',
      'admin phasePolicy: approvals to close nobody → 1 of approver',
      'admin participantAdd: participant carol null → reader',
      'admin participantRole: participant carol reader → reader, contributor',
      'admin participantRemove: participant carol reader, contributor → null',
      'admin participantRemove: key epoch 0 → 1',
      'alice approvalRequest: request null → close the phase',
      expect.stringMatching(/^bob approvalVote: request \d+ waiting → approved$/),
      'alice phaseClose: state open → closed',
      'bob phaseReopen: roleMissing',
      'admin phaseReopen: state closed → open',
    ]);
    granted(await admin.flow.move(end, []));
    const flow = granted(await admin.flow.projectHistory(project)).flatMap(({ kind, changes }) =>
      changes.map(({ what, before, after }) => `${kind}: ${what} ${before} → ${after}`),
    );
    expect(flow).toEqual([
      'projectCreate: project null → active',
      'phaseAdd: phase intake null → first',
      'phaseAdd: phase end null → after intake',
      'flowChange: before end intake → null',
    ]);
    expect(refused(await world.records('carol').flow.projectHistory(project))).toBe('unknown_project');
    // who was removed reads up to that, and nothing of what came then
    const left = granted(await world.records('carol').flow.phaseHistory(intake));
    expect(left.at(-1)).toMatchObject({ kind: 'participantRemove' });
    expect(refused(await world.records('nobody').flow.phaseHistory(intake))).toBe('unknown_phase');
  });
});

describe('record types of a phase', () => {
  const NOTE = {
    name: 'note',
    schema: { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] },
  };

  it('refuse a record that does not follow, and mark one that was there before, at every reader', async () => {
    const { admin, alice, bob, intake, first } = await permits();
    const marked = async (reader: Records) =>
      granted(await reader.listRecords(intake, 0, 10)).records.map(view => view.typeFault);
    expect(await marked(bob)).toEqual([null, null]);
    granted(await admin.flow.setTypes(intake, [NOTE]));
    expect(await marked(bob)).toEqual(['its data is not JSON', 'its data is not JSON']);
    const view = granted(await alice.getRecord(intake, first.id));
    expect(view).toMatchObject({
      typeFault: 'its data is not JSON',
      verified: true,
      content: { title: 'first' },
    });
    expect(refused(await alice.putRecord(record(intake, 'third')))).toBe('wrong_record_type');
    const data = new TextEncoder().encode('{"text":"fine"}');
    granted(await alice.putRecord(record(intake, 'fourth', { data })));
    expect(await marked(bob)).toEqual(['its data is not JSON', 'its data is not JSON', null]);
    granted(await admin.flow.setTypes(intake, []));
    expect(await marked(alice)).toEqual([null, null, null]);
  });
});
