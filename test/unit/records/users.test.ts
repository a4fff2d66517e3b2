import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { dataPaths } from '../../../src/config/node-config.ts';
import type { MemberId } from '../../../src/core/base/ids.ts';
import { isReject } from '../../../src/core/base/reject.ts';
import { encodeSystemState } from '../../../src/core/codec/state.ts';
import { CUSTODY } from '../../../src/core/types/operation.ts';
import { phaseCrypto } from '../../../src/crypto/phase-crypto.ts';
import { generateSigningKey, p256Signer } from '../../../src/crypto/signer.ts';
import { nodeSuite } from '../../../src/crypto/suite.ts';
import { proveUserKey, Users } from '../../../src/roles/member/users.ts';
import { rotationReason, rotatorsOf } from '../../../src/services/records/rotation.ts';
import { Records } from '../../../src/services/records/service.ts';
import { createActor, hashOf } from '../../support/ledger-kit.ts';
import { granted, record, refused, STEWARD, textOf, unsealerOf, World, WRITER } from './support.ts';

const root = mkdtempSync(join(tmpdir(), 'phaseline-users-'));
afterAll(() => rmSync(root, { recursive: true }));
let made = 0;

async function intakeOf(custody: number = CUSTODY.manager) {
  const world = new World(['admin', 'alice', 'bob', 'carol']);
  const admin = world.records('admin');
  const inside = custody === CUSTODY.manager ? {} : { admin: STEWARD };
  const participants = { alice: STEWARD, bob: WRITER, ...inside };
  const intake = await world.phase(admin, await world.project(admin), participants, { custody });
  const bob = world.records('bob');
  made += 1;
  const dir = join(root, String(made));
  const users = new Users('bob' as MemberId, world.access('bob'), bob, dataPaths(dir));
  await users.start();
  return { world, admin, intake, alice: world.records('alice'), bob, users, dir };
}

async function putAs(users: Users, name: string, passphrase: string, phase: ReturnType<typeof hashOf>) {
  const signing = granted(await users.signing({ name, passphrase }));
  return granted(await signing.records.putRecord(record(phase, `by ${name}`, { user: signing.user! })));
}

describe('users of a member', () => {
  it('[91] sign records that others read with their proven names, until they are revoked', async () => {
    const { world, alice, bob, intake, users } = await intakeOf();
    const { user } = granted(await users.addUser('Maria Rossi', { passphrase: 'her own' }));
    const own = granted(await bob.putRecord(record(intake, 'by bob')));
    const put = await putAs(users, 'Maria Rossi', 'her own', intake);
    const views = [put, own].map(async ({ id }) => granted(await alice.getRecord(intake, id)));
    expect(await Promise.all(views)).toMatchObject([
      { author: 'bob', keyId: 1, user: { id: user, name: 'Maria Rossi' }, verified: true },
      { author: 'bob', keyId: 0, user: null, verified: true },
    ]);
    const chain = Buffer.from(encodeSystemState(world.access('bob').system())).toString('latin1');
    expect(chain).not.toContain('Maria');
    granted(await users.revokeUser('Maria Rossi'));
    expect(refused(await users.signing({ name: 'Maria Rossi', passphrase: 'her own' }))).toBe('unknownUser');
    expect(granted(await alice.getRecord(intake, put.id))).toMatchObject({ verified: true });
    expect(await users.users()).toMatchObject([{ user, name: 'Maria Rossi', kept: false, keyId: 1 }]);
  });

  it('are opened by their own passphrases only, and keep names after a restart', async () => {
    const { world, bob, intake, users, dir } = await intakeOf();
    granted(await users.addUser('maria', { passphrase: 'her own' }));
    expect(refused(await users.addUser('maria', { passphrase: 'another' }))).toBe('userExists');
    await expect(users.signing({ name: 'maria', passphrase: 'wrong' })).rejects.toMatchObject({
      code: 'wrong_passphrase',
    });
    const again = new Users('bob' as MemberId, world.access('bob'), bob, dataPaths(dir));
    await again.start();
    await putAs(again, 'maria', 'her own', intake);
    const kept = readdirSync(dataPaths(dir).users).map(file =>
      readFileSync(join(dataPaths(dir).users, file), 'utf8'),
    );
    expect(kept.join()).not.toContain('her own');
  });

  it('may keep their keys themselves: what signs with one elsewhere counts, and this node cannot', async () => {
    const { world, alice, intake, users } = await intakeOf();
    const access = world.access('bob');
    const signer = p256Signer(generateSigningKey());
    const proven = proveUserKey(access.chainId, 'bob' as MemberId, signer);
    granted(await users.addUser('nina', proven));
    expect(refused(await users.signing({ name: 'nina', passphrase: 'x' }))).toBe('key_elsewhere');
    const elsewhere = new Records({
      ...{ access, crypto: phaseCrypto, suite: nodeSuite, member: 'bob' as MemberId, signer },
      unsealers: [unsealerOf(world.actor('bob'))],
    });
    const put = granted(await elsewhere.putRecord(record(intake, 'by nina')));
    const view = granted(await alice.getRecord(intake, put.id));
    expect(view).toMatchObject({ author: 'bob', user: { name: null }, verified: true });
    const stolen = { ...proven, signingKey: world.actor('alice').signer.publicKey };
    expect(refused(await users.addUser('olga', stolen))).toBe('badProof');
  });

  it('cannot sign under the name of another: the reader sees that it does not fit the key', async () => {
    const { alice, intake, users } = await intakeOf();
    granted(await users.addUser('maria', { passphrase: 'her own' }));
    const { records } = granted(await users.signing({ name: 'maria', passphrase: 'her own' }));
    const user = { name: 'nina', salt: hashOf('salt') };
    const put = granted(await records.putRecord(record(intake, 'not by nina', { user })));
    const view = granted(await alice.getRecord(intake, put.id));
    expect(view).toMatchObject({ verified: false, user: { name: null } });
    expect(view.checks.find(({ ok }) => !ok)?.name).toBe('user');
  });

  it('do nothing for a member that is suspended, which is told so', async () => {
    const { admin, bob, intake, users } = await intakeOf();
    granted(await users.addUser('maria', { passphrase: 'her own' }));
    const signing = granted(await users.signing({ name: 'maria', passphrase: 'her own' }));
    granted(await admin.suspendMember('bob' as MemberId, 'stolen'));
    expect(refused(await bob.createProject('x'))).toBe('memberSuspended');
    const refusal = await bob.createProject('x');
    if (!isReject(refusal)) throw new Error('not refused');
    expect(refusal.detail).toMatch(/^member bob is suspended since height \d+$/);
    expect(refusal).toMatchObject({ hint: expect.stringContaining('phaseline member resume bob') });
    expect(refused(await signing.records.putRecord(record(intake, 'x')))).toBe('unknown_phase');
  });
});

