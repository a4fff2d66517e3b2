import { describe, expect, it } from 'vitest';
import type { PhaseId } from '../../../src/core/base/ids.ts';
import { LIFECYCLE } from '../../../src/core/types/operation.ts';
import { hashOf } from '../../support/ledger-kit.ts';
import {
  admin,
  alice,
  bob,
  carol,
  consortium,
  INTAKE,
  PROJECT,
  REVIEW,
  runningProject,
  WRITER,
} from './fixture.ts';

const [A, B, C, D] = ['a', 'b', 'c', 'd'].map(hashOf) as [PhaseId, PhaseId, PhaseId, PhaseId];

/** a → b → c, all drafts of alice. */
function chain() {
  const { ledger, act } = consortium();
  ledger.commit(act.createProject(alice, PROJECT));
  for (const [id, predecessors] of [
    [A, []],
    [B, [A]],
    [C, [B]],
  ] as [PhaseId, PhaseId[]][]) {
    ledger.commit(act.addPhase(alice, PROJECT, id, { bob: WRITER }, { inProject: { predecessors } }));
  }
  const predecessors = (id: PhaseId) =>
    act.project(PROJECT).phases.find(phase => phase.id === id)?.predecessors;
  return { ledger, act, predecessors };
}

describe('flowChange', () => {
  it('changes what comes before several phases at once, all or none', () => {
    const { ledger, act, predecessors } = chain();
    expect(ledger.commit(act.flowChange(alice, PROJECT, { [B]: [], [C]: [A] }))).toEqual(['committed']);
    expect([predecessors(B), predecessors(C)]).toEqual([[], [A]]);
    expect(ledger.commit(act.flowChange(alice, PROJECT, { [B]: [C], [A]: [hashOf('none')] }))).toEqual([
      'unknownPhase',
    ]);
    expect(predecessors(B)).toEqual([]);
  });

  const wrong: readonly [string, string, Record<PhaseId, PhaseId[]>, object?][] = [
    ['cycle', 'a phase before itself', { [A]: [A] }],
    ['cycle', 'a circle over others', { [A]: [C] }],
    ['unknownPhase', 'a predecessor of nowhere', { [A]: [D] }],
    ['unknownPhase', 'a phase of nowhere', { [D]: [A] }],
    ['malformed', 'a predecessor twice', { [C]: [A, A] }],
    ['malformed', 'nothing that changes', { [C]: [B] }],
    ['malformed', 'no change at all', {}],
    ['staleVersion', 'another version', { [C]: [A] }, { expectedVersion: 2 }],
    ['staleVersion', 'another before', {}, { changes: [{ phase: C, before: [A], after: [] }] }],
    [
      'malformed',
      'a phase twice',
      {},
      {
        changes: [
          { phase: C, before: [B], after: [] },
          { phase: C, before: [B], after: [A] },
        ],
      },
    ],
  ];

  it.each(wrong)('answers %s for %s', (outcome, _, after, changes) => {
    const { ledger, act, predecessors } = chain();
    expect(ledger.commit(act.flowChange(alice, PROJECT, after, changes))).toEqual([outcome]);
    expect([predecessors(A), predecessors(B), predecessors(C)]).toEqual([[], [A], [B]]);
  });

  it('is the owner’s, and lets one of two at a time win', () => {
    const { ledger, act } = chain();
    expect(ledger.commit(act.flowChange(bob, PROJECT, { [C]: [A] }))).toEqual(['notOwner']);
    const [one, two] = [
      act.flowChange(alice, PROJECT, { [C]: [A] }),
      act.flowChange(alice, PROJECT, { [C]: [] }),
    ];
    expect(ledger.commit(one!, two!)).toEqual(['committed', 'staleVersion']);
  });

  it('inserts a phase with the rewiring of its successors, both or neither', () => {
    const { ledger, act, predecessors } = chain();
    const insert = (rewirings: object[]) =>
      act.addPhase(alice, PROJECT, D, {}, { inProject: { predecessors: [A], rewirings } as object });
    expect(ledger.commit(insert([{ phase: A, before: [], after: [D] }]))).toEqual(['cycle']);
    expect(ledger.commit(insert([{ phase: B, before: [C], after: [D] }]))).toEqual(['staleVersion']);
    expect(predecessors(D)).toBeUndefined();
    expect(ledger.commit(insert([{ phase: B, before: [A], after: [D] }]))).toEqual(['committed']);
    expect([predecessors(D), predecessors(B)]).toEqual([[A], [D]]);
  });
});

