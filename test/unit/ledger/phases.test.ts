import { describe, expect, it } from 'vitest';
import type { MemberId } from '../../../src/core/base/ids.ts';
import { readPhase, readProject } from '../../../src/core/ledger/read.ts';
import { DEFAULT_POLICY } from '../../../src/core/types/flow.ts';
import {
  CUSTODY,
  LIFECYCLE,
  type PhaseAddPhase,
  type PhaseAddProject,
} from '../../../src/core/types/operation.ts';
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
  STEWARD,
  WRITER,
} from './fixture.ts';

describe('projects', () => {
  it('belong to the member that creates them', () => {
    const { ledger, act } = consortium();
    expect(ledger.commit(act.createProject(alice, PROJECT), act.createProject(bob, PROJECT))).toEqual([
      'committed',
      'projectExists',
    ]);
    expect(readProject(ledger.state, PROJECT)).toMatchObject({ owner: 'alice', version: 0, archived: false });
    // bob does not belong to the project, so his refusal leaves nothing in its log
    expect(ledger.leavesOf('project', PROJECT)).toHaveLength(1);
  });

  it('are archived by the owner when every phase is closed, and take no phase after that', () => {
    const { ledger, act } = runningProject();
    expect(ledger.commit(act.archive(bob, PROJECT))).toEqual(['notOwner']);
    expect(ledger.commit(act.archive(alice, hashOf('none'), 0))).toEqual(['unknownProject']);
    expect(ledger.commit(act.archive(alice, PROJECT, 0))).toEqual(['staleVersion']);
    expect(ledger.commit(act.archive(alice, PROJECT))).toEqual(['wrongLifecycle']);
    ledger.commit(act.close(alice, INTAKE), act.close(alice, REVIEW));
    expect(ledger.commit(act.archive(alice, PROJECT))).toEqual(['committed']);
    expect(ledger.commit(act.archive(alice, PROJECT))).toEqual(['projectArchived']);
    const late = act.addPhase(alice, PROJECT, hashOf('late'), { bob: WRITER });
    expect(ledger.commit(late)).toEqual(['projectArchived']);
  });
});

