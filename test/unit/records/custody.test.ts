import { afterEach, describe, expect, it } from 'vitest';
import type { MemberId, PhaseId } from '../../../src/core/base/ids.ts';
import { CUSTODY } from '../../../src/core/types/operation.ts';
import { phaseCrypto } from '../../../src/crypto/phase-crypto.ts';
import { nodeSuite } from '../../../src/crypto/suite.ts';
import { silentLogger } from '../../../src/ports/logger.ts';
import type { PhaseCrypto } from '../../../src/ports/phase-crypto.ts';
import { rotatorsOf } from '../../../src/services/records/rotation.ts';
import { Records } from '../../../src/services/records/service.ts';
import { Steward } from '../../../src/services/records/steward.ts';
import { ManualClock } from '../files/manual-clock.ts';
import { granted, record, refused, STEWARD, textOf, unsealerOf, World, WRITER } from './support.ts';

const [BOB, CAROL, DORA, ERIN] = ['bob', 'carol', 'dora', 'erin'] as MemberId[] as [
  MemberId,
  MemberId,
  MemberId,
  MemberId,
];
const stewards: Steward[] = [];

afterEach(() => {
  for (const steward of stewards.splice(0)) steward.stop();
});

/** The node of a member: its records, and what it does by itself whenever it is asked to look. */
function nodeOf(world: World, name: string, crypto: PhaseCrypto = phaseCrypto) {
  const access = world.access(name);
  const actor = world.actor(name);
  const records = new Records({
    ...{ access, crypto, suite: nodeSuite, member: actor.id, signer: actor.signer },
    unsealers: [unsealerOf(actor)],
  });
  const running: Promise<unknown>[] = [];
  const watched = <T>(work: Promise<T>) => {
    running.push(work);
    return work;
  };
  const custody = {
    rotateWhereDue: (phase: PhaseId) => watched(records.custody.rotateWhereDue(phase)),
    complainWhereDue: (phase: PhaseId) => watched(records.custody.complainWhereDue(phase)),
  };
  const clock = new ManualClock();
  const steward = new Steward({ custody, access, member: actor.id, clock, logger: silentLogger });
  stewards.push(steward);
  steward.start();
  /** Lets it do what is due, however late its turn comes. */
  const look = async () => {
    steward.review();
    clock.advance(60_000);
    await Promise.all(running);
    await new Promise(resolve => setImmediate(resolve));
  };
  return { records, look, running };
}

/** Held by its participants, among whom the owner is not: alice is the steward, bob writes. */
async function heldByParticipants(more: Record<string, number> = {}) {
  const world = new World(['admin', 'alice', 'bob', 'carol', 'dora', 'erin']);
  const admin = world.records('admin');
  const custody = CUSTODY.participants;
  const all = { alice: STEWARD, bob: WRITER, ...more };
  const phase = await world.phase(admin, await world.project(admin), all, { custody });
  const state = () => world.access('alice').phase(phase)!;
  return { world, admin, phase, state };
}

describe('an owner who takes no part', () => {
  it('makes a phase that it cannot read, and adds members to whom the steward\u2019s node seals by itself', async () => {
    const { world, admin, phase, state } = await heldByParticipants();
    const alice = nodeOf(world, 'alice');
    await alice.look();
    const { id } = granted(await alice.records.putRecord(record(phase, 'ours')));
    expect(await textOf(admin, phase, id)).toContain('the secret of epoch 1 was not given to admin');
    granted(await admin.addParticipant({ phase, member: CAROL, roles: WRITER, grant: 'none' }));
    expect(refused(await alice.records.putRecord(record(phase, 'frozen')))).toBe('phaseFrozen');
    await alice.look();
    const after = granted(await alice.records.putRecord(record(phase, 'for carol too')));
    const carol = world.records('carol');
    expect(await textOf(carol, phase, after.id)).toBe('for carol too');
    expect(await textOf(carol, phase, id)).toBe('unknown_record');
    expect(state().epochs.at(-1)!.opener).toBe('alice');
    expect(await textOf(admin, phase, after.id)).toContain('was not given to admin');
  });

  it('grants a past that it does not know: the node of who knows it gives it', async () => {
    const { world, admin, phase, state } = await heldByParticipants();
    const alice = nodeOf(world, 'alice');
    await alice.look();
    const { id } = granted(await alice.records.putRecord(record(phase, 'before carol')));
    granted(await admin.addParticipant({ phase, member: CAROL, roles: STEWARD, grant: 'all' }));
    // carol's own node, were it first, opens an epoch and has no past to give
    const carol = nodeOf(world, 'carol');
    await carol.look();
    expect(state().frozen).toBe(false);
    expect(await textOf(carol.records, phase, id)).toContain('was not given to carol');
    await alice.look();
    expect(await textOf(carol.records, phase, id)).toBe('before carol');
    const { epochs } = state();
    await alice.look();
    await carol.look();
    expect(state().epochs).toEqual(epochs);
  });

  it('cannot add itself', async () => {
    const { admin, phase } = await heldByParticipants();
    const self = { phase, member: 'admin' as MemberId, roles: WRITER, grant: 'all' } as const;
    expect(refused(await admin.addParticipant(self))).toBe('custodyForbids');
  });
});

