import { describe, expect, it } from 'vitest';
import { heededComplaints, openComplaints } from '../../../src/core/access/complaints.ts';
import { phaseRanges, readableRanges } from '../../../src/core/access/visibility.ts';
import type { MemberId, PhaseId } from '../../../src/core/base/ids.ts';
import { isReject } from '../../../src/core/base/reject.ts';
import { decodeRecoveryShares } from '../../../src/core/codec/custody.ts';
import { encodePhaseState } from '../../../src/core/codec/state.ts';
import { readSystem } from '../../../src/core/ledger/read.ts';
import { membersOf } from '../../../src/core/snapshot/member-scopes.ts';
import { DEFAULT_POLICY } from '../../../src/core/types/flow.ts';
import { CUSTODY, GRANTS, ROLES } from '../../../src/core/types/operation.ts';
import { CustodyActions } from '../../support/custody-actions.ts';
import { bytesOf, createActor, hashOf, type TestLedger } from '../../support/ledger-kit.ts';
import {
  admin,
  alice,
  bob,
  carol,
  dave,
  INTAKE,
  PROJECT,
  runningProject,
  STEWARD,
  WRITER,
} from './fixture.ts';

const OWN = hashOf('own') as PhaseId;
const PARTICIPANTS = { inPhase: { custody: CUSTODY.participants } };

function running() {
  const { ledger } = runningProject();
  return { ledger, act: new CustodyActions(ledger) };
}

/** Alice owns it and holds no keys: bob writes, carol is the steward. */
function outside() {
  const { ledger, act } = running();
  const all = { bob: WRITER, carol: STEWARD };
  expect(ledger.commit(act.addPhase(alice, PROJECT, OWN, all, PARTICIPANTS))).toEqual(['committed']);
  ledger.commit(act.open(alice, OWN));
  return { ledger, act };
}

const keyless = { envelope: null, epoch: null };

function decoded(ledger: TestLedger, phase: PhaseId, position: number) {
  const { transactionId } = ledger.leavesOf('phase', phase)[position]!;
  const content = decodeRecoveryShares(ledger.transactions.get(transactionId)!.signed.parts[0]!.content);
  if (isReject(content)) throw new Error(content.detail);
  return content;
}

describe('an owner without keys', () => {
  it('adds a phase that its participants hold: nobody writes under the epoch that it made', () => {
    const { ledger, act } = outside();
    expect(act.phase(OWN)).toMatchObject({ frozen: true, epochs: [{ opener: alice.id }] });
    expect(ledger.commit(act.put(bob, OWN, 'known to the owner'))).toEqual(['phaseFrozen']);
    expect(ledger.commit(act.rotateEpoch(alice, OWN))).toEqual(['custodyForbids']);
    expect(ledger.commit(act.rotateEpoch(carol, OWN))).toEqual(['committed']);
    expect(ledger.commit(act.put(bob, OWN, 'among ourselves'))).toEqual(['committed']);
    expect(act.phase(OWN)).toMatchObject({ frozen: false, epochs: [{}, { opener: carol.id }] });
  });

  it('asks for a steward, since nobody else could open the next epoch', () => {
    const { ledger, act } = running();
    expect(ledger.commit(act.addPhase(alice, PROJECT, OWN, { bob: WRITER }, PARTICIPANTS))).toEqual([
      'lastSteward',
    ]);
  });

  it('adds a member: the phase waits for an epoch that has it', () => {
    const { ledger, act } = outside();
    ledger.commit(act.rotateEpoch(carol, OWN));
    expect(ledger.commit(act.addParticipant(alice, OWN, dave.id, GRANTS.none))).toEqual(['custodyForbids']);
    expect(ledger.commit(act.addParticipant(alice, OWN, dave.id, GRANTS.none, keyless))).toEqual([
      'committed',
    ]);
    expect(act.phase(OWN)).toMatchObject({ frozen: true });
    const added = act.phase(OWN).participants.find(({ member }) => member === dave.id);
    expect(added).toMatchObject({ fromEpoch: 2, heldFrom: 2 });
    expect(ledger.commit(act.put(bob, OWN, 'frozen'))).toEqual(['phaseFrozen']);
    expect(ledger.commit(act.rotateEpoch(carol, OWN))).toEqual(['committed']);
    expect(ledger.commit(act.put(dave, OWN, 'in'))).toEqual(['committed']);
  });

  it('grants a past that it does not hold: it stands as lacking until one who holds it has opened an epoch', () => {
    const { ledger, act } = outside();
    ledger.commit(act.rotateEpoch(carol, OWN));
    const later = { ...keyless, roles: STEWARD };
    expect(ledger.commit(act.addParticipant(alice, OWN, dave.id, GRANTS.all, later))).toEqual(['committed']);
    const daves = () => act.phase(OWN).participants.find(({ member }) => member === dave.id);
    expect(daves()).toMatchObject({ startPosition: 0, fromEpoch: 0, heldFrom: 2 });
    // as the newest steward it may open the next epoch, and gives itself nothing by it
    const own = act.nextEpoch(act.phase(OWN), [bob.id, carol.id, dave.id]);
    expect(ledger.commit(act.rotateEpoch(dave, OWN, { epoch: { ...own, historyFrom: 0 } }))).toEqual([
      'custodyForbids',
    ]);
    expect(ledger.commit(act.rotateEpoch(dave, OWN, { epoch: { ...own, historyFrom: 2 } }))).toEqual([
      'committed',
    ]);
    expect(daves()).toMatchObject({ heldFrom: 2 });
    expect(ledger.commit(act.addParticipant(dave, OWN, admin.id, GRANTS.all))).toEqual(['custodyForbids']);
    const next = act.nextEpoch(act.phase(OWN), [bob.id, carol.id, dave.id]);
    ledger.commit(act.rotateEpoch(carol, OWN, { epoch: { ...next, historyFrom: 0 } }));
    expect(daves()).toMatchObject({ heldFrom: 0 });
    expect(ledger.commit(act.addParticipant(dave, OWN, admin.id, GRANTS.all))).toEqual(['committed']);
  });

  it('cannot let itself in, nor choose what nobody holds', () => {
    const { ledger, act } = outside();
    expect(ledger.commit(act.addParticipant(alice, OWN, alice.id, GRANTS.all, keyless))).toEqual([
      'custodyForbids',
    ]);
    const beyond = { ...keyless, fromEpoch: 1 };
    expect(ledger.commit(act.addParticipant(alice, OWN, dave.id, GRANTS.fromEpoch, beyond))).toEqual([
      'staleEpoch',
    ]);
    // one who holds keys must give them
    expect(ledger.commit(act.addParticipant(carol, OWN, dave.id, GRANTS.all, keyless))).toEqual([
      'badEnvelopes',
    ]);
  });
});

