import { describe, expect, it } from 'vitest';
import { readableRanges } from '../../../src/core/access/visibility.ts';
import type { MemberId } from '../../../src/core/base/ids.ts';
import { encodeCount, encodePhaseState, STATE_KEYS } from '../../../src/core/codec/state.ts';
import { LIMITS } from '../../../src/core/types/limits.ts';
import { CUSTODY, GRANTS, ROLES } from '../../../src/core/types/operation.ts';
import type { PhaseState } from '../../../src/core/types/state.ts';
import { bytesOf, createActor, hashOf } from '../../support/ledger-kit.ts';
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

const participant = (act: ReturnType<typeof runningProject>['act'], member: MemberId) =>
  act.phase(INTAKE).participants.find(entry => entry.member === member);

describe('participantAdd', () => {
  it('[83] grant none: a new epoch, and reading begins with the own leaf', () => {
    const { ledger, act } = runningProject();
    ledger.commit(act.put(bob, INTAKE, 'old'));
    const position = ledger.leavesOf('phase', INTAKE).length;
    expect(ledger.commit(act.addParticipant(carol, INTAKE, dave.id, GRANTS.none))).toEqual(['committed']);
    expect(participant(act, dave.id)).toMatchObject({ startPosition: position, fromEpoch: 1 });
    expect(act.phase(INTAKE).epochs.at(-1)).toMatchObject({ number: 1, startPosition: position });
    expect(act.phase(INTAKE).membershipVersion).toBe(1);
    expect(ledger.commit(act.put(bob, INTAKE, 'stale', 0))).toEqual(['staleEpoch']);
    expect(readableRanges(ledger.state, dave.id, ledger.logId('phase', INTAKE)).at(-1)).toEqual({
      from: position,
      to: null,
    });
  });

  it('[83] grant all: no new epoch, and reading begins with the first leaf', () => {
    const { ledger, act } = runningProject();
    expect(ledger.commit(act.addParticipant(alice, INTAKE, dave.id, GRANTS.all))).toEqual(['committed']);
    expect(participant(act, dave.id)).toMatchObject({ startPosition: 0, fromEpoch: 0 });
    expect(act.phase(INTAKE).epochs).toHaveLength(1);
  });

  it('[83] grant from an epoch: reading begins where that epoch began', () => {
    const { ledger, act } = runningProject();
    ledger.commit(act.put(bob, INTAKE, 'old'));
    ledger.commit(act.rotateEpoch(alice, INTAKE));
    ledger.commit(act.put(bob, INTAKE, 'new'));
    const beyond = act.addParticipant(alice, INTAKE, dave.id, GRANTS.fromEpoch, { fromEpoch: 2 });
    expect(ledger.commit(beyond)).toEqual(['staleEpoch']);
    const add = act.addParticipant(alice, INTAKE, dave.id, GRANTS.fromEpoch, { fromEpoch: 1 });
    expect(ledger.commit(add)).toEqual(['committed']);
    const start = act.phase(INTAKE).epochs[1]?.startPosition;
    expect(participant(act, dave.id)).toMatchObject({ startPosition: start, fromEpoch: 1 });
  });

  it('lets a steward grant no more history than it was given itself', () => {
    const { ledger, act } = runningProject();
    const steward = act.addParticipant(alice, INTAKE, dave.id, GRANTS.none, { roles: STEWARD });
    expect(ledger.commit(steward)).toEqual(['committed']);
    expect(ledger.commit(act.addParticipant(dave, INTAKE, admin.id, GRANTS.all))).toEqual(['custodyForbids']);
    const held = act.addParticipant(dave, INTAKE, admin.id, GRANTS.fromEpoch, { fromEpoch: 1 });
    expect(ledger.commit(held)).toEqual(['committed']);
  });

  it('refuses who may not add, who is there, who is unknown or revoked, and a race', () => {
    const { ledger, act } = runningProject();
    expect(ledger.commit(act.addParticipant(bob, INTAKE, dave.id, GRANTS.all))).toEqual(['roleMissing']);
    expect(ledger.commit(act.addParticipant(dave, INTAKE, dave.id, GRANTS.all))).toEqual(['notParticipant']);
    expect(ledger.commit(act.addParticipant(alice, INTAKE, bob.id, GRANTS.all))).toEqual([
      'alreadyParticipant',
    ]);
    const stranger = act.addParticipant(alice, INTAKE, 'zoe' as MemberId, GRANTS.all);
    expect(ledger.commit(stranger)).toEqual(['unknownMember']);
    const [one, two] = [dave, admin].map(({ id }) => act.addParticipant(alice, INTAKE, id, GRANTS.all));
    expect(ledger.commit(one!, two!)).toEqual(['committed', 'staleMembership']);
    ledger.commit(act.revoke(admin, dave.id), act.removeParticipant(alice, INTAKE, bob.id));
    ledger.commit(act.removeParticipant(alice, INTAKE, dave.id));
    expect(ledger.commit(act.addParticipant(alice, INTAKE, dave.id, GRANTS.all))).toEqual(['memberRevoked']);
  });

  it('refuses envelopes that are missing, too many, of others, or for a key that is not current', () => {
    const { ledger, act } = runningProject();
    const { epochs } = act.phase(INTAKE);
    const opening = (...members: MemberId[]) => ({ epoch: act.opening(epochs.length, members) });
    const add = (grant: number, changes: object) =>
      ledger.commit(act.addParticipant(alice, INTAKE, dave.id, grant, changes))[0];
    const envelope = { member: dave.id, keyId: 0, sealed: bytesOf('x', 80) };
    expect(add(GRANTS.none, opening(alice.id, bob.id, carol.id))).toBe('badEnvelopes');
    expect(add(GRANTS.none, opening(alice.id, bob.id, carol.id, dave.id, admin.id))).toBe('badEnvelopes');
    expect(add(GRANTS.none, opening(alice.id, bob.id, carol.id, dave.id, dave.id))).toBe('badEnvelopes');
    expect(add(GRANTS.none, { epoch: null })).toBe('badEnvelopes');
    expect(add(GRANTS.none, { envelope })).toBe('badEnvelopes');
    expect(add(GRANTS.none, { fromEpoch: 1 })).toBe('malformed');
    expect(add(GRANTS.all, { envelope: null })).toBe('badEnvelopes');
    expect(add(GRANTS.all, { envelope: { ...envelope, member: bob.id } })).toBe('badEnvelopes');
    expect(add(GRANTS.all, { envelope: { ...envelope, keyId: 1 } })).toBe('badEnvelopes');
    expect(add(GRANTS.all, opening(alice.id, bob.id, carol.id, dave.id))).toBe('badEnvelopes');
    const prepared = act.addParticipant(alice, INTAKE, dave.id, GRANTS.all);
    ledger.commit(act.rotate(dave, createActor('dave', 1)));
    expect(ledger.commit(prepared)).toEqual(['badEnvelopes']);
  });
});

