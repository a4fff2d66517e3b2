import { describe, expect, it } from 'vitest';
import type { MemberId } from '../../../src/core/base/ids.ts';
import { isReject } from '../../../src/core/base/reject.ts';
import { decodeLeaf } from '../../../src/core/codec/transaction.ts';
import { findMember, memberOfPeer, readSystem } from '../../../src/core/ledger/read.ts';
import { OUTCOMES } from '../../../src/core/types/outcome.ts';
import { createActor } from '../../support/ledger-kit.ts';
import { admin, alice, bob, carol, consortium, INTAKE, PROJECT, runningProject } from './fixture.ts';

const erin = createActor('erin');

describe('memberRegister', () => {
  it('adds a member whose key holds from the next height on', () => {
    const { ledger, act } = consortium();
    const ownProject = act.createProject(erin, PROJECT);
    const together = ledger.execute([act.register(admin, erin), ownProject]);
    expect(together).toMatchObject({ reject: 'unknown_sender' });
    expect(ledger.commit(act.register(admin, erin))).toEqual(['committed']);
    const member = findMember(readSystem(ledger.state), erin.id);
    expect(member).toMatchObject({ version: 0, revoked: false, keys: [{ fromHeight: 2, untilHeight: 0 }] });
    expect(readSystem(ledger.state).version).toBe(1);
    expect(readSystem(ledger.state).members.map(entry => entry.id)).toEqual([
      'admin',
      'alice',
      'bob',
      'carol',
      'dave',
      'erin',
    ] as MemberId[]);
    expect(ledger.commit(act.createProject(erin, PROJECT))).toEqual(['committed']);
  });

  it('is for administrators; refusals of others leave nothing in the log that everybody reads', () => {
    const { ledger, act } = consortium();
    expect(ledger.commit(act.register(alice, erin))).toEqual(['notAdministrator']);
    expect(ledger.leavesOf('system')).toHaveLength(0);
    expect(readSystem(ledger.state).version).toBe(0);
    expect(ledger.commit(act.register(admin, createActor('alice', 3, ['peer-new'])))).toEqual([
      'memberExists',
    ]);
    expect(ledger.leavesOf('system')).toHaveLength(1);
  });

  it.each([
    ['memberExists', createActor('alice', 3, ['peer-new'])],
    ['peerIdTaken', createActor('erin', 0, ['peer-of-bob'])],
    ['peerIdTaken', createActor('erin', 0, ['peer-of-validator-v2'])],
    ['malformed', createActor('erin', 0, ['twice', 'twice'])],
  ])('refuses a card with %s', (outcome, actor) => {
    const { ledger, act } = consortium();
    expect(ledger.commit(act.register(admin, actor))).toEqual([outcome]);
  });

  it('refuses a proof of another key, for another card, or of another chain', () => {
    const { ledger, act } = consortium();
    const other = { ...erin, signer: createActor('mallory').signer };
    expect(ledger.commit(act.register(admin, other))).toEqual(['badProof']);
    const badKey = { ...erin.card, sealingKey: new Uint8Array(33) };
    expect(ledger.commit(act.register(admin, erin, badKey))).toEqual(['malformed']);
    const foreign = consortium({ replayWindowBlocks: 77 }).ledger;
    expect(foreign.chainId).not.toBe(ledger.chainId);
    expect(foreign.execute([act.register(admin, erin)])).toMatchObject({ reject: 'wrong_chain' });
  });
});

describe('keys of a card', () => {
  /** The form of a compressed point; no y belongs to x = 1 (then y² would be a non-residue). */
  const offCurve = Uint8Array.from([2, ...new Uint8Array(31), 1]);

  it('must be points of the curve, because others seal to them', () => {
    const { ledger, act } = consortium();
    const card = { ...erin.card, sealingKey: offCurve };
    expect(ledger.commit(act.register(admin, erin, card))).toEqual(['malformed']);
    const next = createActor('alice', 1);
    const rotated = { ...next, card: { ...next.card, sealingKey: offCurve } };
    expect(ledger.commit(act.rotate(alice, rotated))).toEqual(['malformed']);
    expect(ledger.commit(act.rotate(alice, next))).toEqual(['committed']);
  });
});

describe('memberRotate', () => {
  it('ends the old key and begins the new one at the next height [91]', () => {
    const { ledger, act } = consortium();
    const next = createActor('alice', 1, ['peer-of-alice', 'second-peer']);
    expect(ledger.commit(act.rotate(alice, next), act.createProject(alice, PROJECT))).toEqual([
      'committed',
      'committed',
    ]);
    const member = findMember(readSystem(ledger.state), alice.id);
    expect(member?.keys).toMatchObject([
      { fromHeight: 0, untilHeight: 2 },
      { fromHeight: 2, untilHeight: 0 },
    ]);
    expect(member?.version).toBe(1);
    expect(memberOfPeer(readSystem(ledger.state), 'second-peer')?.id).toBe(alice.id);
    expect(ledger.execute([act.archive(alice, PROJECT)])).toMatchObject({ reject: 'revoked_key' });
    expect(ledger.commit(act.archive(next, PROJECT))).toEqual(['committed']);
  });

  it('refuses another member’s card and a race between two rotations', () => {
    const { ledger, act } = consortium();
    const [first, second] = [createActor('alice', 1), createActor('alice', 2)];
    expect(ledger.commit(act.rotate(alice, createActor('bob', 1)))).toEqual(['notOwner']);
    expect(ledger.commit(act.rotate(alice, first), act.rotate(alice, second))).toEqual([
      'committed',
      'revokedKey',
    ]);
    const taken = createActor('alice', 3, ['peer-of-bob']);
    expect(ledger.commit(act.rotate({ ...first, keyId: 1 }, taken))).toEqual(['peerIdTaken']);
    const stolen = { ...createActor('alice', 4), signer: bob.signer };
    expect(ledger.commit(act.rotate({ ...first, keyId: 1 }, stolen))).toEqual(['badProof']);
  });
});

