import { describe, expect, it } from 'vitest';
import { toHex } from '../../../src/core/base/bytes.ts';
import type { Hash, MemberId, PhaseId } from '../../../src/core/base/ids.ts';
import type { HandoverItem } from '../../../src/core/types/operation.ts';
import { generateSecret, keyCommitment } from '../../../src/crypto/phase-keys.ts';
import type { RecordFile } from '../../../src/services/records/payload.ts';
import { Actions } from '../../support/ledger-actions.ts';
import { bytesOf, hashOf } from '../../support/ledger-kit.ts';
import { granted, record, refused, STEWARD, textOf, World, WRITER } from './support.ts';

const NAMES = ['admin', 'alice', 'bob', 'carol'] as const;

async function permits() {
  const world = new World(NAMES);
  const admin = world.records('admin');
  const project = await world.project(admin);
  const intake = await world.phase(admin, project, { alice: STEWARD, bob: WRITER });
  const review = await world.phase(
    admin,
    project,
    { bob: WRITER, carol: WRITER },
    { predecessors: [intake], label: 'review' },
  );
  const [alice, bob, carol] = [world.records('alice'), world.records('bob'), world.records('carol')];
  return { world, admin, alice, bob, carol, project, intake, review };
}

function sampleFile(): RecordFile {
  const key = generateSecret();
  return {
    cid: 'bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi',
    keyCommitment: keyCommitment(key),
    ciphertextBytes: 1016,
    key,
    name: 'plan of the house.pdf',
    mediaType: 'application/pdf',
    plaintextBytes: 1000,
    plaintextHash: hashOf('the plan'),
  };
}

describe('records of a phase', () => {
  it('are read by every participant and by the owner who keeps the keys, with proofs and files', async () => {
    const { world, admin, alice, bob, intake } = await permits();
    const file = sampleFile();
    const data = bytesOf('not text', 300);
    const put = granted(
      await alice.putRecord(record(intake, 'application', { files: [file], data, mediaType: 'image/png' })),
    );
    const reply = granted(await bob.putRecord(record(intake, 'seen', { references: [put.id] })));
    for (const reader of [admin, alice, bob]) {
      const view = granted(await reader.getRecord(intake, put.id));
      expect(view).toMatchObject({
        ...{ phase: intake, id: put.id, position: put.position, height: put.height, timeMs: put.timeMs },
        ...{ author: 'alice', keyId: 0, epoch: 0, origin: null, verified: true, unreadable: null },
        content: { type: 'note', title: 'application', mediaType: 'image/png', data, files: [file] },
      });
      expect(view.checks.map(check => check.name)).toEqual([
        'authorship',
        'metadata',
        'epoch key',
        'content key',
        'payload',
        'fields',
      ]);
    }
    expect(granted(await admin.getRecord(intake, reply.position!))).toMatchObject({ references: [put.id] });
    expect(world.ledger.height).toBe(reply.height);
  });

  it('cannot be opened by a member of another phase, even with all bytes of the log', async () => {
    const { world, alice, carol, intake } = await permits();
    const put = granted(await alice.putRecord(record(intake, 'secret')));
    expect(refused(await carol.getRecord(intake, put.id))).toBe('unknown_phase');
    expect(refused(await carol.listRecords(intake, 0, 10))).toBe('unknown_phase');
    const access = world.access('carol');
    access.leaked = true;
    const reading = world.records('carol', access);
    const view = granted(await reading.getRecord(intake, put.id));
    expect(view).toMatchObject({ content: null, verified: false });
    expect(view.unreadable).toContain('the secret of epoch 0 was not given to carol');
    expect(reading.vault.openEpochs(intake)).toEqual([]);
  });

  it('[86] leave neither text, title, file name nor key in what is on chain', async () => {
    const { world, alice, intake } = await permits();
    const file = sampleFile();
    const put = granted(await alice.putRecord(record(intake, 'approved: yes', { files: [file] })));
    const bytes = Buffer.from(world.ledger.wrappers.get(put.id)!);
    for (const text of ['approved', file.name, 'application/pdf', 'note', file.plaintextHash]) {
      expect(bytes.includes(text)).toBe(false);
    }
    expect(bytes.includes(Buffer.from(file.key))).toBe(false);
    expect(bytes.toString('hex')).not.toContain(toHex(file.key));
  });

  it('are listed page by page, in order', async () => {
    const { alice, bob, intake } = await permits();
    const texts = Array.from({ length: 7 }, (_, index) => `record ${index}`);
    for (const text of texts) granted(await alice.putRecord(record(intake, text)));
    const seen: string[] = [];
    let from = 0;
    for (let page = 0; page < 3; page += 1) {
      const answer = granted(await bob.listRecords(intake, from, 3));
      seen.push(...answer.records.map(view => view.content!.title));
      from = answer.next;
      expect(answer.size).toBe(9);
    }
    expect(seen).toEqual(texts);
    expect(granted(await bob.listRecords(intake, from, 3))).toMatchObject({ records: [], next: 9, size: 9 });
    expect(refused(await bob.getRecord(intake, hashOf('no such record')))).toBe('unknown_record');
    expect(refused(await bob.getRecord(intake, 0))).toBe('unknown_record');
  });

  it('that are too large, have too many files or too long texts are refused before they are sent', async () => {
    const { world, intake } = await permits();
    const access = world.access('alice');
    const alice = world.records('alice', access);
    const large = record(intake, 'large', { data: new Uint8Array(4 * 1024 * 1024) });
    expect(refused(await alice.putRecord(large))).toBe('too_large');
    expect(refused(await alice.putRecord(record(intake, 'x'.repeat(1025))))).toBe('too_large');
    const references = Array.from({ length: 257 }, (_, index) => hashOf(`${index}`));
    expect(refused(await alice.putRecord(record(intake, 'many', { references })))).toBe('too_large');
    expect(access.submitted).toEqual([]);
    const fits = record(intake, 'fits', { data: new Uint8Array(2 * 1024 * 1024).fill(255) });
    granted(await alice.putRecord(fits));
  });

  it('are refused by the ledger for a reader, a closed phase and a stranger, with the outcome and a hint', async () => {
    const { alice, bob, carol, intake, admin } = await permits();
    granted(await admin.changeRole(intake, 'bob' as MemberId, 1));
    expect(refused(await bob.putRecord(record(intake, 'no')))).toBe('roleMissing');
    granted(await alice.closePhase(intake));
    expect(refused(await alice.putRecord(record(intake, 'late')))).toBe('wrongLifecycle');
    expect(refused(await carol.putRecord(record(intake, 'foreign')))).toBe('unknown_phase');
  });
});

