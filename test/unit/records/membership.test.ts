import { describe, expect, it } from 'vitest';
import { type MemberId, type PhaseId, ZERO_HASH } from '../../../src/core/base/ids.ts';
import { isReject, type Reject } from '../../../src/core/base/reject.ts';
import { decodeParticipantRemove, encodeRecordMeta } from '../../../src/core/codec/operation.ts';
import { CUSTODY } from '../../../src/core/types/operation.ts';
import {
  deriveEpoch,
  generateSecret,
  keyCommitment,
  sealEnvelope,
  wrapContentKey,
} from '../../../src/crypto/phase-keys.ts';
import { sealPayload } from '../../../src/crypto/record-cipher.ts';
import type { Records } from '../../../src/services/records/service.ts';
import { Actions } from '../../support/ledger-actions.ts';
import { type Actor, createActor } from '../../support/ledger-kit.ts';
import { granted, record, refused, STEWARD, textOf, unsealerOf, World, WRITER } from './support.ts';

const [BOB, CAROL] = ['bob', 'carol'] as MemberId[] as [MemberId, MemberId];

async function intakeOf(custody: number = CUSTODY.manager) {
  const world = new World(['admin', 'alice', 'bob', 'carol']);
  const participants = { alice: STEWARD, bob: WRITER };
  const owned = custody === CUSTODY.manager ? participants : { ...participants, admin: STEWARD };
  const admin = world.records('admin');
  const intake = await world.phase(admin, await world.project(admin), owned, { custody });
  return { world, admin, intake, alice: world.records('alice'), bob: world.records('bob') };
}

function decoded<T>(value: T | Reject): T {
  if (isReject(value)) throw new Error(value.detail);
  return value as T;
}

const put = async (records: Records, phase: PhaseId, text: string) =>
  granted(await records.putRecord(record(phase, text)));
const add = (
  records: Records,
  phase: PhaseId,
  member: MemberId,
  grant: 'none' | 'all' | { fromEpoch: number },
) => records.addParticipant({ phase, member, roles: WRITER, grant });