describe('phaseAdd', () => {
  it('writes one leaf into the project and the first one into the phase', () => {
    const { ledger, act } = consortium();
    ledger.commit(act.createProject(alice, PROJECT));
    expect(ledger.commit(act.addPhase(alice, PROJECT, INTAKE, { bob: WRITER, carol: STEWARD }))).toEqual([
      'committed',
    ]);
    expect(ledger.leavesOf('project', PROJECT)).toHaveLength(2);
    expect(ledger.leavesOf('phase', INTAKE)).toHaveLength(1);
    expect(readPhase(ledger.state, INTAKE)).toMatchObject({
      owner: 'alice',
      lifecycle: LIFECYCLE.draft,
      version: 0,
      membershipVersion: 0,
      frozen: false,
      epochs: [{ number: 0, startPosition: 0, height: 2 }],
      participants: [
        { member: 'bob', roles: WRITER, startPosition: 0, fromEpoch: 0 },
        { member: 'carol', roles: STEWARD, startPosition: 0, fromEpoch: 0 },
      ],
    });
    expect(act.project(PROJECT)).toMatchObject({ version: 1, phases: [{ id: INTAKE }] });
  });

  const member = (name: string) => name as MemberId;
  const wrong: readonly [
    string,
    string,
    { inProject?: Partial<PhaseAddProject>; inPhase?: Partial<PhaseAddPhase> },
  ][] = [
    ['staleVersion', 'another version', { inProject: { expectedVersion: 0 } }],
    ['unknownPhase', 'a predecessor of nowhere', { inProject: { predecessors: [hashOf('nowhere')] } }],
    ['cycle', 'itself as predecessor', { inProject: { predecessors: [hashOf('new')] } }],
    ['malformed', 'a predecessor twice', { inProject: { predecessors: [INTAKE, INTAKE] } }],
    [
      'malformed',
      'a minimum above the target',
      { inPhase: { policy: { ...DEFAULT_POLICY, copiesTarget: 1, copiesMinimum: 2 } } },
    ],
    [
      'malformed',
      'participants out of order',
      {
        inPhase: {
          participants: [
            { member: member('carol'), roles: 1 },
            { member: member('bob'), roles: 1 },
          ],
        },
      },
    ],
    ['unknownMember', 'a stranger', { inPhase: { participants: [{ member: member('zoe'), roles: 1 }] } }],
    [
      'badEnvelopes',
      'an envelope too few',
      {
        inPhase: {
          participants: [
            { member: member('bob'), roles: 1 },
            { member: member('dave'), roles: 1 },
          ],
        },
      },
    ],
  ];

  it.each(wrong)('answers %s for %s', (outcome, _, changes) => {
    const { ledger, act } = runningProject();
    expect(ledger.commit(act.addPhase(alice, PROJECT, hashOf('new'), { bob: WRITER }, changes))).toEqual([
      outcome,
    ]);
    expect(readPhase(ledger.state, hashOf('new'))).toBeNull();
    expect(ledger.leavesOf('phase', hashOf('new'))).toHaveLength(0);
  });

  it('refuses strangers, taken phase ids and epochs that are not number 0', () => {
    const { ledger, act } = runningProject();
    expect(ledger.commit(act.addPhase(bob, PROJECT, hashOf('new'), {}))).toEqual(['notOwner']);
    expect(ledger.commit(act.addPhase(alice, hashOf('none'), hashOf('new'), {}))).toEqual(['unknownProject']);
    expect(ledger.commit(act.addPhase(alice, PROJECT, INTAKE, {}))).toEqual(['phaseExists']);
    const first = { inPhase: { epoch: act.opening(1, [alice.id, bob.id]) } };
    expect(ledger.commit(act.addPhase(alice, PROJECT, hashOf('new'), { bob: WRITER }, first))).toEqual([
      'staleEpoch',
    ]);
    ledger.commit(act.revoke(admin, bob.id));
    expect(ledger.commit(act.addPhase(alice, PROJECT, hashOf('new'), { bob: WRITER }))).toEqual([
      'memberRevoked',
    ]);
  });

  it('asks for an owner or a steward among the participants who have custody', () => {
    const { ledger, act } = runningProject();
    const custody = { inPhase: { custody: CUSTODY.participants } };
    expect(ledger.commit(act.addPhase(alice, PROJECT, hashOf('new'), { bob: WRITER }, custody))).toEqual([
      'lastSteward',
    ]);
    const taking = act.addPhase(alice, PROJECT, hashOf('new'), { alice: WRITER, bob: WRITER }, custody);
    expect(ledger.commit(taking)).toEqual(['committed']);
  });

  it('lets one of two concurrent changes of the graph win', () => {
    const { ledger, act } = runningProject();
    const [one, two] = ['one', 'two'].map(name =>
      act.addPhase(alice, PROJECT, hashOf(name), { bob: WRITER }),
    );
    expect(ledger.commit(one!, two!)).toEqual(['committed', 'staleVersion']);
  });
});

describe('phase lifecycle', () => {
  it('goes from draft to open to closed, each change naming the version before it', () => {
    const { ledger, act } = runningProject();
    expect(act.phase(INTAKE)).toMatchObject({ lifecycle: LIFECYCLE.open, version: 1 });
    expect(ledger.commit(act.open(alice, INTAKE))).toEqual(['wrongLifecycle']);
    expect(ledger.commit(act.close(bob, INTAKE))).toEqual(['roleMissing']);
    expect(ledger.commit(act.close(admin, INTAKE))).toEqual(['notParticipant']);
    expect(ledger.commit(act.close(carol, INTAKE, 0))).toEqual(['staleVersion']);
    expect(ledger.commit(act.close(carol, INTAKE))).toEqual(['committed']);
    expect(ledger.commit(act.close(alice, INTAKE))).toEqual(['wrongLifecycle']);
    expect(act.phase(INTAKE)).toMatchObject({ lifecycle: LIFECYCLE.closed, version: 2 });
  });

  it('skips a phase by closing its draft, and knows no phase of that name', () => {
    const { ledger, act } = runningProject();
    expect(ledger.commit(act.close(alice, REVIEW))).toEqual(['committed']);
    expect(ledger.commit(act.open(alice, hashOf('none'), 0))).toEqual(['unknownPhase']);
  });
});