describe('a member that lost its keys', () => {
  it.each([CUSTODY.manager, CUSTODY.participants])(
    'gets what it could read with the next epoch, under custody %i, and loses nothing of its place',
    async custody => {
      const { world, admin, alice, intake } = await intakeOf(custody);
      const old = granted(await world.records('bob').putRecord(record(intake, 'with the lost key')));
      granted(await alice.rotateEpoch(intake));
      const second = granted(await alice.putRecord(record(intake, 'in the second epoch')));
      const next = { ...createActor('bob', 1, ['another-peer']), keyId: 1 };
      const proof = admin.proveCard(next.card, next.signer);
      const action = { type: 'memberRekey', card: next.card, proof } as const;
      granted(
        await admin.createProposal({ title: 'other keys for bob', expiresBlocks: 10, actions: [action] }),
      );
      const access = world.access('bob');
      const phase = () => access.phase(intake)!;
      expect(phase().frozen).toBe(true);
      const bob = new Records({
        ...{ access, crypto: phaseCrypto, suite: nodeSuite, member: next.id, signer: next.signer },
        unsealers: [unsealerOf(next)],
      });
      expect(await textOf(bob, intake, old.id)).toContain('was not given to bob');
      // what participants keep among themselves, no node hands out by itself to keys that administrators gave
      const reason = custody === CUSTODY.manager ? 'history' : null;
      expect(rotationReason(access.system(), phase(), 0)).toBe(reason);
      expect(rotatorsOf(access.system(), phase())).not.toContain('bob');
      if (custody === CUSTODY.participants) {
        const question = { reject: 'keys_replaced', hint: expect.stringContaining('--accept bob') };
        expect(await alice.rotateEpoch(intake)).toMatchObject(question);
        const carol = { phase: intake, member: 'carol' as MemberId, roles: WRITER, grant: 'none' } as const;
        expect(await alice.addParticipant(carol)).toMatchObject(question);
      }
      granted(await alice.rotateEpoch(intake, ['bob' as MemberId]));
      expect(await textOf(bob, intake, old.id)).toBe('with the lost key');
      expect(await textOf(bob, intake, second.id)).toBe('in the second epoch');
      const put = granted(await bob.putRecord(record(intake, 'by the same member')));
      expect(granted(await alice.getRecord(intake, put.id))).toMatchObject({
        author: 'bob',
        keyId: 1,
        verified: true,
      });
      expect(granted(await bob.getRecord(intake, old.id))).toMatchObject({ keyId: 0, verified: true });
      expect(rotationReason(access.system(), phase(), 0)).toBeNull();
      // whoever found the lost key reads nothing that comes after it
      const found = world.records('bob', access);
      expect(await textOf(found, intake, put.id)).toContain('was not given to bob');
    },
  );

  it('comes last among those who open the next epoch: it cannot give itself the past', async () => {
    const { world, admin, alice, intake } = await intakeOf();
    const next = { ...createActor('alice', 1, ['another-peer']), keyId: 1 };
    const proof = admin.proveCard(next.card, next.signer);
    const actions = [{ type: 'memberRekey', card: next.card, proof }] as const;
    granted(await admin.createProposal({ title: 'other keys', expiresBlocks: 10, actions }));
    const access = world.access('admin');
    expect(rotatorsOf(access.system(), access.phase(intake)!)).toEqual(['admin', 'alice']);
    expect(refused(await alice.rotateEpoch(intake))).toBe('key_not_current');
  });
});