describe('a removed participant', () => {
  it('[82] cannot open what is written after the removal with all that it ever held', async () => {
    const { world, admin, intake, alice, bob } = await intakeOf();
    const before = await put(alice, intake, 'before');
    expect(await textOf(bob, intake, before.id)).toBe('before');
    const removal = granted(await admin.removeParticipant(intake, BOB));
    const after = await put(alice, intake, 'after');
    expect(after.epoch).toBe(1);
    // Its own node keeps what it had, and is served no more than the removal.
    expect(await textOf(bob, intake, before.id)).toBe('before');
    expect(await textOf(bob, intake, after.id)).toBe('unknown_record');
    expect(granted(await bob.listRecords(intake, 0, 10)).size).toBe(removal.position! + 1);
    // Every byte of the log, with the vault that holds every key that bob ever had, and a fresh one with his sealing key.
    const leaked = world.access('bob');
    const keepsAll = world.records('bob', leaked);
    await keepsAll.catchUp(intake);
    leaked.leaked = true;
    for (const reader of [keepsAll, world.records('bob', leaked)]) {
      expect(await textOf(reader, intake, before.id)).toBe('before');
      const view = granted(await reader.getRecord(intake, after.id));
      expect(view).toMatchObject({ content: null, unreadable: expect.stringContaining('epoch 1') });
      expect(reader.vault.openEpochs(intake)).toEqual([0]);
    }
    // Those who stayed read both.
    for (const text of ['before', 'after'] as const) {
      const { id } = text === 'before' ? before : after;
      for (const reader of [admin, alice]) expect(await textOf(reader, intake, id)).toBe(text);
    }
  });

  it('[82] cannot write, nor take the newest envelopes for its own', async () => {
    const { intake, world, alice, bob } = await intakeOf();
    granted(await alice.removeParticipant(intake, BOB));
    expect(refused(await bob.putRecord(record(intake, 'still here')))).toBe('notParticipant');
    const state = (await alice.catchUp(intake))!;
    const removal = world.ledger.transactions.get(
      world.ledger.leavesOf('phase', intake).at(-1)!.transactionId,
    )!;
    expect(state.epochs).toHaveLength(2);
    const content = Buffer.from(removal.signed.parts[0]!.content);
    for (const keyholder of ['alice', 'admin']) expect(content.includes(keyholder)).toBe(true);
    expect(content.toString('latin1').split('bob')).toHaveLength(2); // once: as the member that is removed
  });

  it('[83] added again gets exactly what the grants say', async () => {
    const { intake, world, admin, alice } = await intakeOf();
    const written: { text: string; epoch: number; id: Awaited<ReturnType<typeof put>>['id'] }[] = [];
    const write = async (text: string) => {
      const { id, epoch } = await put(alice, intake, text);
      written.push({ text, id, epoch });
    };
    await write('epoch 0');
    granted(await admin.removeParticipant(intake, BOB));
    await write('epoch 1');
    granted(await alice.rotateEpoch(intake));
    await write('epoch 2');
    const readBy = async (name: string, stranger = false) => {
      const access = world.access(name);
      access.leaked = stranger;
      const reader = world.records(name, access);
      const texts = await Promise.all(written.map(({ id }) => textOf(reader, intake, id)));
      return written.filter((entry, index) => texts[index] === entry.text).map(entry => entry.epoch);
    };
    granted(await add(alice, intake, BOB, { fromEpoch: 2 }));
    expect([await readBy('bob'), await readBy('bob', true)]).toEqual([
      [0, 2],
      [0, 2],
    ]);
    await write('epoch 2');
    expect(await readBy('bob')).toEqual([0, 2, 2]);
    granted(await add(admin, intake, CAROL, 'none'));
    await write('epoch 3');
    expect(await readBy('bob')).toEqual([0, 2, 2, 3]);
    expect([await readBy('carol'), await readBy('carol', true)]).toEqual([[3], [3]]);
    granted(await admin.removeParticipant(intake, CAROL));
    await write('epoch 4');
    expect(await readBy('carol', true)).toEqual([3]);
    granted(await add(admin, intake, CAROL, 'all'));
    expect(await readBy('carol')).toEqual([0, 1, 2, 2, 3, 4]);
  });

  it('[83] reads older history as soon as it is granted, in a node that already followed the phase', async () => {
    const { intake, world, admin, alice } = await intakeOf();
    const first = await put(alice, intake, 'first');
    granted(await add(admin, intake, CAROL, 'none'));
    const carol = world.records('carol');
    expect(await textOf(carol, intake, first.id)).toBe('unknown_record');
    const own = await put(carol, intake, 'own');
    granted(await admin.removeParticipant(intake, CAROL));
    granted(await add(admin, intake, CAROL, 'all'));
    const texts = [await textOf(carol, intake, first.id), await textOf(carol, intake, own.id)];
    expect(texts).toEqual(['first', 'own']);
    const page = granted(await carol.listRecords(intake, 0, 10));
    expect(page.records.map(view => view.content?.title)).toEqual(['first', 'own']);
  });

  it('[83] reads a time between as soon as it is there, in a node that fetched what came after it first', async () => {
    const { intake, world, alice } = await intakeOf();
    for (const text of ['one', 'two', 'three']) await put(alice, intake, text);
    const access = world.access('bob');
    const size = world.ledger.leavesOf('phase', intake).length;
    access.notYet = { from: size - 2, to: size - 1 };
    const bob = world.records('bob', access);
    const titles = async () =>
      granted(await bob.listRecords(intake, 0, 10)).records.map(view => view.content?.title);
    expect(await titles()).toEqual(['one', 'three']);
    access.notYet = null;
    expect(await titles()).toEqual(['one', 'two', 'three']);
  });

  it('may grant no more of the past than it was given itself', async () => {
    const { intake, world, admin, alice } = await intakeOf();
    await put(alice, intake, 'early');
    granted(await add(admin, intake, CAROL, 'none'));
    granted(await admin.changeRole(intake, CAROL, STEWARD));
    granted(await admin.removeParticipant(intake, BOB));
    const carol = world.records('carol');
    expect(refused(await add(carol, intake, BOB, 'all'))).toBe('key_missing');
    expect(refused(await add(carol, intake, BOB, { fromEpoch: 9 }))).toBe('key_missing');
    granted(await add(carol, intake, BOB, { fromEpoch: 1 }));
  });
});