describe('participantRemove', () => {
  it('[82] opens an epoch without the removed one, who reads up to and including the removal', () => {
    const { ledger, act } = runningProject();
    ledger.commit(act.put(bob, INTAKE, 'seen'));
    const position = ledger.leavesOf('phase', INTAKE).length;
    const withBob = act.opening(1, [alice.id, bob.id, carol.id]);
    expect(ledger.commit(act.removeParticipant(alice, INTAKE, bob.id, { epoch: withBob }))).toEqual([
      'badEnvelopes',
    ]);
    expect(ledger.commit(act.removeParticipant(carol, INTAKE, bob.id, { epoch: null }))).toEqual([
      'badEnvelopes',
    ]);
    expect(ledger.commit(act.removeParticipant(carol, INTAKE, bob.id))).toEqual(['committed']);
    const end = position + 3;
    expect(ledger.leavesOf('phase', INTAKE)).toHaveLength(end);
    expect(act.phase(INTAKE).former).toEqual([{ member: bob.id, startPosition: 0, endPosition: end }]);
    expect(ledger.commit(act.put(bob, INTAKE, 'after', 1))).toEqual(['notParticipant']);
    expect(ledger.leavesOf('phase', INTAKE)).toHaveLength(end);
    const logId = ledger.logId('phase', INTAKE);
    expect(readableRanges(ledger.state, bob.id, logId).at(-1)).toEqual({ from: 0, to: end });
  });

  it('[83] added, removed, added again: two ranges, and nothing of between', () => {
    const { ledger, act } = runningProject();
    ledger.commit(act.removeParticipant(alice, INTAKE, bob.id));
    const end = ledger.leavesOf('phase', INTAKE).length;
    ledger.commit(act.put(carol, INTAKE, 'not for bob'));
    ledger.commit(act.addParticipant(alice, INTAKE, bob.id, GRANTS.none));
    const logId = ledger.logId('phase', INTAKE);
    expect(readableRanges(ledger.state, bob.id, logId)).toEqual([
      { from: 0, to: end },
      { from: end + 1, to: null },
    ]);
    expect(readableRanges(ledger.state, bob.id, logId).at(-1)).toEqual({ from: end + 1, to: null });
    ledger.commit(act.removeParticipant(alice, INTAKE, bob.id));
    ledger.commit(act.addParticipant(alice, INTAKE, bob.id, GRANTS.all));
    expect(readableRanges(ledger.state, bob.id, logId)).toEqual([{ from: 0, to: null }]);
  });

  it('does not let one who leaves make the next epoch', () => {
    const { ledger, act } = runningProject();
    const own = act.opening(1, [alice.id, bob.id]);
    expect(ledger.commit(act.removeParticipant(carol, INTAKE, carol.id, { epoch: own }))).toEqual([
      'custodyForbids',
    ]);
    expect(ledger.commit(act.removeParticipant(carol, INTAKE, carol.id, { epoch: null }))).toEqual([
      'committed',
    ]);
    expect(act.phase(INTAKE).frozen).toBe(true);
    expect(ledger.commit(act.put(bob, INTAKE, 'frozen'))).toEqual(['phaseFrozen']);
    expect(ledger.commit(act.rotateEpoch(alice, INTAKE))).toEqual(['committed']);
    expect(ledger.commit(act.put(bob, INTAKE, 'thawed'))).toEqual(['committed']);
  });

  it('refuses who may not, who is not there, and a race', () => {
    const { ledger, act } = runningProject();
    expect(ledger.commit(act.removeParticipant(bob, INTAKE, carol.id))).toEqual(['roleMissing']);
    expect(ledger.commit(act.removeParticipant(alice, INTAKE, dave.id))).toEqual(['notParticipant']);
    const [one, two] = [bob, carol].map(({ id }) => act.removeParticipant(alice, INTAKE, id));
    expect(ledger.commit(one!, two!)).toEqual(['committed', 'staleMembership']);
  });
});

