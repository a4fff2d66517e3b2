import { describe, expect, it } from 'vitest';
import type { Hash, MemberId, PhaseId } from '../../../src/core/base/ids.ts';
import { ROLES } from '../../../src/core/types/operation.ts';
import { generateSecret, keyCommitment } from '../../../src/crypto/phase-keys.ts';
import type { RecordFile } from '../../../src/services/records/payload.ts';
import { hashOf } from '../../support/ledger-kit.ts';
import { granted, record, refused, STEWARD, World, WRITER } from './support.ts';

const CID = 'bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi';

function file(): RecordFile {
  const key = generateSecret();
  return {
    ...{ cid: CID, key, keyCommitment: keyCommitment(key), ciphertextBytes: 1016, name: 'plan.pdf' },
    ...{ mediaType: 'application/pdf', plaintextBytes: 1000, plaintextHash: hashOf('plan') },
  };
}

/** Intake, which two phases follow; alice is steward, bob approves, carol and dave are behind. */
async function fork() {
  const world = new World(['admin', 'alice', 'bob', 'carol', 'dave']);
  const admin = world.records('admin');
  const project = await world.project(admin);
  const intake = await world.phase(admin, project, {
    alice: STEWARD,
    bob: ROLES.reader | ROLES.approver,
  });
  const options = (label: string) => ({ predecessors: [intake], label });
  const review = await world.phase(admin, project, { carol: WRITER }, options('review'));
  const archive = await world.phase(admin, project, { dave: WRITER }, options('archive'));
  const members = ['alice', 'bob', 'carol', 'dave'].map(name => world.records(name));
  const [alice, bob, carol, dave] = members as [typeof admin, typeof admin, typeof admin, typeof admin];
  return { world, admin, alice, bob, carol, dave, project, intake, review, archive };
}

const to = (...phases: PhaseId[]) => phases.map(phase => ({ phase, epoch: null }));

describe('handing over to several phases', () => {
  it('gives each of them the same records, and each sees its own part only', async () => {
    const { admin, alice, carol, dave, intake, review, archive } = await fork();
    for (const text of ['one', 'two']) granted(await alice.putRecord(record(intake, text)));
    const input = { source: intake, targets: to(review, archive), records: null, files: null };
    const done = granted(await admin.handOverToAll(input));
    expect(done).toMatchObject([
      { target: review, receipt: { items: 2 }, refusal: null },
      { target: archive, receipt: { items: 2 }, refusal: null },
    ]);
    for (const [reader, own, other] of [
      [carol, review, archive],
      [dave, archive, review],
    ] as const) {
      const page = granted(await reader.listRecords(own, 0, 10));
      expect(page.records.map(({ content, verified }) => [content?.title, verified])).toEqual([
        ['one', true],
        ['two', true],
      ]);
      expect(refused(await reader.listRecords(other, 0, 10))).toBe('unknown_phase');
    }
  });

  it('chooses records by id and by file, and refuses a file that none names', async () => {
    const { admin, alice, carol, intake, review } = await fork();
    granted(await alice.putRecord(record(intake, 'left out')));
    granted(await alice.putRecord(record(intake, 'with the file', { files: [file()] })));
    const named = granted(await alice.putRecord(record(intake, 'named')));
    const some = { source: intake, targets: to(review), records: [named.id], files: [CID] };
    expect(granted(await admin.handOverToAll(some))).toMatchObject([{ receipt: { items: 2 } }]);
    const titles = granted(await carol.listRecords(review, 0, 10)).records.map(view => view.content?.title);
    expect(titles).toEqual(['with the file', 'named']);
    expect(refused(await admin.handOverToAll({ ...some, files: ['bafynone'] }))).toBe('unknown_file');
  });

  it('says of each what became of it: one refused does not undo the other, and again goes on', async () => {
    const { admin, alice, carol, intake, review, archive } = await fork();
    granted(await alice.putRecord(record(intake, 'one')));
    granted(await admin.closePhase(review));
    const input = { source: intake, targets: to(review, archive), records: null, files: null };
    const done = granted(await admin.handOverToAll(input));
    expect(done.map(({ receipt, refusal }) => [receipt?.items ?? 0, refusal?.reject ?? null])).toEqual([
      [0, 'wrongLifecycle'],
      [1, null],
    ]);
    expect(done[0]!.refusal!.detail).toMatch(/phase "review" .* is closed since height \d+/);
    expect(done[0]!.refusal!.hint).toBe(`phaseline phase reopen ${review.slice(0, 12)}`);
    granted(await admin.flow.reopen(review));
    const again = granted(await admin.handOverToAll(input));
    expect(again.map(({ receipt, refusal }) => [receipt?.items ?? 0, refusal?.reject ?? null])).toEqual([
      [1, null],
      [0, 'nothing_to_hand_over'],
    ]);
    expect(granted(await carol.listRecords(review, 0, 10)).records).toHaveLength(1);
    expect(refused(await admin.handOverToAll(input))).toBe('nothing_to_hand_over');
    const none = { ...input, records: [hashOf('none') as Hash] };
    expect(refused(await admin.handOverToAll(none))).toBe('unknown_record');
  });

  it('asks the approvers of the source for each target, and each is done when its approvals are there', async () => {
    const { admin, alice, bob, intake, review, archive } = await fork();
    granted(await alice.putRecord(record(intake, 'one')));
    const handoverRule = { roles: ROLES.approver, k: 1 };
    granted(
      await admin.flow.setPolicy(intake, before => ({
        ...before,
        approvals: { ...before.approvals, handover: handoverRule },
      })),
    );
    const input = { source: intake, targets: to(review, archive), records: null, files: null };
    expect(refused(await alice.handOverToAll({ ...input, targets: to(review) }))).toBe('unknown_phase');
    expect(refused(await admin.handOverToAll(input))).toBe('approval_pending');
    const requests = granted(await bob.flow.requests(intake));
    expect(requests.map(({ deed }) => deed)).toEqual([
      { kind: 'phaseHandover', target: review, records: [] },
      { kind: 'phaseHandover', target: archive, records: [] },
    ]);
    granted(await bob.flow.vote(intake, requests[1]!.number, true));
    const half = granted(await admin.handOverToAll(input));
    expect(half.map(({ receipt, refusal }) => [receipt?.items ?? 0, refusal?.reject ?? null])).toEqual([
      [0, 'approval_pending'],
      [1, null],
    ]);
    granted(await bob.flow.vote(intake, requests[0]!.number, true));
    expect(granted(await admin.handOverToAll(input))).toMatchObject([{ receipt: { items: 1 } }, {}]);
  });
});