describe('memberRevoke', () => {
  it('takes every right at once, and leaves a leaf in each phase, which it freezes', () => {
    const { ledger, act } = runningProject();
    const before = ledger.leavesOf('phase', INTAKE).length;
    const membership = act.phase(INTAKE).membershipVersion;
    const outcomes = ledger.commit(
      act.put(bob, INTAKE, 'before'),
      act.revoke(admin, bob.id),
      act.put(bob, INTAKE, 'after'),
      act.put(carol, INTAKE, 'of another'),
    );
    expect(outcomes).toEqual(['committed', 'committed', 'revokedKey', 'phaseFrozen']);
    const leaves = ledger.leavesOf('phase', INTAKE);
    // No leaf ever has `revokedKey`, so no leaf is excused from a key that is valid at its height.
    const kinds = leaves.slice(before).map(({ leaf }) => decodeLeaf(leaf));
    expect(kinds).toMatchObject([0, 0, OUTCOMES.phaseFrozen].map(outcome => ({ outcome })));
    expect(leaves).toHaveLength(before + 3);
    expect(leaves[before + 1]?.transactionId).toBe(ledger.leavesOf('system').at(-1)?.transactionId);
    expect(act.phase(INTAKE)).toMatchObject({ frozen: true, membershipVersion: membership + 1 });
    expect(act.phase(INTAKE).participants.map(entry => entry.member)).toContain(bob.id);
    expect(memberOfPeer(readSystem(ledger.state), 'peer-of-bob')).toBeNull();
    expect(ledger.execute([act.put(bob, INTAKE, 'later')])).toMatchObject({ reject: 'sender_revoked' });
    expect(findMember(readSystem(ledger.state), bob.id)?.keys.at(-1)?.untilHeight).toBe(ledger.height + 1);
  });

  it('ends the freeze with an epoch that has no envelope for the revoked member', () => {
    const { ledger, act } = runningProject();
    ledger.commit(act.revoke(admin, bob.id));
    const withBob = act.opening(1, [alice.id, bob.id, carol.id]);
    expect(ledger.commit(act.rotateEpoch(carol, INTAKE, { epoch: withBob }))).toEqual(['badEnvelopes']);
    expect(ledger.commit(act.rotateEpoch(carol, INTAKE))).toEqual(['committed']);
    expect(act.phase(INTAKE)).toMatchObject({ frozen: false });
    expect(ledger.commit(act.put(carol, INTAKE, 'again'))).toEqual(['committed']);
  });

  it('freezes the phases whose keys a revoked owner holds, and leaves phases alone that the member has left', () => {
    const { ledger, act } = runningProject();
    ledger.commit(act.removeParticipant(alice, INTAKE, bob.id));
    const size = ledger.leavesOf('phase', INTAKE).length;
    ledger.commit(act.revoke(admin, bob.id));
    expect(ledger.leavesOf('phase', INTAKE)).toHaveLength(size);
    ledger.commit(act.revoke(admin, alice.id));
    expect(act.phase(INTAKE).frozen).toBe(true);
    expect(ledger.commit(act.rotateEpoch(carol, INTAKE))).toEqual(['committed']);
  });

  it('refuses strangers, unknown and revoked members, and the last administrators', () => {
    const { ledger, act } = consortium();
    expect(ledger.commit(act.revoke(alice, bob.id))).toEqual(['notAdministrator']);
    expect(ledger.commit(act.revoke(admin, 'nobody' as MemberId))).toEqual(['unknownMember']);
    expect(ledger.commit(act.revoke(admin, bob.id), act.revoke(admin, bob.id))).toEqual([
      'committed',
      'memberRevoked',
    ]);
    expect(ledger.commit(act.revoke(admin, admin.id))).toEqual(['lastAdministrator']);
  });

  it('frees the peer ids of a revoked member', () => {
    const { ledger, act } = consortium();
    ledger.commit(act.revoke(admin, bob.id));
    expect(ledger.commit(act.register(admin, createActor('erin', 0, ['peer-of-bob'])))).toEqual([
      'committed',
    ]);
    expect(memberOfPeer(readSystem(ledger.state), 'peer-of-bob')?.id).toBe('erin');
    const sameBlock = ledger.execute([act.register(bob, erin)]);
    expect(isReject(sameBlock)).toBe(true);
  });
});