describe('custody of the participants', () => {
  const PRIVATE = hashOf('private');

  function privatePhase() {
    const { ledger, act } = runningProject();
    const members = { alice: STEWARD, bob: WRITER, carol: STEWARD };
    const custody = { inPhase: { custody: CUSTODY.participants } };
    ledger.commit(act.addPhase(alice, PROJECT, PRIVATE, members, custody));
    ledger.commit(act.open(alice, PRIVATE));
    return { ledger, act };
  }

  it('a removal by an outside owner freezes until a participant rotates', () => {
    const { ledger, act } = privatePhase();
    expect(ledger.commit(act.removeParticipant(carol, PRIVATE, alice.id))).toEqual(['committed']);
    const byOwner = act.removeParticipant(alice, PRIVATE, bob.id);
    expect(ledger.commit(byOwner)).toEqual(['custodyForbids']);
    expect(ledger.commit(act.addParticipant(alice, PRIVATE, dave.id, GRANTS.none))).toEqual([
      'custodyForbids',
    ]);
    expect(ledger.commit(act.addParticipant(alice, PRIVATE, dave.id, GRANTS.all))).toEqual([
      'custodyForbids',
    ]);
    expect(ledger.commit(act.removeParticipant(alice, PRIVATE, bob.id, { epoch: null }))).toEqual([
      'committed',
    ]);
    expect(act.phase(PRIVATE).frozen).toBe(true);
    expect(ledger.commit(act.rotateEpoch(alice, PRIVATE))).toEqual(['custodyForbids']);
    expect(ledger.commit(act.put(carol, PRIVATE, 'frozen'))).toEqual(['phaseFrozen']);
    expect(ledger.commit(act.rotateEpoch(carol, PRIVATE))).toEqual(['committed']);
    expect(ledger.commit(act.put(carol, PRIVATE, 'thawed'))).toEqual(['committed']);
  });

  it('keeps one who can rotate', () => {
    const { ledger, act } = privatePhase();
    ledger.commit(act.removeParticipant(carol, PRIVATE, alice.id));
    expect(ledger.commit(act.changeRole(alice, PRIVATE, carol.id, WRITER))).toEqual(['lastSteward']);
    expect(ledger.commit(act.removeParticipant(alice, PRIVATE, carol.id, { epoch: null }))).toEqual([
      'lastSteward',
    ]);
    expect(ledger.commit(act.changeRole(alice, PRIVATE, bob.id, STEWARD))).toEqual(['committed']);
    expect(ledger.commit(act.changeRole(alice, PRIVATE, carol.id, WRITER))).toEqual(['committed']);
  });

  it('has no last steward under custody of the manager, who can always rotate', () => {
    const { ledger, act } = runningProject();
    expect(ledger.commit(act.changeRole(alice, INTAKE, carol.id, ROLES.reader))).toEqual(['committed']);
    expect(ledger.commit(act.removeParticipant(alice, INTAKE, carol.id))).toEqual(['committed']);
    expect(ledger.commit(act.removeParticipant(alice, INTAKE, bob.id))).toEqual(['committed']);
    expect(act.phase(INTAKE).participants).toEqual([]);
  });
});

