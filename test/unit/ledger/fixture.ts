import type { PhaseId, ProjectId } from '../../../src/core/base/ids.ts';
import { ROLES } from '../../../src/core/types/operation.ts';
import type { Parameters } from '../../../src/core/types/state.ts';
import { Actions } from '../../support/ledger-actions.ts';
import { createActor, hashOf, TestLedger, testGenesis } from '../../support/ledger-kit.ts';

export const admin = createActor('admin');
export const alice = createActor('alice');
export const bob = createActor('bob');
export const carol = createActor('carol');
export const dave = createActor('dave');

export const PROJECT: ProjectId = hashOf('project');
export const INTAKE: PhaseId = hashOf('intake');
export const REVIEW: PhaseId = hashOf('review');

export const WRITER = ROLES.reader | ROLES.contributor;
export const STEWARD = ROLES.reader | ROLES.steward;

/** A consortium of five members and four validators; nothing has happened yet. */
export function consortium(parameters: Partial<Parameters> = {}) {
  const ledger = new TestLedger(testGenesis([admin], [alice, bob, carol, dave], parameters));
  return { ledger, act: new Actions(ledger) };
}

/** Alice owns a project; intake is open with bob (writer) and carol (steward); review follows it with carol, as a draft. */
export function runningProject(parameters: Partial<Parameters> = {}) {
  const { ledger, act } = consortium(parameters);
  ledger.commit(act.createProject(alice, PROJECT));
  ledger.commit(act.addPhase(alice, PROJECT, INTAKE, { bob: WRITER, carol: STEWARD }));
  ledger.commit(
    act.addPhase(alice, PROJECT, REVIEW, { carol: WRITER }, { inProject: { predecessors: [INTAKE] } }),
    act.open(alice, INTAKE),
  );
  return { ledger, act };
}
