import type { PhaseId } from '../../src/core/base/ids.ts';
import { ROLES } from '../../src/core/types/operation.ts';
import { createActor, hashOf, TestLedger, testGenesis } from './ledger-kit.ts';
import { LightNetwork } from './light-kit.ts';

export const project = hashOf('project');
export const phase = hashOf('phase') as PhaseId;
export const both = ROLES.contributor | ROLES.reader;
export const [admin, owner, alice, bob] = [
  createActor('admin'),
  createActor('owner'),
  createActor('alice'),
  createActor('bob'),
];

/** One open phase of the owner's, in which alice is and bob is not. */
export function networkWithPhase(): LightNetwork {
  const net = new LightNetwork(new TestLedger(testGenesis([admin], [owner, alice, bob])));
  net.commit(net.actions.createProject(owner, project));
  net.commit(net.actions.addPhase(owner, project, phase, { alice: both }));
  net.commit(net.actions.open(owner, phase));
  return net;
}