describe('a phase at its limits', () => {
  /** Puts intake into a state that would take years to reach. */
  function withPhase(change: (phase: PhaseState) => Partial<PhaseState>) {
    const { ledger, act } = runningProject();
    const phase = act.phase(INTAKE);
    ledger.state.values.set(STATE_KEYS.phase(INTAKE), encodePhaseState({ ...phase, ...change(phase) }));
    return { ledger, act };
  }

  it('lets members be removed when no epoch can be opened any more: it freezes', () => {
    const { ledger, act } = withPhase(phase => ({
      epochs: Array.from({ length: LIMITS.epochsPerPhase }, (_, number) => ({ ...phase.epochs[0]!, number })),
    }));
    expect(ledger.commit(act.rotateEpoch(carol, INTAKE))).toEqual(['limitReached']);
    expect(ledger.commit(act.removeParticipant(alice, INTAKE, bob.id))).toEqual(['limitReached']);
    expect(ledger.commit(act.removeParticipant(alice, INTAKE, bob.id, { epoch: null }))).toEqual([
      'committed',
    ]);
    expect(act.phase(INTAKE)).toMatchObject({ frozen: true, former: [{ member: bob.id }] });
    expect(participant(act, bob.id)).toBeUndefined();
  });

  it('keeps room for the removal of everybody who is in: it refuses to add instead', () => {
    const stays = (count: number) => () => ({
      former: Array.from({ length: count }, (_, index) => ({
        ...{ member: `former-${index}` as MemberId, startPosition: index, endPosition: index + 1 },
      })),
    });
    const full = withPhase(stays(LIMITS.formerPerPhase - 2));
    expect(full.ledger.commit(full.act.addParticipant(alice, INTAKE, dave.id, GRANTS.all))).toEqual([
      'limitReached',
    ]);
    for (const { id } of [bob, carol]) {
      expect(full.ledger.commit(full.act.removeParticipant(alice, INTAKE, id))).toEqual(['committed']);
    }
    expect(full.act.phase(INTAKE).former).toHaveLength(LIMITS.formerPerPhase);
    const roomy = withPhase(stays(LIMITS.formerPerPhase - 3));
    expect(roomy.ledger.commit(roomy.act.addParticipant(alice, INTAKE, dave.id, GRANTS.all))).toEqual([
      'committed',
    ]);
  });

  it('[83] remembers what a member may read, not how often it came and went', () => {
    const { ledger, act } = runningProject();
    const logId = ledger.logId('phase', INTAKE);
    const come = (grant: number) => ledger.commit(act.addParticipant(alice, INTAKE, bob.id, grant));
    const go = () => ledger.commit(act.removeParticipant(alice, INTAKE, bob.id));
    go();
    const first = ledger.leavesOf('phase', INTAKE).length;
    ledger.commit(act.put(carol, INTAKE, 'between'));
    come(GRANTS.none);
    go();
    const [, gap] = [first, first + 1];
    expect(act.phase(INTAKE).former).toEqual([
      { member: bob.id, startPosition: 0, endPosition: first },
      { member: bob.id, startPosition: gap, endPosition: gap! + 2 },
    ]);
    const before = readableRanges(ledger.state, bob.id, logId);
    expect(before).toHaveLength(2);
    // All of the past: one range says it.
    for (let time = 0; time < 3; time += 1) {
      come(GRANTS.all);
      go();
    }
    const end = ledger.leavesOf('phase', INTAKE).length;
    expect(act.phase(INTAKE).former).toEqual([{ member: bob.id, startPosition: 0, endPosition: end }]);
    expect(readableRanges(ledger.state, bob.id, logId)).toEqual([{ from: 0, to: end }]);
  });

  it('bounds what the revocation of one member may touch', () => {
    const { ledger, act } = runningProject();
    ledger.state.values.set(STATE_KEYS.memberScopeCount(dave.id), encodeCount(16_384));
    expect(ledger.commit(act.addParticipant(alice, INTAKE, dave.id, GRANTS.all))).toEqual(['limitReached']);
    ledger.state.values.set(STATE_KEYS.memberScopeCount(dave.id), encodeCount(16_383));
    expect(ledger.commit(act.addParticipant(alice, INTAKE, dave.id, GRANTS.all))).toEqual(['committed']);
  });
});