describe('handover', () => {
  it('gives the successor exactly what was handed over, with its author and origin', async () => {
    const { alice, bob, carol, intake, review } = await permits();
    const file = sampleFile();
    const first = granted(await alice.putRecord(record(intake, 'first', { files: [file] })));
    const second = granted(await alice.putRecord(record(intake, 'second')));
    const third = granted(await bob.putRecord(record(intake, 'third')));
    const done = granted(
      await alice.handover({
        source: intake,
        target: review,
        records: [third.id, first.id],
        targetEpoch: { number: 0, publicKey: (await bob.catchUp(review))!.epochs[0]!.publicKey },
      }),
    );
    expect(done).toMatchObject({ items: 2, skipped: [], refusal: null });
    for (const reader of [carol, bob]) {
      const page = granted(await reader.listRecords(review, 0, 10));
      expect(page.records.map(view => [view.id, view.author, view.verified])).toEqual([
        [first.id, 'alice', true],
        [third.id, 'bob', true],
      ]);
      expect(page.records[0]).toMatchObject({
        ...{ phase: review, height: first.height, timeMs: first.timeMs, position: 2 },
        content: { title: 'first', files: [file] },
        origin: {
          ...{ phase: intake, position: first.position, handedOverBy: 'alice' },
          ...{ handover: done.transactions[0]!.id, handoverHeight: done.transactions[0]!.height },
        },
      });
    }
    expect(await textOf(carol, review, third.id)).toBe('third');
    expect(await textOf(carol, review, second.id)).toBe('unknown_record');
    expect(await textOf(carol, intake, first.id)).toBe('unknown_phase');
    expect(refused(await carol.getRecord(review, 2))).toBe('ambiguous_record');
  });

  it('of everything skips what the successor has, and continues after a refusal', async () => {
    const { admin, alice, carol, intake, review } = await permits();
    const all = { source: intake, target: review, records: null, targetEpoch: null };
    expect(refused(await admin.handover(all))).toBe('nothing_to_hand_over');
    granted(await alice.putRecord(record(intake, 'one')));
    granted(await alice.putRecord(record(intake, 'two')));
    expect(granted(await admin.handover(all))).toMatchObject({ items: 2 });
    granted(await alice.putRecord(record(intake, 'three')));
    expect(granted(await admin.handover(all))).toMatchObject({ items: 1 });
    const page = granted(await carol.listRecords(review, 0, 10));
    expect(page.records.map(view => view.content?.title)).toEqual(['one', 'two', 'three']);
    expect(refused(await admin.handover(all))).toBe('nothing_to_hand_over');
  });

  it('goes in several transactions when one would be too large', async () => {
    const world = new World(NAMES, { transactionBytesMax: 200_000 });
    const admin = world.records('admin');
    const project = await world.project(admin);
    const intake = await world.phase(admin, project, { alice: WRITER });
    const review = await world.phase(admin, project, { carol: WRITER }, { predecessors: [intake] });
    const alice = world.records('alice');
    for (let index = 0; index < 5; index += 1) {
      const data = bytesOf(`${index}`, 20_000);
      granted(
        await alice.putRecord(record(intake, `r${index}`, { data: Buffer.concat([data, data, data]) })),
      );
    }
    const done = granted(
      await admin.handover({ source: intake, target: review, records: null, targetEpoch: null }),
    );
    expect(done.items).toBe(5);
    expect(done.transactions).toHaveLength(3);
    const page = granted(await world.records('carol').listRecords(review, 0, 10));
    expect(page.records.map(view => [view.content?.title, view.verified])).toEqual(
      [0, 1, 2, 3, 4].map(index => [`r${index}`, true]),
    );
  });

  it('is refused to a phase that is no successor, by who cannot read the record, and of records that it has not', async () => {
    const { world, admin, alice, bob, carol, intake, review, project } = await permits();
    granted(await alice.putRecord(record(intake, 'first')));
    const to = (target: PhaseId, records: readonly Hash[] | null) => ({
      ...{ source: intake, target, records, targetEpoch: null },
    });
    const other = await world.phase(admin, project, { alice: WRITER }, { label: 'other' });
    expect(refused(await admin.handover(to(other, null)))).toBe('notSuccessor');
    expect(refused(await alice.handover(to(review, null)))).toBe('unknown_phase');
    expect(refused(await bob.handover(to(review, null)))).toBe('roleMissing');
    expect(refused(await carol.handover(to(review, null)))).toBe('unknown_phase');
    expect(refused(await admin.handover(to(review, [hashOf('none')])))).toBe('unknown_record');
  });

  it('[78] cannot lose the proof of authorship: the ledger refuses an item without it', async () => {
    const { world, alice, intake, review } = await permits();
    const put = granted(await alice.putRecord(record(intake, 'signed by alice')));
    const actions = new Actions(world.ledger);
    const item = actions.item(intake, put.position!);
    const forged = { ...item, signature: world.actor('bob').signer.sign(item.body) };
    const hand = (items: HandoverItem[]) =>
      world.ledger.commit(actions.handover(world.actor('admin'), intake, review, [put.position!], { items }));
    expect(hand([forged])).toEqual(['unknownRecord']);
    expect(hand([item])).toEqual(['committed']);
  });

  it('[78] shows a record that its author did not sign as not verified, wherever it comes from', async () => {
    const { world, alice, intake } = await permits();
    const put = granted(await alice.putRecord(record(intake, 'signed by alice')));
    const access = world.access('bob');
    const items = access.items.bind(access);
    const signature = world.actor('bob').signer.sign(new Uint8Array(1));
    access.items = async (...range) =>
      (await items(...range)).map(({ leaf, transaction }) => {
        return { leaf, transaction: { ...transaction, signed: { ...transaction.signed, signature } } };
      });
    const view = granted(await world.records('bob', access).getRecord(intake, put.id));
    expect(view).toMatchObject({ verified: false, author: 'alice', content: { title: 'signed by alice' } });
    expect(view.checks[0]).toMatchObject({ name: 'authorship', ok: false });
  });

  it('keeps the proof of records that shared one signature', async () => {
    const { world, admin, intake, review } = await permits();
    const alice = world.records('alice');
    await alice.catchUp(intake);
    const texts = ['a', 'b', 'c', 'd', 'e'];
    const sent = await Promise.all(texts.map(text => alice.putRecord(record(intake, text))));
    const sizes = sent.map(one => world.ledger.transactions.get(granted(one).id)!.signed.batch.treeSize);
    expect(Math.max(...sizes)).toBeGreaterThan(1);
    granted(await admin.handover({ source: intake, target: review, records: null, targetEpoch: null }));
    const page = granted(await world.records('carol').listRecords(review, 0, 10));
    expect(page.records.map(view => [view.content?.title, view.verified])).toEqual(
      texts.map(text => [text, true]),
    );
  });
});