describe('a complaint', () => {
  it('is taken once a holder an epoch, under its name, and is answered by the next epoch', () => {
    const { ledger, act } = running();
    const open = () =>
      openComplaints(readSystem(ledger.state), act.phase(INTAKE)).map(({ member }) => member);
    expect(ledger.commit(act.complain(dave, INTAKE))).toEqual(['notParticipant']);
    expect(ledger.commit(act.complain(bob, INTAKE, 1))).toEqual(['staleEpoch']);
    expect(ledger.commit(act.complain(bob, INTAKE), act.complain(alice, INTAKE))).toEqual([
      'committed',
      'committed',
    ]);
    expect(ledger.commit(act.complain(bob, INTAKE))).toEqual(['complaintExists']);
    expect(open()).toEqual([alice.id, bob.id]);
    // it stops nobody
    expect(ledger.commit(act.put(carol, INTAKE, 'meanwhile'))).toEqual(['committed']);
    expect(act.phase(INTAKE).frozen).toBe(false);
    ledger.commit(act.rotateEpoch(carol, INTAKE));
    expect(open()).toEqual([]);
    expect(ledger.commit(act.complain(bob, INTAKE, 0))).toEqual(['staleEpoch']);
  });

  it('is heeded three epochs in a row: who goes on is shown, and moves no node any more', () => {
    const { ledger, act } = running();
    const heeded = () => heededComplaints(readSystem(ledger.state), act.phase(INTAKE)).length;
    for (const expected of [1, 1, 1, 0, 0]) {
      expect(ledger.commit(act.complain(bob, INTAKE))).toEqual(['committed']);
      expect(heeded()).toBe(expected);
      ledger.commit(act.rotateEpoch(carol, INTAKE));
    }
    ledger.commit(act.rotateEpoch(carol, INTAKE));
    ledger.commit(act.complain(bob, INTAKE));
    expect(heeded()).toBe(1);
    expect(act.phase(INTAKE).complaints).toHaveLength(1);
  });

  it('of one who was removed or revoked is none', () => {
    const { ledger, act } = running();
    ledger.commit(act.complain(bob, INTAKE));
    ledger.commit(act.revoke(admin, bob.id));
    expect(openComplaints(readSystem(ledger.state), act.phase(INTAKE))).toEqual([]);
    ledger.commit(act.removeParticipant(carol, INTAKE, bob.id));
    expect(act.phase(INTAKE).complaints).toEqual([]);
  });
});