describe('an envelope that is no good', () => {
  /** Seals noise to one member; everything else as it should be. */
  const noiseFor = (victim: MemberId): PhaseCrypto => ({
    ...phaseCrypto,
    sealEnvelope: async (context, key, secrets) => {
      const sealed = await phaseCrypto.sealEnvelope(context, key, secrets);
      return context.member === victim ? sealed.map(byte => byte ^ 1) : sealed;
    },
  });

  it('[84] is complained about by the node of its member, and the next steward opens another epoch', async () => {
    const { world, phase, state } = await heldByParticipants({ dora: STEWARD });
    const hostile = nodeOf(world, 'alice', noiseFor(BOB));
    const bob = nodeOf(world, 'bob');
    const dora = nodeOf(world, 'dora');
    granted(await hostile.records.rotateEpoch(phase));
    expect(refused(await bob.records.putRecord(record(phase, 'cannot')))).toBe('key_missing');
    await bob.look();
    const { number, opener } = state().epochs.at(-1)!;
    expect([opener, state().complaints]).toMatchObject(['alice', [{ member: BOB, epoch: number, times: 1 }]]);
    // once an epoch
    await bob.look();
    expect(refused(await bob.records.custody.complain(phase))).toBe('complaintExists');
    await dora.look();
    expect(state().epochs.at(-1)).toMatchObject({ number: number + 1, opener: 'dora' });
    const { id } = granted(await dora.records.putRecord(record(phase, 'for everybody')));
    expect(await textOf(bob.records, phase, id)).toBe('for everybody');
    expect(refused(await bob.records.custody.complain(phase))).toBe('nothing_to_complain');
  });

  it('[84] puts who sealed it last in the order of turns, whoever would have come first', async () => {
    const { world, phase, state } = await heldByParticipants({ dora: STEWARD });
    const hostile = nodeOf(world, 'alice', noiseFor(BOB));
    for (let round = 0; round < 2; round += 1) {
      granted(await hostile.records.rotateEpoch(phase));
      expect(rotatorsOf(world.access('alice').system(), state()).toSorted()).toEqual(['alice', 'dora']);
      granted(await world.records('bob').custody.complain(phase));
      expect(rotatorsOf(world.access('alice').system(), state())).toEqual(['dora', 'alice']);
    }
  });

  it('shows its member which keys of the past it lacks, though the chain says that they were given', async () => {
    const { world, phase, state } = await heldByParticipants();
    const sparing = nodeOf(world, 'alice', {
      ...phaseCrypto,
      sealEnvelope: (context, key, secrets) => phaseCrypto.sealEnvelope(context, key, secrets.slice(-1)),
    });
    granted(await sparing.records.rotateEpoch(phase));
    granted(await sparing.records.addParticipant({ phase, member: CAROL, roles: WRITER, grant: 'all' }));
    const carol = world.records('carol');
    granted(await carol.putRecord(record(phase, 'can write')));
    const current = state().epochs.length - 1;
    expect(carol.vault.openEpochs(phase)).toEqual([current]);
    expect(carol.vault.missing(state())).toEqual(Array.from({ length: current }, (_, number) => number));
    expect(sparing.records.vault.missing(state())).toEqual([]);
    expect(world.records('dora').vault.missing(state())).toEqual([]);
  });

  it('[84] by the only steward there is: its node tries three times, and then waits for people', async () => {
    const { world, phase, state } = await heldByParticipants();
    const hostile = nodeOf(world, 'alice', noiseFor(BOB));
    const bob = nodeOf(world, 'bob');
    granted(await hostile.records.rotateEpoch(phase));
    for (let round = 0; round < 6; round += 1) {
      await bob.look();
      await hostile.look();
    }
    expect(state().epochs).toHaveLength(5);
    expect(state().complaints.find(entry => entry.epoch === 4)).toMatchObject({ member: BOB, times: 4 });
  });

  it('[84] that several say they have, in turns, without end: answers come later and later', async () => {
    const { world, phase, state } = await heldByParticipants({ dora: WRITER });
    const alice = nodeOf(world, 'alice');
    const before = state().epochs.length;
    const complain = (name: string) => {
      const content = { phase, epoch: state().epochs.length - 1, reason: 0 };
      const log = [world.ledger.logId('phase', phase)];
      return world.ledger.commit(world.ledger.make(world.actor(name), 'epochComplaint', log, [content]));
    };
    await alice.look();
    const opened: number[] = [];
    for (let minute = 0; minute < 60; minute += 1) {
      complain(Math.floor(state().epochs.length / 3) % 2 === 0 ? 'bob' : 'dora');
      await alice.look();
      opened.push(state().epochs.length - before - 1);
    }
    // three at once, then after 10 seconds, 20, 40, and so on to 1,280
    expect(opened.slice(0, 6)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(opened.at(-1)).toBeLessThanOrEqual(11);
  });

  it('is not complained about where the own key is missing', async () => {
    const { world, phase } = await heldByParticipants();
    granted(await world.records('alice').rotateEpoch(phase));
    const access = world.access('bob');
    const actor = world.actor('bob');
    const keyless = new Records({
      ...{ access, crypto: phaseCrypto, suite: nodeSuite, member: actor.id, signer: actor.signer },
      unsealers: [],
    });
    expect(await keyless.custody.complainWhereDue(phase)).toBeNull();
    expect(refused(await keyless.custody.complain(phase))).toBe('nothing_to_complain');
  });
});

describe('the recovery of a phase', () => {
  const HOLDERS = [BOB, DORA, ERIN];

  /** Alice shares the key among bob, who takes part, and dora and erin, who do not; then she is gone for good. */
  async function withShares() {
    const { world, admin, phase, state } = await heldByParticipants();
    const alice = world.records('alice');
    granted(await alice.rotateEpoch(phase));
    const first = granted(await alice.putRecord(record(phase, 'first')));
    granted(await alice.custody.setRecovery({ phase, threshold: 2, holders: HOLDERS }));
    granted(await alice.rotateEpoch(phase));
    const second = granted(await alice.putRecord(record(phase, 'second')));
    granted(await admin.addParticipant({ phase, member: CAROL, roles: STEWARD, grant: 'all' }));
    const carol = nodeOf(world, 'carol');
    await carol.look();
    return { world, admin, phase, state, carol: carol.records, first, second };
  }

  it('gives who asks the whole past with k of n shares, and writing goes on meanwhile', async () => {
    const { world, phase, carol, first, second, state } = await withShares();
    granted(await carol.putRecord(record(phase, 'goes on')));
    expect(await textOf(carol, phase, first.id)).toContain('was not given to carol');
    expect(refused(await world.records('dora').custody.offer(phase, CAROL))).toBe('unknownAsk');
    granted(await carol.custody.ask(phase));
    granted(await world.records('dora').custody.offer(phase, CAROL));
    for (const { id } of [first, second])
      expect(await textOf(carol, phase, id)).toContain('was not given to carol');
    expect(await carol.custody.recovery(phase)).toMatchObject({
      recovered: false,
      recovery: { asks: [{ member: CAROL, offers: [DORA] }] },
    });
    granted(await world.records('erin').custody.offer(phase, CAROL));
    expect(await textOf(carol, phase, first.id)).toBe('first');
    expect(await textOf(carol, phase, second.id)).toBe('second');
    expect(await carol.custody.recovery(phase)).toMatchObject({ recovered: true, wrongOffers: [] });
    // the chain knows it too: carol hands on what she has
    expect(state().participants.find(({ member }) => member === CAROL)!.heldFrom).toBe(0);
    granted(await carol.addParticipant({ phase, member: DORA, roles: WRITER, grant: 'all' }));
    expect(await textOf(world.records('dora'), phase, first.id)).toBe('first');
    // a restart does it again from the log
    expect(await textOf(world.records('carol'), phase, first.id)).toBe('first');
  });

  it('shows holders outside the phase the log, and no payload; nor does one who sees everything with one share', async () => {
    const { world, phase, first, second } = await withShares();
    const leaked = world.access('dora');
    leaked.leaked = true;
    const dora = world.records('dora', leaked);
    for (const { id } of [first, second])
      expect(await textOf(dora, phase, id)).toContain('was not given to dora');
    expect(dora.vault.openEpochs(phase)).toEqual([]);
    expect(await dora.custody.recovery(phase)).toMatchObject({ holdsShare: true, recovered: false });
  });

  it('knows a share that is none, and whose it was; another in its place does', async () => {
    const { world, phase, carol, first } = await withShares();
    granted(await carol.custody.ask(phase));
    const lying = {
      ...phaseCrypto,
      sealShare: (...[context, key, share]: Parameters<PhaseCrypto['sealShare']>) =>
        phaseCrypto.sealShare(
          context,
          key,
          share.map(byte => byte ^ 1),
        ),
    };
    granted(await nodeOf(world, 'dora', lying).records.custody.offer(phase, CAROL));
    granted(await world.records('erin').custody.offer(phase, CAROL));
    expect(await textOf(carol, phase, first.id)).toContain('was not given to carol');
    expect(await carol.custody.recovery(phase)).toMatchObject({ recovered: false, wrongOffers: [DORA] });
    granted(await world.records('bob').custody.offer(phase, CAROL));
    expect(await textOf(carol, phase, first.id)).toBe('first');
  });

  it('asks for two holders at least, and for keys to share', async () => {
    const { world, admin, phase } = await heldByParticipants();
    const alice = world.records('alice');
    const set = (records: Records, threshold: number, holders: MemberId[]) =>
      records.custody.setRecovery({ phase, threshold, holders });
    expect(refused(await set(alice, 1, HOLDERS))).toBe('badShares');
    expect(refused(await set(alice, 3, [BOB, BOB, DORA]))).toBe('badShares');
    expect(refused(await set(admin, 2, HOLDERS))).toBe('key_missing');
    expect(refused(await set(alice, 2, [BOB, 'nobody' as MemberId]))).toBe('unknown_member');
    expect(await alice.custody.recovery(phase)).toBeNull();
    expect(refused(await alice.custody.ask(phase))).toBe('noRecovery');
  });

  it('[82] after a removal leaves the one who was removed with nothing new', async () => {
    const { world, phase, carol } = await withShares();
    granted(await carol.removeParticipant(phase, BOB));
    const { id } = granted(await carol.putRecord(record(phase, 'without bob')));
    const leaked = world.access('bob');
    leaked.leaked = true;
    const bob = world.records('bob', leaked);
    expect(await textOf(bob, phase, id)).toContain('was not given to bob');
    expect(refused(await bob.custody.offer(phase, CAROL))).toBe('unknownAsk');
  });

  it('[82] leaves one who has put the key together with nothing new, once it is removed', async () => {
    const { world, phase, carol } = await withShares();
    granted(await carol.custody.ask(phase));
    for (const name of ['dora', 'erin']) granted(await world.records(name).custody.offer(phase, CAROL));
    expect(await carol.custody.recovery(phase)).toMatchObject({ recovered: true });
    const alice = world.records('alice');
    granted(await alice.removeParticipant(phase, CAROL));
    const { id } = granted(await alice.putRecord(record(phase, 'without carol')));
    const leaked = world.access('carol');
    leaked.leaked = true;
    expect(await textOf(world.records('carol', leaked), phase, id)).toContain('was not given to carol');
  });
});
