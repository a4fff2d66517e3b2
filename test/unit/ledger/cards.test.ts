import { describe, expect, it } from 'vitest';
import type { PhaseId } from '../../../src/core/base/ids.ts';
import { CUSTODY } from '../../../src/core/types/operation.ts';
import { hashOf } from '../../support/ledger-kit.ts';
import { alice, bob, carol, INTAKE, PROJECT, runningProject } from './fixture.ts';

describe('the card of a project', () => {
  it('is changed by its owner, for itself or one of its phases, against the version', () => {
    const { ledger, act } = runningProject();
    const { version } = act.project(PROJECT);
    expect(ledger.commit(act.projectCard(alice, PROJECT, null))).toEqual(['committed']);
    expect(ledger.commit(act.projectCard(alice, PROJECT, INTAKE))).toEqual(['committed']);
    const { card, phases, version: after } = act.project(PROJECT);
    expect(after).toBe(version + 2);
    expect(phases.filter(phase => Buffer.from(phase.card).equals(card)).map(({ id }) => id)).toEqual([
      INTAKE,
    ]);
    expect(ledger.commit(act.projectCard(alice, PROJECT, null, version))).toEqual(['staleVersion']);
    const nowhere = hashOf('nowhere') as PhaseId;
    expect(ledger.commit(act.projectCard(alice, PROJECT, nowhere))).toEqual(['unknownPhase']);
    expect(ledger.commit(act.projectCard(bob, PROJECT, null))).toEqual(['notOwner']);
  });
});

describe('the card of a phase', () => {
  it('is that of the newest epoch, until an owner or steward who holds keys changes it', () => {
    const { ledger, act } = runningProject();
    const opened = act.phase(INTAKE);
    expect(opened.card.epoch).toBe(opened.epochs.length - 1);
    expect(ledger.commit(act.phaseCard(alice, INTAKE))).toEqual(['committed']);
    const changed = act.phase(INTAKE);
    expect(changed.card.bytes).not.toEqual(opened.card.bytes);
    expect(changed.membershipVersion).toBe(opened.membershipVersion + 1);
    expect(ledger.commit(act.rotateEpoch(carol, INTAKE))).toEqual(['committed']);
    expect(act.phase(INTAKE).card).toMatchObject({ epoch: changed.card.epoch + 1 });
    expect(act.phase(INTAKE).card.bytes).not.toEqual(changed.card.bytes);
  });

  it('[82] is never sealed under an epoch that a removed participant holds', () => {
    const { ledger, act } = runningProject();
    const { card, membershipVersion } = act.phase(INTAKE);
    ledger.commit(act.rotateEpoch(carol, INTAKE));
    expect(ledger.commit(act.phaseCard(alice, INTAKE, { card }))).toEqual(['staleEpoch']);
    expect(
      ledger.commit(act.phaseCard(alice, INTAKE, { expectedMembershipVersion: membershipVersion })),
    ).toEqual(['staleMembership']);
    expect(ledger.commit(act.phaseCard(bob, INTAKE))).toEqual(['roleMissing']);
  });

  it('[82] stays as it is while the phase is frozen, and with those who hold the keys', () => {
    const { ledger, act } = runningProject();
    const phase = hashOf('of the participants') as PhaseId;
    const inPhase = { custody: CUSTODY.participants };
    ledger.commit(act.addPhase(alice, PROJECT, phase, { alice: 8, bob: 3, carol: 8 }, { inPhase }));
    ledger.commit(act.removeParticipant(alice, phase, alice.id, { epoch: null }));
    expect(act.phase(phase).frozen).toBe(true);
    expect(ledger.commit(act.phaseCard(carol, phase))).toEqual(['phaseFrozen']);
    ledger.commit(act.rotateEpoch(carol, phase));
    expect(ledger.commit(act.phaseCard(alice, phase))).toEqual(['custodyForbids']);
    expect(ledger.commit(act.phaseCard(carol, phase))).toEqual(['committed']);
  });
});
