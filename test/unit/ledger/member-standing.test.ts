import { describe, expect, it } from 'vitest';
import type { ScopeValue } from '../../../src/core/access/apply.ts';
import { ownKeyOf } from '../../../src/core/access/member-keys.ts';
import { readableRanges } from '../../../src/core/access/visibility.ts';
import type { Hash } from '../../../src/core/base/ids.ts';
import { isReject } from '../../../src/core/base/reject.ts';
import {
  decodeSystemState,
  encodeScopeState,
  encodeSystemState,
  STATE_KEYS,
} from '../../../src/core/codec/state.ts';
import { decodeLeaf, decodeTransaction } from '../../../src/core/codec/transaction.ts';
import { foldLeaf } from '../../../src/core/ledger/fold.ts';
import { findMember, memberOfPeer, readSystem } from '../../../src/core/ledger/read.ts';
import { checkAuthorship } from '../../../src/core/light/authorship.ts';
import type { Action } from '../../../src/core/types/governance.ts';
import { LIMITS } from '../../../src/core/types/limits.ts';
import { GRANTS } from '../../../src/core/types/operation.ts';
import { nodeSuite } from '../../../src/crypto/suite.ts';
import { GovernanceActions } from '../../support/governance-actions.ts';
import { type Actor, createActor, hashOf, type TestLedger, testSigner } from '../../support/ledger-kit.ts';
import { admin, alice, bob, carol, consortium, dave, INTAKE, PROJECT, runningProject } from './fixture.ts';

/** The member as its user signs for it. */
function asUser(actor: Actor, user: string, keyId: number): Actor {
  return { ...actor, keyId, signer: testSigner(`user ${user}`) };
}

function memberOf(ledger: TestLedger, { id }: Actor) {
  return findMember(readSystem(ledger.state), id)!;
}

describe('a user of a member', () => {
  it('[91] signs in phases from the height after it was added to the one that revokes it, and stays provable', () => {
    const { ledger, act } = runningProject();
    expect(ledger.commit(act.addUser(bob, 'maria'))).toEqual(['committed']);
    const maria = asUser(bob, 'maria', 1);
    const put = act.put(maria, INTAKE, 'by maria');
    const last = act.put(maria, INTAKE, 'in the block of the revocation');
    expect(ledger.commit(put)).toEqual(['committed']);
    expect(ledger.commit(act.revokeUser(bob, 'maria'), last)).toEqual(['committed', 'committed']);
    expect(ledger.execute([act.put(maria, INTAKE, 'after it')])).toMatchObject({ reject: 'revoked_key' });
    expect(memberOf(ledger, bob).keys).toMatchObject([
      { user: null, fromHeight: 0, untilHeight: 0 },
      { user: hashOf('maria'), sealingKey: null, fromHeight: 5, untilHeight: 7 },
    ]);
    const system = readSystem(ledger.state);
    const leaves = ledger.leavesOf('phase', INTAKE).slice(-2);
    expect(leaves.map(({ transactionId }) => transactionId)).toEqual([put.id, last.id]);
    for (const { leaf, transactionId } of leaves) {
      const found = decodeLeaf(leaf);
      if (isReject(found)) throw new Error(found.detail);
      const signed = ledger.transactions.get(transactionId)!;
      expect(checkAuthorship(nodeSuite, system, found, signed)).toBeNull();
      const later = { ...found, height: 7 };
      expect(checkAuthorship(nodeSuite, system, later, signed)).toMatchObject({ reject: 'key_not_valid' });
    }
  });

  it('leaves the key that others seal to, and that the member rotates, where it was', () => {
    const { ledger, act } = runningProject();
    ledger.commit(act.addUser(carol, 'maria'), act.addUser(carol, 'nina'));
    expect(ownKeyOf(memberOf(ledger, carol)).keyId).toBe(0);
    expect(ledger.commit(act.rotateEpoch(alice, INTAKE))).toEqual(['committed']);
    expect(ledger.commit(act.rotate(carol, createActor('carol', 1)))).toEqual(['committed']);
    const { keys } = memberOf(ledger, carol);
    expect(keys.map(({ user, untilHeight }) => [user === null, untilHeight])).toEqual([
      [true, 7],
      [false, 0],
      [false, 0],
      [true, 0],
    ]);
    expect(ownKeyOf(memberOf(ledger, carol)).keyId).toBe(3);
    const put = act.rotateEpoch(asUser(carol, 'nina', 2), INTAKE);
    expect(ledger.commit(put)).toEqual(['committed']);
  });

  it('speaks in no system log: it brings in nobody, changes no keys and casts no ballot', () => {
    const { ledger, act } = consortium();
    const govern = new GovernanceActions(ledger);
    ledger.commit(act.addUser(admin, 'maria'));
    const maria = asUser(admin, 'maria', 1);
    const deeds = [
      act.addUser(maria, 'nina'),
      act.revokeUser(maria, 'maria'),
      act.rotate(maria, createActor('admin', 2)),
      act.suspend(maria, bob.id),
      govern.propose(maria, [govern.add('v5')]),
    ];
    for (const deed of deeds) expect(ledger.execute([deed])).toMatchObject({ reject: 'user_key' });
    expect(ledger.commit(act.createProject(maria, PROJECT))).toEqual(['committed']);
  });

  it('is added with a proof by its key, once, and within the limit', () => {
    const { ledger, act } = consortium();
    const foreign = testSigner('user nina').publicKey;
    expect(ledger.commit(act.addUser(bob, 'maria', { signingKey: foreign }))).toEqual(['badProof']);
    expect(ledger.commit(act.addUser(bob, 'maria'), act.addUser(bob, 'maria'))).toEqual([
      'committed',
      'userExists',
    ]);
    const sameKey = act.addUser(bob, 'maria', { user: hashOf('another') });
    expect(ledger.commit(sameKey)).toEqual(['userExists']);
    expect(ledger.commit(act.revokeUser(bob, 'nina'))).toEqual(['unknownUser']);
    expect(ledger.commit(act.revokeUser(bob, 'maria'), act.addUser(bob, 'maria'))).toEqual([
      'committed',
      'committed',
    ]);
    expect(ledger.commit(act.revokeUser(carol, 'maria'))).toEqual(['unknownUser']);
    expect(LIMITS.userKeysPerMember).toBeLessThan(LIMITS.keysPerMember);
  });

  it('ends with the member', () => {
    const { ledger, act } = runningProject();
    ledger.commit(act.addUser(bob, 'maria'));
    ledger.commit(act.revoke(admin, bob.id));
    expect(memberOf(ledger, bob).keys.every(key => key.untilHeight > 0)).toBe(true);
    const put = act.put(asUser(bob, 'maria', 1), INTAKE, 'later');
    expect(ledger.execute([put])).toMatchObject({ reject: 'sender_revoked' });
  });
});