describe('a phase whose owner and stewards are gone', () => {
  it('goes on: a contributor opens the next epoch and removes the revoked, and nothing else', () => {
    const { ledger, act } = runningProject();
    ledger.commit(act.addParticipant(alice, INTAKE, dave.id, GRANTS.all, { roles: ROLES.reader }));
    ledger.commit(act.revoke(admin, carol.id));
    // The owner is there yet.
    expect(ledger.commit(act.rotateEpoch(bob, INTAKE))).toEqual(['roleMissing']);
    expect(ledger.commit(act.removeParticipant(bob, INTAKE, carol.id))).toEqual(['roleMissing']);
    ledger.commit(act.revoke(admin, alice.id));
    expect(act.phase(INTAKE).frozen).toBe(true);
    expect(ledger.commit(act.rotateEpoch(dave, INTAKE))).toEqual(['roleMissing']);
    expect(ledger.commit(act.removeParticipant(bob, INTAKE, dave.id))).toEqual(['roleMissing']);
    expect(ledger.commit(act.changeRole(bob, INTAKE, bob.id, STEWARD))).toEqual(['roleMissing']);
    expect(ledger.commit(act.addParticipant(bob, INTAKE, admin.id, GRANTS.none))).toEqual(['roleMissing']);
    expect(ledger.commit(act.rotateEpoch(bob, INTAKE))).toEqual(['committed']);
    expect(ledger.commit(act.put(bob, INTAKE, 'goes on', 1))).toEqual(['committed']);
    expect(ledger.commit(act.removeParticipant(bob, INTAKE, carol.id))).toEqual(['committed']);
    expect(act.phase(INTAKE).participants.map(entry => entry.member)).toEqual([bob.id, dave.id]);
  });

  it('waits for the steward that is left', () => {
    const { ledger, act } = runningProject();
    ledger.commit(act.revoke(admin, alice.id));
    expect(ledger.commit(act.rotateEpoch(bob, INTAKE))).toEqual(['roleMissing']);
    expect(ledger.commit(act.rotateEpoch(carol, INTAKE))).toEqual(['committed']);
  });
});