describe('a refusal for the state of a phase', () => {
  it('names the state, since when, and the command that comes next', async () => {
    const { admin, alice, project, intake, world } = await fork();
    const later = granted(
      await admin.addPhase({
        ...{ project, label: 'later', predecessors: [], custody: 0, policy: {} },
        participants: [{ member: 'alice' as MemberId, roles: WRITER }],
      }),
    ).phase;
    world.phases.push(later);
    const says = async (work: Promise<unknown>, detail: RegExp, hint: string | RegExp) => {
      const refusal = (await work) as { reject: string; detail: string; hint: string };
      expect(refusal.reject).toBe('wrongLifecycle');
      expect(refusal.detail).toMatch(detail);
      expect(refusal.hint).toMatch(hint);
    };
    const [short, draft] = [intake.slice(0, 12), later.slice(0, 12)];
    await says(
      alice.putRecord(record(later, 'early')),
      /"later" .* is a draft since height \d+/,
      `phase open ${draft}`,
    );
    await says(admin.openPhase(intake), /is open since/, 'nothing to do');
    await says(admin.flow.reopen(intake), /is open since/, 'nothing to do');
    await says(admin.flow.archive(intake), /is open since/, `phase close ${short}`);
    await says(admin.archiveProject(project), /is open since/, 'phaseline phase close');
    const { height } = granted(await admin.closePhase(intake));
    await says(
      alice.putRecord(record(intake, 'late')),
      new RegExp(`closed since height ${height}$`),
      `phase reopen ${short}`,
    );
    await says(admin.closePhase(intake), /is closed since/, 'nothing to do');
    granted(await admin.flow.archive(intake));
    await says(admin.flow.reopen(intake), /is archived since/, 'does not change any more');
    await says(
      admin.flow.setPolicy(intake, before => ({ ...before, copiesTarget: 3 })),
      /is archived/,
      'phase add',
    );
  });
});