describe('a suspension', () => {
  it('bites at once, within its block, and takes nothing that resuming would have to give back', () => {
    const { ledger, act } = runningProject();
    const govern = new GovernanceActions(ledger);
    const before = act.phase(INTAKE);
    const outcomes = ledger.commit(act.suspend(admin, bob.id), act.put(bob, INTAKE, 'too late'));
    expect(outcomes).toEqual(['committed', 'memberSuspended']);
    expect(memberOf(ledger, bob).suspendedHeight).toBe(ledger.height);
    const refused = { reject: 'sender_suspended', detail: `bob, since height ${ledger.height}` };
    expect(ledger.execute([act.put(bob, INTAKE, 'later')])).toMatchObject(refused);
    expect(act.phase(INTAKE)).toEqual(before);
    expect(memberOfPeer(readSystem(ledger.state), 'peer-of-bob')?.id).toBe(bob.id);
    const logs = [ledger.logId('system'), ledger.logId('phase', INTAKE)] as const;
    const readable = () => logs.map(logId => readableRanges(ledger.state, bob.id, logId).length);
    expect(readable()).toEqual([1, 0]);
    // an epoch that opens meanwhile is sealed to it too: nothing is to be sealed again later
    expect(ledger.commit(act.rotateEpoch(carol, INTAKE))).toEqual(['committed']);
    expect(ledger.commit(govern.propose(admin, [{ type: 'memberResume', member: bob.id }]))).toEqual([
      'committed',
    ]);
    expect(memberOf(ledger, bob)).toMatchObject({ suspendedHeight: 0, version: 2 });
    expect(readable()).toEqual([1, 1]);
    expect(ledger.commit(act.put(bob, INTAKE, 'again'))).toEqual(['committed']);
    expect(isReject(decodeSystemState(encodeSystemState(readSystem(ledger.state))))).toBe(false);
  });

  it('is for administrators, once, and not of one of them', () => {
    const { ledger, act } = consortium();
    expect(ledger.commit(act.suspend(alice, bob.id))).toEqual(['notAdministrator']);
    expect(ledger.commit(act.suspend(admin, admin.id))).toEqual(['isAdministrator']);
    expect(ledger.commit(act.suspend(admin, createActor('nobody').id))).toEqual(['unknownMember']);
    expect(ledger.commit(act.suspend(admin, bob.id), act.suspend(admin, bob.id))).toEqual([
      'committed',
      'memberSuspended',
    ]);
  });

  it('keeps the member out of new phases until it is resumed', () => {
    const { ledger, act } = runningProject();
    ledger.commit(act.suspend(admin, dave.id));
    const add = act.addParticipant(alice, INTAKE, dave.id, GRANTS.none);
    expect(ledger.commit(add)).toEqual(['memberSuspended']);
  });
});

