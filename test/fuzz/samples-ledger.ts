import type { Hash, PhaseId } from '../../src/core/base/ids.ts';
import { kindName } from '../../src/core/codec/operation.ts';
import { DEFAULT_POLICY } from '../../src/core/types/flow.ts';
import { GRANTS, type KindName, ROLES } from '../../src/core/types/operation.ts';
import { CustodyActions } from '../support/custody-actions.ts';
import { GovernanceActions } from '../support/governance-actions.ts';
import type { Actions } from '../support/ledger-actions.ts';
import { createActor, hashOf, type TestLedger } from '../support/ledger-kit.ts';
import {
  admin,
  alice,
  bob,
  carol,
  dave,
  INTAKE,
  PROJECT,
  REVIEW,
  runningProject,
} from '../unit/ledger/fixture.ts';

/** A consortium in which every kind of operation has happened. */
export function eventfulLedger(): { ledger: TestLedger; act: Actions } {
  const { ledger, act } = runningProject();
  const erin = createActor('erin');
  const last = hashOf('last') as PhaseId;
  ledger.commit(act.register(admin, erin), act.put(bob, INTAKE, 'one'), act.put(bob, INTAKE, 'two'));
  ledger.commit(act.receipt(carol, INTAKE, 2), act.addParticipant(alice, INTAKE, dave.id, GRANTS.none));
  ledger.commit(act.addParticipant(alice, INTAKE, erin.id, GRANTS.all));
  ledger.commit(act.changeRole(alice, INTAKE, dave.id, 3), act.rotate(dave, createActor('dave', 1)));
  ledger.commit(act.addUser(carol, 'maria'), act.suspend(admin, erin.id));
  ledger.commit(act.revokeUser(carol, 'maria'));
  ledger.commit(act.removeParticipant(alice, INTAKE, erin.id));
  ledger.commit(act.rotateEpoch(carol, INTAKE), act.revoke(admin, erin.id));
  keep(ledger);
  ledger.commit(act.projectCard(alice, PROJECT, null), act.phaseCard(carol, INTAKE));
  ledger.commit(act.projectCard(alice, PROJECT, INTAKE));
  ledger.commit(act.addPhase(alice, PROJECT, last, { bob: 3 }, { inProject: { predecessors: [REVIEW] } }));
  ledger.commit(act.close(alice, INTAKE), act.open(alice, REVIEW), act.open(alice, last));
  ledger.commit(act.handover(alice, INTAKE, REVIEW, [2, 3]));
  ledger.commit(act.close(alice, REVIEW));
  const brought = ledger.leavesOf('phase', REVIEW).length - 2;
  ledger.commit(act.handover(alice, REVIEW, last, [{ position: brought, item: 1 }]));
  ledger.commit(act.close(alice, last));
  flow(ledger, act);
  ledger.commit(act.purge(alice, INTAKE, 2));
  ledger.commit(act.purgeAck(bob, INTAKE, ledger.leavesOf('phase', INTAKE).length - 1));
  ledger.commit(act.archive(alice, PROJECT));
  govern(ledger);
  return { ledger, act };
}

/** A complaint, and shares of the recovery key, one of which is offered. */
function keep(ledger: TestLedger): void {
  const act = new CustodyActions(ledger);
  ledger.commit(act.rotateEpoch(carol, INTAKE));
  ledger.commit(act.complain(bob, INTAKE), act.shares(alice, INTAKE, 2, [admin.id, carol.id]));
  ledger.commit(act.ask(bob, INTAKE));
  ledger.commit(act.offer(admin, INTAKE, bob.id), act.rotateEpoch(carol, INTAKE));
}

/** Changes of the flow, a policy, and what it makes wait for approvals. */
function flow(ledger: TestLedger, act: Actions): void {
  const [side, late] = [hashOf('side'), hashOf('late')] as PhaseId[];
  ledger.commit(act.addPhase(alice, PROJECT, side!, { bob: 7 }, { inProject: { predecessors: [INTAKE] } }));
  const rewirings = [{ phase: side!, before: [INTAKE], after: [late!] }];
  ledger.commit(
    act.addPhase(alice, PROJECT, late!, { bob: 3 }, { inProject: { predecessors: [INTAKE], rewirings } }),
  );
  ledger.commit(act.flowChange(alice, PROJECT, { [side!]: [late!, INTAKE] }), act.reopen(alice, INTAKE));
  ledger.commit(act.close(alice, INTAKE), act.policy(alice, side!, { retentionDays: 30 }));
  const approvals = { ...DEFAULT_POLICY.approvals, close: { roles: ROLES.approver, k: 1 } };
  ledger.commit(act.policy(alice, side!, { approvals }));
  ledger.commit(act.request(alice, side!, { kind: 'phaseClose' }));
  const number = () => ledger.leavesOf('phase', side!).length - 1;
  ledger.commit(act.withdrawRequest(alice, side!, number()));
  ledger.commit(act.request(alice, side!, { kind: 'phaseClose' }));
  ledger.commit(act.approve(bob, side!, number()));
  ledger.commit(act.close(alice, side!), act.skip(alice, late!));
  ledger.commit(act.archivePhase(alice, late!));
}

/** Two administrators decide from here on. */
function govern(ledger: TestLedger): void {
  const actions = new GovernanceActions(ledger);
  ledger.commit(actions.propose(admin, [actions.administrators([admin.id, alice.id].sort(), 2)]));
  ledger.commit(actions.propose(admin, [actions.add('v9')]), actions.propose(admin, [actions.add('v10')]));
  ledger.commit(actions.withdraw(admin, 3), actions.vote(alice, 2));
  const [name] = actions.validators;
  ledger.commit(actions.evidence(actions.equivocation(name!)));
}

/** Encoded parts of every transaction, by its kind. */
export function contentsByKind(ledger: TestLedger): Map<KindName, Uint8Array[][]> {
  const found = new Map<KindName, Uint8Array[][]>();
  for (const { body, signed } of ledger.transactions.values()) {
    const name = kindName(body.kind)!;
    found.set(name, [...(found.get(name) ?? []), signed.parts.map(part => part!.content)]);
  }
  return found;
}

/** The stored state under a prefix of its keys. */
export function storedUnder(ledger: TestLedger, prefix: string): Uint8Array[] {
  return [...ledger.state.values].filter(([key]) => key.startsWith(prefix)).map(([, value]) => value);
}

export function outcomesOf(ledger: TestLedger): Map<Hash, number> {
  return new Map(ledger.blocks.flatMap(({ block }) => block.entries.map(({ id, outcome }) => [id, outcome])));
}
