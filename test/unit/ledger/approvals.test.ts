import { describe, expect, it } from 'vitest';
import { type ApprovalRule, DEFAULT_POLICY, type Deed, type Guarded } from '../../../src/core/types/flow.ts';
import { GRANTS, LIFECYCLE, ROLES } from '../../../src/core/types/operation.ts';
import { GovernanceActions } from '../../support/governance-actions.ts';
import {
  admin,
  alice,
  bob,
  carol,
  dave,
  INTAKE,
  REVIEW,
  runningProject,
  STEWARD,
  WRITER,
} from './fixture.ts';

const APPROVER = ROLES.reader | ROLES.approver;
const CLOSE: Deed = { kind: 'phaseClose' };

/** Intake: bob writes and approves, dave approves, carol is steward; the named deeds need two approvals. */
function guarded(...deeds: Guarded[]) {
  const { ledger, act } = runningProject();
  ledger.commit(act.addParticipant(alice, INTAKE, dave.id, GRANTS.none, { roles: APPROVER }));
  ledger.commit(act.changeRole(alice, INTAKE, bob.id, WRITER | ROLES.approver));
  const rule: ApprovalRule = { roles: ROLES.approver, k: 2 };
  const approvals = { ...DEFAULT_POLICY.approvals, ...Object.fromEntries(deeds.map(deed => [deed, rule])) };
  ledger.commit(act.policy(alice, INTAKE, { approvals }));
  const ask = (deed: Deed, changes = {}) => {
    expect(ledger.commit(act.request(alice, INTAKE, deed, changes))).toEqual(['committed']);
    return act.phase(INTAKE).requests.at(-1)!.number;
  };
  return { ledger, act, ask };
}

describe('policies', () => {
  it('name what they replace', () => {
    const { ledger, act } = runningProject();
    expect(ledger.commit(act.policy(carol, INTAKE, { retentionDays: 3 }))).toEqual(['roleMissing']);
    const [one, two] = [1, 2].map(days => act.policy(alice, INTAKE, { retentionDays: days }));
    expect(ledger.commit(one!, two!)).toEqual(['committed', 'staleVersion']);
    const before = DEFAULT_POLICY;
    expect(ledger.commit(act.policy(alice, INTAKE, { copiesTarget: 3 }, { before }))).toEqual([
      'staleVersion',
    ]);
    expect(ledger.commit(act.policy(alice, INTAKE, { copiesMinimum: 9 }))).toEqual(['malformed']);
    expect(ledger.commit(act.policy(alice, INTAKE, {}))).toEqual(['malformed']);
    expect(act.phase(INTAKE).policy).toEqual({ ...DEFAULT_POLICY, retentionDays: 1 });
  });

  it('say who writes', () => {
    const { ledger, act } = runningProject();
    expect(ledger.commit(act.put(bob, INTAKE, 'a'), act.put(carol, INTAKE, 'b'))).toEqual([
      'committed',
      'committed',
    ]);
    ledger.commit(act.policy(alice, INTAKE, { writers: ROLES.steward }));
    expect(ledger.commit(act.put(bob, INTAKE, 'c'), act.put(carol, INTAKE, 'd'))).toEqual([
      'roleMissing',
      'committed',
    ]);
  });
});