/** Three administrators of whom two decide; bob and carol are in INTAKE. */
function governed() {
  const { ledger, act } = runningProject();
  const govern = new GovernanceActions(ledger);
  const administrators = [admin.id, alice.id, carol.id].sort();
  ledger.commit(govern.propose(admin, [govern.administrators(administrators, 2)]));
  const decide = (action: Action) => {
    ledger.commit(govern.propose(admin, [action]));
    const { number } = govern.system.governance.proposals.at(-1)!;
    ledger.commit(govern.vote(alice, number));
    return govern.proposal(number);
  };
  return { ledger, act, govern, decide };
}

/** The phase's state from its leaves alone, as whoever holds them computes it. */
function folded(ledger: TestLedger, phase: Hash): ScopeValue {
  let value: ScopeValue = { scope: 'phase', state: null };
  for (const { leaf, transactionId } of ledger.leavesOf('phase', phase)) {
    const read = decodeLeaf(leaf);
    const transaction = decodeTransaction(nodeSuite.sha256, ledger.wrappers.get(transactionId)!);
    if (isReject(read) || isReject(transaction)) throw new Error('a stored leaf decodes');
    const next = foldLeaf(value, read, transaction);
    if (isReject(next)) throw new Error(next.detail);
    value = next;
  }
  return value;
}