describe('key epochs', () => {
  it('refuse a record under a stale one', async () => {
    const { intake, world, alice } = await intakeOf();
    await alice.catchUp(intake);
    const keys = alice.vault.keys(intake, 0)!;
    const contentKey = generateSecret();
    const commitment = keyCommitment(contentKey);
    const logId = world.ledger.logId('phase', intake);
    const { chainId } = world.ledger;
    const wrap = { chainId, phase: intake, epoch: 0, keyCommitment: commitment };
    const wrappedKey = wrapContentKey(keys, wrap, contentKey);
    const meta = {
      epoch: 0,
      wrappedKey,
      keyCommitment: commitment,
      fieldsRoot: ZERO_HASH,
      files: [],
      references: [],
    };
    const payload = sealPayload(
      contentKey,
      { logId, epoch: 0, keyCommitment: commitment },
      new Uint8Array(9),
    );
    granted(await alice.rotateEpoch(intake));
    const sent = await alice.send({
      kind: 'recordPut',
      scopes: [logId],
      parts: [encodeRecordMeta(meta), payload].map(content => ({ scope: 0, content })),
      what: 'put an old record',
    });
    expect(refused(sent)).toBe('staleEpoch');
    expect(sent).toMatchObject({ detail: 'the ledger refused to put an old record: staleEpoch' });
    expect(granted(await alice.listRecords(intake, 0, 10)).records).toEqual([]);
  });

  it('that change while a record is on its way only make it be encrypted again', async () => {
    const { intake, world, admin } = await intakeOf();
    const access = world.access('alice');
    const alice = world.records('alice', access);
    access.beforeSubmit = async () => {
      access.beforeSubmit = async () => undefined;
      granted(await admin.removeParticipant(intake, BOB));
    };
    const done = await put(alice, intake, 'overtaken');
    expect(done.epoch).toBe(1);
    expect(access.submitted).toEqual([1, 1]);
    expect(await textOf(admin, intake, done.id)).toBe('overtaken');
  });

  it('let one of two concurrent changes of membership fail clearly', async () => {
    const { intake, world, admin } = await intakeOf();
    const access = world.access('alice');
    const alice = world.records('alice', access);
    access.beforeSubmit = async () => {
      access.beforeSubmit = async () => undefined;
      granted(await add(admin, intake, CAROL, 'none'));
    };
    expect(refused(await alice.removeParticipant(intake, BOB))).toBe('staleMembership');
    granted(await alice.removeParticipant(intake, BOB));
  });

  it('[84] whose envelopes were exchanged on the way are noticed by each member, and a steward opens the next', async () => {
    const { intake, world, alice, bob } = await intakeOf();
    const actions = new Actions(world.ledger);
    const state = actions.phase(intake);
    const keys = deriveEpoch(generateSecret());
    const secret = generateSecret();
    const seal = (member: string) =>
      sealEnvelope(
        {
          ...{ chainId: world.ledger.chainId, project: state.project, phase: intake, epoch: 1 },
          ...{ membershipVersion: state.membershipVersion, member: member as MemberId, keyId: 0 },
        },
        world.actor(member).card.sealingKey,
        [{ number: 1, secret }],
      );
    const swapped = { admin: await seal('admin'), alice: await seal('bob'), bob: await seal('alice') };
    const envelopes = Object.entries(swapped).map(([member, sealed]) => ({
      ...{ member: member as MemberId, keyId: 0, sealed },
    }));
    // The admin's envelope opens, but to a secret that is not the one the chain commits to.
    const { commitment, publicKey } = keys;
    const epoch = {
      ...{ number: 1, commitment, publicKey, envelopes, card: new Uint8Array() },
      ...{ historyFrom: 1, recovery: new Uint8Array() },
    };
    const rotation = actions.rotateEpoch(world.actor('admin'), intake, { epoch });
    expect(world.ledger.commit(rotation)).toEqual(['committed']);
    const admin = world.records('admin');
    for (const [records, reason] of [
      [admin, 'not the secret that the chain commits to: epoch 1'],
      [alice, 'the envelope does not open'],
      [bob, 'the envelope does not open'],
    ] as const) {
      await records.catchUp(intake);
      expect(records.vault.faults(intake)).toMatchObject([{ phase: intake, epoch: 1, reason }]);
      if (records === admin) continue; // Keeps keys, but writes no records.
      const answer = await records.putRecord(record(intake, 'nobody could read this'));
      expect(refused(answer)).toBe('key_missing');
      expect(answer).toMatchObject({ detail: expect.stringContaining(reason) });
    }
    granted(await alice.rotateEpoch(intake));
    expect(await textOf(bob, intake, (await put(alice, intake, 'again')).id)).toBe('again');
  });
});