describe('approvals', () => {
  it('let a deed through when k participants with the role have approved exactly it', () => {
    const { ledger, act, ask } = guarded('close');
    expect(ledger.commit(act.close(alice, INTAKE))).toEqual(['approvalMissing']);
    const number = ask(CLOSE);
    expect(ledger.commit(act.approve(carol, INTAKE, number))).toEqual(['roleMissing']);
    expect(ledger.commit(act.approve(admin, INTAKE, number))).toEqual(['notParticipant']);
    expect(ledger.commit(act.approve(bob, INTAKE, number), act.approve(bob, INTAKE, number))).toEqual([
      'committed',
      'alreadyVoted',
    ]);
    expect(ledger.commit(act.close(alice, INTAKE))).toEqual(['approvalMissing']);
    expect(ledger.commit(act.approve(dave, INTAKE, number), act.close(carol, INTAKE))).toEqual([
      'committed',
      'committed',
    ]);
    expect(act.phase(INTAKE).lifecycle).toBe(LIFECYCLE.closed);
    expect(ledger.commit(act.approve(bob, INTAKE, number))).toEqual(['requestOver']);
  });

  it('count no rejection, and end with their request', () => {
    const { ledger, act, ask } = guarded('close');
    const number = ask(CLOSE);
    ledger.commit(act.approve(bob, INTAKE, number), act.approve(dave, INTAKE, number, false));
    expect(ledger.commit(act.close(alice, INTAKE))).toEqual(['approvalMissing']);
    expect(ledger.commit(act.request(alice, INTAKE, CLOSE))).toEqual(['requestExists']);
    expect(ledger.commit(act.withdrawRequest(carol, INTAKE, number))).toEqual(['notProposer']);
    expect(ledger.commit(act.withdrawRequest(alice, INTAKE, number))).toEqual(['committed']);
    expect(ledger.commit(act.approve(bob, INTAKE, number))).toEqual(['unknownRequest']);
  });

  it('end with their height', () => {
    const { ledger, act, ask } = guarded('close');
    const number = ask(CLOSE, { expiresHeight: ledger.height + 3 });
    ledger.commit(act.approve(bob, INTAKE, number), act.approve(dave, INTAKE, number));
    for (const text of ['a', 'b']) ledger.commit(act.put(bob, INTAKE, text));
    expect(ledger.commit(act.close(alice, INTAKE))).toEqual(['approvalMissing']);
    const past = act.request(alice, INTAKE, CLOSE, { expiresHeight: ledger.height });
    expect(ledger.commit(past)).toEqual(['requestOver']);
  });

  it('die when the members or the phase change', () => {
    for (const change of ['members', 'policy'] as const) {
      const { ledger, act, ask } = guarded('close');
      const number = ask(CLOSE);
      ledger.commit(act.approve(bob, INTAKE, number), act.approve(dave, INTAKE, number));
      if (change === 'members') ledger.commit(act.changeRole(alice, INTAKE, carol.id, STEWARD | WRITER));
      else ledger.commit(act.policy(alice, INTAKE, { retentionDays: 9 }));
      expect(ledger.commit(act.close(alice, INTAKE))).toEqual(['approvalMissing']);
      const again = ask(CLOSE);
      expect(act.phase(INTAKE).requests.map(request => request.number)).toEqual([again]);
    }
  });

  it('bind an addition and a removal to member, roles and grant', () => {
    const { ledger, act, ask } = guarded('add', 'remove');
    const deed = {
      kind: 'participantAdd',
      member: admin.id,
      roles: WRITER,
      grant: GRANTS.none,
      fromEpoch: 0,
    } as const;
    const number = ask(deed);
    ledger.commit(act.approve(bob, INTAKE, number), act.approve(dave, INTAKE, number));
    const add = (changes: object, grant: number = GRANTS.none) =>
      act.addParticipant(alice, INTAKE, admin.id, grant, changes);
    expect(ledger.commit(add({ roles: STEWARD }), add({}, GRANTS.all))).toEqual([
      'approvalMissing',
      'approvalMissing',
    ]);
    expect(ledger.commit(act.changeRole(alice, INTAKE, bob.id, STEWARD))).toEqual(['approvalMissing']);
    expect(ledger.commit(add({ roles: WRITER }))).toEqual(['committed']);
    expect(ledger.commit(act.removeParticipant(alice, INTAKE, admin.id))).toEqual(['approvalMissing']);
  });

  it('never keep a revoked member in', () => {
    const { ledger, act } = guarded('remove');
    ledger.commit(act.revoke(admin, carol.id));
    expect(ledger.commit(act.removeParticipant(alice, INTAKE, carol.id))).toEqual(['committed']);
    const deed = { kind: 'participantRemove', member: carol.id } as const;
    expect(ledger.commit(act.request(alice, INTAKE, deed))).toEqual(['approvalNotNeeded']);
  });

  it('of a suspended member do not count while it is, and as many are asked for as before', () => {
    const { ledger, act, ask } = guarded('close');
    const number = ask(CLOSE);
    ledger.commit(act.approve(bob, INTAKE, number), act.approve(dave, INTAKE, number));
    ledger.commit(act.suspend(admin, bob.id));
    expect(ledger.commit(act.close(alice, INTAKE))).toEqual(['approvalMissing']);
    const govern = new GovernanceActions(ledger);
    ledger.commit(govern.propose(admin, [{ type: 'memberResume', member: bob.id }]));
    expect(ledger.commit(act.close(alice, INTAKE))).toEqual(['committed']);
  });

  it('cannot be had by removing those who would have to give them', () => {
    const { ledger, act, ask } = guarded('add');
    const ally = () => act.addParticipant(alice, INTAKE, admin.id, GRANTS.none);
    for (const approver of [bob, dave])
      expect(ledger.commit(act.removeParticipant(alice, INTAKE, approver.id))).toEqual(['approvalMissing']);
    expect(ledger.commit(ally())).toEqual(['approvalMissing']);
    // who approves nothing goes as the policy says of removals, and an approver with what adding asks for
    expect(ledger.commit(act.removeParticipant(alice, INTAKE, carol.id))).toEqual(['committed']);
    const number = ask({ kind: 'participantRemove', member: bob.id });
    ledger.commit(act.approve(bob, INTAKE, number), act.approve(dave, INTAKE, number));
    expect(ledger.commit(act.removeParticipant(alice, INTAKE, bob.id))).toEqual(['committed']);
    expect(ledger.commit(ally())).toEqual(['approvalMissing']);
  });

  it('ask for no more than there are who can give them', () => {
    const { ledger, act, ask } = guarded('close');
    ledger.commit(act.revoke(admin, dave.id));
    ledger.commit(act.removeParticipant(alice, INTAKE, dave.id));
    const number = ask(CLOSE);
    expect(ledger.commit(act.close(alice, INTAKE))).toEqual(['approvalMissing']);
    expect(ledger.commit(act.approve(bob, INTAKE, number), act.close(alice, INTAKE))).toEqual([
      'committed',
      'committed',
    ]);
  });

  it('guard their own rule: it changes with the approvals that it asks for', () => {
    const { ledger, act, ask } = guarded('close');
    expect(ledger.commit(act.policy(alice, INTAKE, { approvals: DEFAULT_POLICY.approvals }))).toEqual([
      'approvalMissing',
    ]);
    const policy = { ...act.phase(INTAKE).policy, approvals: DEFAULT_POLICY.approvals };
    const number = ask({ kind: 'phasePolicy', policy });
    ledger.commit(act.approve(bob, INTAKE, number), act.approve(dave, INTAKE, number));
    expect(ledger.commit(act.policy(alice, INTAKE, { approvals: DEFAULT_POLICY.approvals }))).toEqual([
      'committed',
    ]);
    expect(ledger.commit(act.request(alice, INTAKE, CLOSE))).toEqual(['approvalNotNeeded']);
    expect(ledger.commit(act.close(alice, INTAKE))).toEqual(['committed']);
  });

  it('guard the retention: it becomes shorter with what ending the phase asks for, and longer without', () => {
    const { ledger, act, ask } = guarded('close');
    const shorter = { retentionDays: 3 };
    expect(ledger.commit(act.policy(alice, INTAKE, { retentionDays: 9 }))).toEqual(['committed']);
    expect(ledger.commit(act.policy(alice, INTAKE, shorter))).toEqual(['approvalMissing']);
    const number = ask({ kind: 'phasePolicy', policy: { ...act.phase(INTAKE).policy, ...shorter } });
    ledger.commit(act.approve(bob, INTAKE, number), act.approve(dave, INTAKE, number));
    expect(ledger.commit(act.policy(alice, INTAKE, shorter))).toEqual(['committed']);
  });

  it('cover a handover of named records, or of all that were there', () => {
    const { ledger, act, ask } = guarded('handover');
    ledger.commit(act.put(bob, INTAKE, 'one'), act.put(bob, INTAKE, 'two'), act.open(alice, REVIEW));
    const [first, second] = [1, 2].map(back => ledger.leavesOf('phase', INTAKE).length - back).reverse();
    const id = ledger.leavesOf('phase', INTAKE)[first!]!.transactionId;
    const named = ask({ kind: 'phaseHandover', target: REVIEW, records: [id] });
    ledger.commit(act.approve(bob, INTAKE, named), act.approve(dave, INTAKE, named));
    expect(ledger.commit(act.handover(alice, INTAKE, REVIEW, [first!, second!]))).toEqual([
      'approvalMissing',
    ]);
    expect(ledger.commit(act.handover(alice, INTAKE, REVIEW, [first!]))).toEqual(['committed']);
    const all = ask({ kind: 'phaseHandover', target: REVIEW, records: [] });
    ledger.commit(
      act.approve(bob, INTAKE, all),
      act.approve(dave, INTAKE, all),
      act.put(bob, INTAKE, 'late'),
    );
    const late = ledger.leavesOf('phase', INTAKE).length - 1;
    expect(ledger.commit(act.handover(alice, INTAKE, REVIEW, [late]))).toEqual(['approvalMissing']);
    expect(ledger.commit(act.handover(alice, INTAKE, REVIEW, [second!]))).toEqual(['committed']);
  });

  it('are bounded in number', () => {
    const { ledger, act, ask } = guarded('remove', 'add');
    for (let grant = 0; grant < 16; grant += 1) {
      ask({
        kind: 'participantAdd',
        member: admin.id,
        roles: WRITER,
        grant: GRANTS.fromEpoch,
        fromEpoch: grant,
      });
    }
    const one = { kind: 'participantRemove', member: dave.id } as const;
    expect(ledger.commit(act.request(alice, INTAKE, one))).toEqual(['limitReached']);
  });
});