describe('the end of a phase', () => {
  it('skips: successors come after its predecessors, both logs say so', () => {
    const { ledger, act, predecessors } = chain();
    const leaves = ledger.leavesOf('phase', B).length;
    expect(ledger.commit(act.skip(bob, B))).toEqual(['notOwner']);
    expect(ledger.commit(act.skip(alice, B, { changes: [] }))).toEqual(['malformed']);
    expect(ledger.commit(act.skip(alice, B, { expectedVersion: 0 }))).toEqual(['staleVersion']);
    expect(ledger.commit(act.skip(alice, B))).toEqual(['committed']);
    expect(predecessors(C)).toEqual([A]);
    expect(act.phase(B).lifecycle).toBe(LIFECYCLE.skipped);
    expect(ledger.leavesOf('phase', B).length).toBeGreaterThan(leaves);
    expect(ledger.commit(act.skip(alice, B))).toEqual(['wrongLifecycle']);
  });

  it('reopens what was closed or skipped, until the project is archived', () => {
    const { ledger, act } = runningProject();
    expect(ledger.commit(act.reopen(alice, INTAKE))).toEqual(['wrongLifecycle']);
    ledger.commit(act.close(alice, INTAKE), act.skip(alice, REVIEW));
    expect(ledger.commit(act.put(bob, INTAKE, 'late'))).toEqual(['wrongLifecycle']);
    expect(ledger.commit(act.reopen(carol, INTAKE), act.put(bob, INTAKE, 'again'))).toEqual([
      'committed',
      'committed',
    ]);
    expect(ledger.commit(act.reopen(alice, REVIEW))).toEqual(['committed']);
    ledger.commit(act.close(alice, INTAKE), act.close(alice, REVIEW));
    ledger.commit(act.archive(alice, PROJECT));
    expect(ledger.commit(act.reopen(alice, INTAKE))).toEqual(['projectArchived']);
  });

  it('reopens a frozen phase frozen: records wait for the next epoch', () => {
    const { ledger, act } = runningProject();
    ledger.commit(act.close(alice, INTAKE), act.revoke(admin, bob.id));
    ledger.commit(act.reopen(alice, INTAKE), act.put(carol, INTAKE, 'x'));
    expect(act.phase(INTAKE)).toMatchObject({ lifecycle: LIFECYCLE.open, frozen: true });
    ledger.commit(act.removeParticipant(alice, INTAKE, bob.id));
    expect(ledger.commit(act.put(carol, INTAKE, 'y'))).toEqual(['committed']);
  });

  it('archives for good: it stays readable, and nothing of it changes any more', () => {
    const { ledger, act } = runningProject();
    ledger.commit(act.put(bob, INTAKE, 'one'));
    expect(ledger.commit(act.archivePhase(alice, INTAKE))).toEqual(['wrongLifecycle']);
    ledger.commit(act.close(alice, INTAKE), act.open(alice, REVIEW));
    expect(ledger.commit(act.archivePhase(carol, INTAKE))).toEqual(['roleMissing']);
    expect(ledger.commit(act.archivePhase(alice, INTAKE))).toEqual(['committed']);
    expect(
      ledger.commit(
        act.reopen(alice, INTAKE),
        act.open(alice, INTAKE),
        act.put(bob, INTAKE, 'x'),
        act.handover(alice, INTAKE, REVIEW, [2]),
        act.policy(alice, INTAKE, { retentionDays: 1 }),
        act.phaseCard(carol, INTAKE),
      ),
    ).toEqual(Array.from({ length: 6 }, () => 'wrongLifecycle'));
    // who may read it, and what is purged from it, still changes
    expect(ledger.commit(act.removeParticipant(alice, INTAKE, bob.id))).toEqual(['committed']);
    ledger.commit(act.close(alice, REVIEW));
    expect(ledger.commit(act.archive(alice, PROJECT))).toEqual(['committed']);
  });

  it('hands over along an edge of that moment only', () => {
    const { ledger, act } = runningProject();
    ledger.commit(act.put(bob, INTAKE, 'one'), act.open(alice, REVIEW));
    ledger.commit(act.flowChange(alice, PROJECT, { [REVIEW]: [] }));
    expect(ledger.commit(act.handover(alice, INTAKE, REVIEW, [2]))).toEqual(['notSuccessor']);
    ledger.commit(act.flowChange(alice, PROJECT, { [REVIEW]: [INTAKE] }));
    expect(ledger.commit(act.handover(alice, INTAKE, REVIEW, [2]))).toEqual(['committed']);
  });
});