describe('ballots about a member', () => {
  it('suspend an administrator, whose ballots count no more, but never the last that are needed', () => {
    const { ledger, act, govern, decide } = governed();
    expect(ledger.commit(act.suspend(admin, carol.id))).toEqual(['isAdministrator']);
    ledger.commit(govern.propose(carol, [govern.add('v5')]));
    expect(decide({ type: 'memberSuspend', member: carol.id, reason: 'stolen' }).status).toBe('executed');
    expect(ledger.commit(govern.vote(alice, 2))).toEqual(['committed']);
    expect(govern.proposal(2).status).toBe('open');
    expect(decide({ type: 'memberResume', member: carol.id }).status).toBe('executed');
    decide({ type: 'memberSuspend', member: carol.id, reason: '' });
    const more = govern.propose(admin, [{ type: 'memberSuspend', member: alice.id, reason: '' }]);
    expect(ledger.commit(more)).toEqual(['lastAdministrator']);
    const gone = govern.propose(admin, [{ type: 'memberRevoke', member: alice.id, reason: '' }]);
    expect(ledger.commit(gone)).toEqual(['lastAdministrator']);
    // nor is a threshold set that only one who is suspended could help to reach
    const all = govern.administrators([admin.id, alice.id, carol.id].sort(), 3);
    expect(ledger.commit(govern.propose(admin, [all]))).toEqual(['badAdministrators']);
  });

  it('revoke as one administrator does: with a leaf in each phase of the member, which it freezes', () => {
    const { ledger, act, decide } = governed();
    const { membershipVersion } = act.phase(INTAKE);
    const size = ledger.leavesOf('phase', INTAKE).length;
    expect(decide({ type: 'memberRevoke', member: carol.id, reason: 'left' }).status).toBe('executed');
    expect(memberOf(ledger, carol).revoked).toBe(true);
    expect(act.phase(INTAKE)).toMatchObject({ frozen: true, membershipVersion: membershipVersion + 1 });
    const leaves = ledger.leavesOf('phase', INTAKE);
    expect(leaves).toHaveLength(size + 1);
    expect(leaves.at(-1)?.transactionId).toBe(ledger.leavesOf('system').at(-1)?.transactionId);
    const value = folded(ledger, INTAKE);
    expect(value.state).toEqual(act.phase(INTAKE));
    expect(encodeScopeState(value as never)).toEqual(
      encodeScopeState({ scope: 'phase', state: act.phase(INTAKE) }),
    );
  });

  it('give other keys: all old ones end, users too, its phases wait for an epoch sealed to the new one', () => {
    const { ledger, act, govern, decide } = governed();
    ledger.commit(act.addUser(bob, 'maria'));
    const next = createActor('bob', 2, ['another-peer']);
    const early = govern.memberRekey(next);
    expect(decide(early).status).toBe('executed');
    const member = memberOf(ledger, bob);
    expect(member.keys.map(key => [key.user === null, key.untilHeight])).toEqual([
      [true, ledger.height + 1],
      [false, ledger.height + 1],
      [true, 0],
    ]);
    expect(member.peerIds).toEqual(['another-peer']);
    expect(memberOfPeer(readSystem(ledger.state), 'peer-of-bob')).toBeNull();
    expect(act.phase(INTAKE)).toMatchObject({ frozen: true });
    expect(folded(ledger, INTAKE).state).toEqual(act.phase(INTAKE));
    expect(ledger.execute([act.put(bob, INTAKE, 'with the lost key')])).toMatchObject({
      reject: 'revoked_key',
    });
    const old = act.opening(1, [alice.id, bob.id, carol.id]);
    const envelopes = old.envelopes.map(each => (each.member === bob.id ? { ...each, keyId: 0 } : each));
    const toOld = act.rotateEpoch(carol, INTAKE, { epoch: { ...old, envelopes } });
    expect(ledger.commit(toOld)).toEqual(['badEnvelopes']);
    expect(ledger.commit(act.rotateEpoch(carol, INTAKE))).toEqual(['committed']);
    expect(ledger.commit(act.put(next, INTAKE, 'by the same member'))).toEqual(['committed']);
    expect(act.phase(INTAKE).participants.find(entry => entry.member === bob.id)).toMatchObject({
      startPosition: 0,
      fromEpoch: 0,
    });
    const stale = govern.propose(admin, [{ ...early, before: 0 }]);
    expect(ledger.commit(stale)).toEqual(['staleVersion']);
  });

  it('ask for a proof by the new key, free peer ids, and a proposal of their own', () => {
    const { ledger, govern } = governed();
    const next = createActor('bob', 2, ['another-peer']);
    const propose = (action: Action, ...more: Action[]) =>
      ledger.commit(govern.propose(admin, [action, ...more]))[0];
    const { proof } = govern.memberRekey(createActor('bob', 3));
    expect(propose(govern.memberRekey(next, { proof }))).toBe('badProof');
    expect(propose(govern.memberRekey(createActor('bob', 2, ['peer-of-carol'])))).toBe('peerIdTaken');
    expect(propose(govern.memberRekey(createActor('nobody')))).toBe('unknownMember');
    expect(propose(govern.memberRekey(next), govern.add('v5'))).toBe('malformed');
    expect(propose({ type: 'memberResume', member: bob.id })).toBe('notSuspended');
  });

  it('leaves who has the old keys nothing to come back by, even in the very block', () => {
    const { ledger, act, govern } = governed();
    const version = memberOf(ledger, bob).version + 1;
    const next = createActor('bob', 2);
    ledger.commit(govern.propose(admin, [govern.memberRekey(next)]));
    const rekey = govern.vote(alice, 2);
    const again = act.rotate(bob, createActor('bob', 3), { expectedVersion: version });
    expect(ledger.commit(rekey, act.addUser(bob, 'thief'), again)).toEqual([
      'committed',
      'revokedKey',
      'revokedKey',
    ]);
    const open = memberOf(ledger, bob).keys.filter(({ untilHeight }) => untilHeight === 0);
    expect(open.map(({ signingKey }) => signingKey)).toEqual([next.card.signingKey]);
    // the same of one that the member itself leaves behind
    const third = createActor('bob', 4);
    const stolen = { ...next, keyId: 1 };
    const rotate = act.rotate(stolen, third);
    const race = act.rotate(stolen, createActor('bob', 5), { expectedVersion: version + 1 });
    expect(ledger.commit(rotate, race, act.addUser(stolen, 'thief'))).toEqual([
      'committed',
      'revokedKey',
      'revokedKey',
    ]);
  });

  it('find a place for another key, however many the member, or who stole its key, has brought in', () => {
    const { ledger, act, decide, govern } = governed();
    const system = readSystem(ledger.state);
    const [own] = memberOf(ledger, bob).keys;
    const most = LIMITS.keysPerMember - LIMITS.ballotKeysPerMember;
    const ended = Array.from({ length: most - 1 }, () => ({ ...own!, untilHeight: 1 }));
    const keys = [...ended, own!];
    const members = system.members.map(member => (member.id === bob.id ? { ...member, keys } : member));
    ledger.state.values.set(STATE_KEYS.system, encodeSystemState({ ...system, members }));
    const stolen = { ...bob, keyId: most - 1 };
    expect(ledger.commit(act.addUser(stolen, 'thief'))).toEqual(['limitReached']);
    expect(ledger.commit(act.rotate(stolen, createActor('bob', 1)))).toEqual(['limitReached']);
    decide(govern.memberRekey(createActor('bob', 2)));
    expect(memberOf(ledger, bob).keys).toHaveLength(most + 1);
  });
});