describe('a sealing key that is no point of the curve', () => {
  const offCurve = Uint8Array.from([2, ...new Uint8Array(31), 1]);
  /** Genesis is the consortium's own: only there can such a key stand. */
  const withoutKey = (actor: Actor): Actor =>
    actor.id === BOB ? { ...actor, card: { ...actor.card, sealingKey: offCurve } } : actor;

  it('keeps nobody from removing others or from rotating: it harms its own member only', async () => {
    const world = new World(['admin', 'alice', 'bob', 'carol'], {}, withoutKey);
    const admin = world.records('admin');
    const members = { alice: STEWARD, bob: WRITER, carol: WRITER };
    const intake = await world.phase(admin, await world.project(admin), members);
    const alice = world.records('alice');
    expect(granted(await alice.rotateEpoch(intake)).withoutKey).toEqual([BOB]);
    const removed = granted(await alice.removeParticipant(intake, CAROL));
    expect(removed.withoutKey).toEqual([BOB]);
    const rotation = world.ledger.transactions.get(removed.id)!;
    const { epoch } = decoded(decodeParticipantRemove(rotation.signed.parts[0]!.content));
    expect(epoch!.envelopes.find(entry => entry.member === BOB)!.sealed).toEqual(new Uint8Array(1));
    const { id } = await put(alice, intake, 'goes on');
    expect(await textOf(admin, intake, id)).toBe('goes on');
    expect(await textOf(world.records('bob'), intake, id)).not.toBe('goes on');
    expect(granted(await alice.removeParticipant(intake, BOB)).withoutKey).toEqual([]);
    // To give the past to nobody is no grant.
    expect(refused(await add(alice, intake, BOB, 'all'))).toBe('bad_sealing_key');
  });
});

describe('custody of the participants', () => {
  it('keeps keys from the owner, and freezes writing after a removal from outside until one of them rotates', async () => {
    const { intake, world, admin, alice, bob } = await intakeOf(CUSTODY.participants);
    await put(alice, intake, 'with the owner');
    granted(await alice.removeParticipant(intake, 'admin' as MemberId));
    const hidden = await put(alice, intake, 'among ourselves');
    expect(await textOf(bob, intake, hidden.id)).toBe('among ourselves');
    const view = granted(await admin.getRecord(intake, hidden.id));
    expect(view.unreadable).toContain('the secret of epoch 1 was not given to admin');
    // The owner may still remove, but makes no keys.
    granted(await admin.removeParticipant(intake, BOB));
    expect(refused(await alice.putRecord(record(intake, 'frozen')))).toBe('phaseFrozen');
    expect(refused(await admin.rotateEpoch(intake))).toBe('custodyForbids');
    granted(await alice.rotateEpoch(intake));
    const after = await put(alice, intake, 'after the rotation');
    const leaked = world.access('bob');
    leaked.leaked = true;
    expect(await textOf(world.records('bob', leaked), intake, after.id)).toContain('was not given to bob');
  });

  it('[84] of the manager makes the owner a reader', async () => {
    const { intake, admin, alice } = await intakeOf(CUSTODY.manager);
    expect(await textOf(admin, intake, (await put(alice, intake, 'for the file')).id)).toBe('for the file');
  });
});