describe('roles and epochs', () => {
  it('changes what a participant may do, and counts as a change of membership', () => {
    const { ledger, act } = runningProject();
    expect(ledger.commit(act.put(bob, INTAKE, 'one'))).toEqual(['committed']);
    expect(ledger.commit(act.changeRole(carol, INTAKE, bob.id, ROLES.reader))).toEqual(['committed']);
    expect(ledger.commit(act.put(bob, INTAKE, 'two'))).toEqual(['roleMissing']);
    expect(act.phase(INTAKE).membershipVersion).toBe(1);
    expect(ledger.commit(act.changeRole(carol, INTAKE, bob.id, WRITER, 0))).toEqual(['staleMembership']);
    expect(ledger.commit(act.changeRole(carol, INTAKE, dave.id, WRITER))).toEqual(['notParticipant']);
    expect(ledger.commit(act.changeRole(bob, INTAKE, bob.id, 15))).toEqual(['roleMissing']);
  });

  it('numbers epochs without gaps, and lets one of two rotations win', () => {
    const { ledger, act } = runningProject();
    const skipping = act.opening(2, [alice.id, bob.id, carol.id]);
    expect(ledger.commit(act.rotateEpoch(carol, INTAKE, { epoch: skipping }))).toEqual(['staleEpoch']);
    const outcomes = ledger.commit(act.rotateEpoch(carol, INTAKE), act.rotateEpoch(alice, INTAKE));
    expect(outcomes).toEqual(['committed', 'staleMembership']);
    expect(act.phase(INTAKE).epochs.map(epoch => epoch.number)).toEqual([0, 1]);
    expect(ledger.commit(act.rotateEpoch(bob, INTAKE))).toEqual(['roleMissing']);
    const noKey = { ...act.opening(2, [alice.id, bob.id, carol.id]), publicKey: new Uint8Array(33) };
    expect(ledger.commit(act.rotateEpoch(carol, INTAKE, { epoch: noKey }))).toEqual(['malformed']);
  });
});

describe('who may read', () => {
  it('system: every member; project: its owner; phase: owner and participants; a stranger and a revoked one: nothing', () => {
    const { ledger, act } = runningProject();
    const read = (member: MemberId, scope: 'system' | 'project' | 'phase', id = ledger.chainId) =>
      readableRanges(ledger.state, member, ledger.logId(scope, id)).at(-1) ?? null;
    const whole = { from: 0, to: null };
    expect(read(dave.id, 'system')).toEqual(whole);
    expect(read('zoe' as MemberId, 'system')).toBeNull();
    expect(read(alice.id, 'project', PROJECT)).toEqual(whole);
    expect(read(bob.id, 'project', PROJECT)).toBeNull();
    expect(read(alice.id, 'phase', INTAKE)).toEqual(whole);
    expect(read(bob.id, 'phase', INTAKE)).toEqual(whole);
    expect(read(dave.id, 'phase', INTAKE)).toBeNull();
    expect(read(bob.id, 'phase', hashOf('none'))).toBeNull();
    ledger.commit(act.revoke(admin, bob.id));
    expect(read(bob.id, 'phase', INTAKE)).toBeNull();
    expect(read(bob.id, 'system')).toBeNull();
  });
});