describe('recovery shares', () => {
  const holders = [admin.id, bob.id, dave.id];

  function shared() {
    const { ledger, act } = running();
    expect(ledger.commit(act.shares(carol, INTAKE, 2, holders))).toEqual(['committed']);
    return { ledger, act, log: ledger.logId('phase', INTAKE) };
  }

  it('are made by one who holds the keys, for members who each have a key', () => {
    const { ledger, act } = running();
    const set = (...input: Parameters<typeof act.shares>) => ledger.commit(act.shares(...input))[0];
    expect(set(bob, INTAKE, 2, holders)).toBe('roleMissing');
    expect(set(carol, INTAKE, 1, holders)).toBe('badShares');
    expect(set(carol, INTAKE, 4, holders)).toBe('badShares');
    expect(set(carol, INTAKE, 2, [bob.id, admin.id])).toBe('badShares');
    expect(set(carol, INTAKE, 2, [bob.id, bob.id])).toBe('badShares');
    expect(set(carol, INTAKE, 2, [bob.id, 'nobody' as MemberId])).toBe('unknownMember');
    expect(set(carol, INTAKE, 2, holders, { publicKey: bytesOf('no point', 33) })).toBe('badShares');
    expect(set(carol, INTAKE, 2, holders, { fromEpoch: 1 })).toBe('staleEpoch');
    expect(set(carol, INTAKE, 2, holders, { expectedMembershipVersion: 7 })).toBe('staleMembership');
    const toOldKey = act.shares(carol, INTAKE, 2, holders);
    ledger.commit(act.rotate(dave, createActor('dave', 1)));
    expect(ledger.commit(toOldKey)).toEqual(['badShares']);
  });

  it('need the approvals that adding needs: enough holders can read', () => {
    const { ledger, act } = running();
    const approvals = { ...DEFAULT_POLICY.approvals, add: { roles: ROLES.contributor, k: 1 } };
    ledger.commit(act.policy(alice, INTAKE, { approvals }));
    expect(ledger.commit(act.shares(carol, INTAKE, 2, holders))).toEqual(['approvalMissing']);
    ledger.commit(act.request(carol, INTAKE, { kind: 'recoveryShares', threshold: 2, holders }));
    ledger.commit(act.approve(bob, INTAKE, ledger.leavesOf('phase', INTAKE).length - 1));
    expect(ledger.commit(act.shares(carol, INTAKE, 2, [admin.id, bob.id]))).toEqual(['approvalMissing']);
    expect(ledger.commit(act.shares(carol, INTAKE, 2, holders))).toEqual(['committed']);
  });

  it('let a holder that is no participant read the log from there on, and nothing else', () => {
    const { ledger, act, log } = shared();
    const from = ledger.leavesOf('phase', INTAKE).length - 1;
    expect(readableRanges(ledger.state, dave.id, log)).toEqual([{ from, to: null }]);
    const state = encodePhaseState(act.phase(INTAKE));
    expect(membersOf({ scope: 'phase', id: INTAKE }, state)).toContain(dave.id);
    expect(ledger.commit(act.put(dave, INTAKE, 'no'))).toEqual(['notParticipant']);
    expect(ledger.commit(act.ask(dave, INTAKE))).toEqual(['notParticipant']);
    const next = act.nextEpoch(act.phase(INTAKE), [bob.id, carol.id]);
    expect(next.envelopes.map(({ member }) => member).sort()).toEqual([alice.id, bob.id, carol.id]);
  });

  it('ask for the secret of every later epoch', () => {
    const { ledger, act } = shared();
    const without = act.opening(1, [alice.id, bob.id, carol.id]);
    expect(ledger.commit(act.rotateEpoch(carol, INTAKE, { epoch: without }))).toEqual(['badEnvelopes']);
    expect(ledger.commit(act.rotateEpoch(carol, INTAKE))).toEqual(['committed']);
  });

  it('are offered by each holder once, to a participant who asked, sealed to its current key', () => {
    const { ledger, act } = shared();
    expect(ledger.commit(act.offer(admin, INTAKE, bob.id))).toEqual(['unknownAsk']);
    expect(ledger.commit(act.ask(bob, INTAKE))).toEqual(['committed']);
    expect(ledger.commit(act.offer(carol, INTAKE, bob.id))).toEqual(['roleMissing']);
    expect(ledger.commit(act.offer(admin, INTAKE, bob.id, { keyId: 1 }))).toEqual(['badShares']);
    expect(ledger.commit(act.offer(admin, INTAKE, bob.id))).toEqual(['committed']);
    expect(ledger.commit(act.offer(admin, INTAKE, bob.id))).toEqual(['alreadyOffered']);
    expect(ledger.commit(act.offer(dave, INTAKE, bob.id))).toEqual(['committed']);
    expect(act.phase(INTAKE).recovery!.asks).toMatchObject([{ member: bob.id, offers: [admin.id, dave.id] }]);
    // asking again begins anew
    ledger.commit(act.ask(bob, INTAKE));
    expect(act.phase(INTAKE).recovery!.asks).toMatchObject([{ member: bob.id, offers: [] }]);
  });

  it('count as history once enough are offered', () => {
    const { ledger, act } = outside();
    ledger.commit(act.rotateEpoch(carol, OWN));
    ledger.commit(act.shares(carol, OWN, 2, [admin.id, bob.id]));
    ledger.commit(act.addParticipant(alice, OWN, dave.id, GRANTS.all, keyless));
    ledger.commit(act.rotateEpoch(carol, OWN));
    const held = () => act.phase(OWN).participants.find(({ member }) => member === dave.id)!.heldFrom;
    ledger.commit(act.ask(dave, OWN));
    ledger.commit(act.offer(admin, OWN, dave.id));
    expect(held()).toBe(2);
    ledger.commit(act.offer(bob, OWN, dave.id));
    expect(held()).toBe(0);
  });

  it('that are made anew leave those without one what they read until then', () => {
    const { ledger, act, log } = shared();
    const from = ledger.leavesOf('phase', INTAKE).length - 1;
    ledger.commit(act.ask(bob, INTAKE));
    const silent = act.shares(alice, INTAKE, 2, [admin.id, carol.id], { leaving: [] });
    expect(ledger.commit(silent)).toEqual(['badShares']);
    ledger.commit(act.shares(alice, INTAKE, 2, [admin.id, carol.id]));
    const to = ledger.leavesOf('phase', INTAKE).length;
    const { leaving } = decoded(ledger, INTAKE, to - 1);
    // bob stays as a participant, dave has no other part in it
    expect(leaving).toEqual([dave.id]);
    expect(readableRanges(ledger.state, dave.id, log)).toEqual([{ from, to }]);
    expect(readableRanges(ledger.state, admin.id, log)).toEqual([{ from, to: null }]);
    expect(act.phase(INTAKE).recovery).toMatchObject({ number: to - 1, asks: [] });
    expect(ledger.commit(act.offer(dave, INTAKE, bob.id))).toEqual(['notParticipant']);
  });

  it('of one who is removed from the phase are gone, and with too few nobody asks', () => {
    const { ledger, act } = shared();
    ledger.commit(act.ask(bob, INTAKE));
    ledger.commit(act.removeParticipant(carol, INTAKE, bob.id));
    const recovery = act.phase(INTAKE).recovery!;
    expect(recovery.holders.map(({ member }) => member)).toEqual([admin.id, dave.id]);
    expect(recovery.asks).toEqual([]);
    expect(phaseRanges(act.phase(INTAKE), bob.id)).toHaveLength(1);
    expect(phaseRanges(act.phase(INTAKE), bob.id)[0]!.to).not.toBeNull();
    expect(ledger.commit(act.ask(carol, INTAKE))).toEqual(['committed']);
    ledger.commit(act.revoke(admin, dave.id));
    expect(ledger.commit(act.ask(carol, INTAKE))).toEqual(['noRecovery']);
  });

  it('[82] end with who dealt them and with who asked: no later epoch is sealed to a key that they may know', () => {
    for (const [leaving, others] of [[carol, [bob.id]] as const, [bob, [carol.id]] as const]) {
      const { ledger, act } = shared();
      if (leaving === bob) ledger.commit(act.ask(bob, INTAKE));
      const stillSealed = act.nextEpoch(act.phase(INTAKE), others);
      const remove = (epoch?: typeof stillSealed) =>
        ledger.commit(act.removeParticipant(alice, INTAKE, leaving.id, epoch && { epoch }));
      expect(remove(stillSealed)).toEqual(['badEnvelopes']);
      expect(remove()).toEqual(['committed']);
      expect(act.phase(INTAKE).recovery).toMatchObject({ ended: true });
      // what is past can still be recovered, and other shares begin anew
      ledger.commit(act.shares(alice, INTAKE, 2, [admin.id, dave.id]));
      expect(act.phase(INTAKE).recovery).toMatchObject({ ended: false, dealer: alice.id });
    }
  });

  it('[82] end when somebody who held keys is revoked, and go on when one leaves who knew nothing', () => {
    const { ledger, act } = shared();
    ledger.commit(act.removeParticipant(carol, INTAKE, bob.id));
    expect(act.phase(INTAKE).recovery).toMatchObject({ ended: false });
    ledger.commit(act.revoke(admin, carol.id));
    expect(act.phase(INTAKE).recovery).toMatchObject({ ended: true });
    expect(ledger.commit(act.rotateEpoch(alice, INTAKE))).toEqual(['committed']);
  });

  it('are none where none were made', () => {
    const { ledger, act } = running();
    expect(ledger.commit(act.ask(bob, INTAKE))).toEqual(['noRecovery']);
  });
});