describe('members', () => {
  it('are registered with a proof, take part, and are revoked: their phases freeze until the next epoch', async () => {
    const { intake, world, admin, alice } = await intakeOf();
    const dora = createActor('dora');
    const card = dora.card;
    const stolen = admin.proveCard(card, world.actor('alice').signer);
    expect(refused(await admin.registerMember(card, stolen))).toBe('badProof');
    expect(refused(await add(admin, intake, dora.id, 'all'))).toBe('unknown_member');
    const records = world.records('dora');
    const proof = records.proveCard(card, dora.signer);
    expect(refused(await alice.registerMember(card, proof))).toBe('notAdministrator');
    expect(refused(await records.createProject('too early'))).toBe('unknown_member');
    granted(await admin.registerMember(card, proof));
    granted(await add(admin, intake, dora.id, 'all'));
    const written = await put(records, intake, 'hello');
    granted(await admin.revokeMember(dora.id, 'left the consortium'));
    expect(refused(await alice.putRecord(record(intake, 'frozen')))).toBe('phaseFrozen');
    expect(refused(await records.putRecord(record(intake, 'mine')))).toBe('unknown_phase');
    granted(await alice.rotateEpoch(intake));
    await put(alice, intake, 'goes on');
    // What the revoked member wrote stays provably its own.
    expect(granted(await alice.getRecord(intake, written.id))).toMatchObject({
      author: 'dora',
      verified: true,
    });
  });

  it('that rotate their keys keep reading the past, and are verified by the key of the time', async () => {
    const { intake, world, admin, alice, bob } = await intakeOf();
    const old = await put(bob, intake, 'old key');
    const next = createActor('bob', 1);
    granted(await bob.rotateMember(next.card, next.signer, unsealerOf(next)));
    granted(await alice.rotateEpoch(intake));
    const fresh = await put(bob, intake, 'new key');
    for (const reader of [bob, admin]) {
      const views = [old, fresh].map(async ({ id }) => granted(await reader.getRecord(intake, id)));
      expect(await Promise.all(views)).toMatchObject([
        { keyId: 0, verified: true, content: { title: 'old key' } },
        { keyId: 1, verified: true, content: { title: 'new key' } },
      ]);
    }
    // A node that was not given the new keys says so.
    const outdated = world.records('bob');
    expect(refused(await outdated.putRecord(record(intake, 'lost')))).toBe('key_missing');
    expect(outdated.vault.faults(intake)[0]!.reason).toBe('this node does not have sealing key 1');
    expect(refused(await outdated.createProject('x'))).toBe('key_not_current');
  });
});

describe('projects', () => {
  it('are created, grow, and are archived when their phases are closed', async () => {
    const { intake, world, admin, alice } = await intakeOf();
    const [project] = world.projects as [never];
    expect(refused(await admin.archiveProject(project))).toBe('wrongLifecycle');
    expect(refused(await alice.archiveProject(project))).toBe('unknown_project');
    granted(await alice.closePhase(intake));
    expect(refused(await alice.openPhase(intake))).toBe('wrongLifecycle');
    granted(await admin.archiveProject(project));
    expect(refused(await admin.archiveProject(project))).toBe('projectArchived');
    expect(refused(await admin.createProject(''))).toBe('bad_label');
    expect(refused(await admin.createProject('x'.repeat(257)))).toBe('bad_label');
    expect(world.access('admin').projects()).toMatchObject([{ archived: true }]);
    expect(await admin.projectLabel(project)).toBe('permits');
  });
});
