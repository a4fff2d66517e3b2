import { describe, expect, it } from 'vitest';
import type { Hash, MemberId, PhaseId, TransactionId } from '../../../src/core/base/ids.ts';
import { isReject } from '../../../src/core/base/reject.ts';
import { decodeSystemState, mapKeyOf, STATE_KEYS } from '../../../src/core/codec/state.ts';
import { encodeSignedTransaction } from '../../../src/core/codec/transaction.ts';
import { readLog } from '../../../src/core/ledger/read.ts';
import {
  type Dossier,
  type DossierLog,
  NOTHING_SHOWN,
  type Opening,
} from '../../../src/core/light/dossier.ts';
import { buildDossier } from '../../../src/core/light/dossier-codec.ts';
import { verifyDossier } from '../../../src/core/light/dossier-verify.ts';
import { openLogs, provenMembers } from '../../../src/core/light/prove.ts';
import { locateRecord, readRecord } from '../../../src/core/light/record.ts';
import { EMPTY_FRONTIER } from '../../../src/core/merkle/log.ts';
import { mapProve } from '../../../src/core/merkle/map.ts';
import { LIMITS } from '../../../src/core/types/limits.ts';
import { generateSecret, keyCommitment, unwrapContentKey } from '../../../src/crypto/phase-keys.ts';
import { openPayload } from '../../../src/crypto/record-cipher.ts';
import { nodeSuite } from '../../../src/crypto/suite.ts';
import { silentLogger } from '../../../src/ports/logger.ts';
import { PhaseFiles } from '../../../src/roles/member/phase-files.ts';
import { PhaseFollower } from '../../../src/services/records/follower.ts';
import { decodePayload, type RecordFile } from '../../../src/services/records/payload.ts';
import { RecordIndex } from '../../../src/services/records/record-index.ts';
import type { Records } from '../../../src/services/records/service.ts';
import { hashOf } from '../../support/ledger-kit.ts';
import { LedgerStore } from '../../support/light-kit.ts';
import { granted, record, refused, STEWARD, textOf, World, WRITER } from './support.ts';

const { sha256 } = nodeSuite;
const CID = 'bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi';

function sampleFile(): RecordFile {
  const key = generateSecret();
  return {
    ...{ cid: CID, keyCommitment: keyCommitment(key), ciphertextBytes: 1016, key },
    ...{ name: 'plan.pdf', mediaType: 'application/pdf', plaintextBytes: 1000 },
    plaintextHash: hashOf('the plan'),
  };
}

/** Position of the first handover in a phase's log: after its leaves of adding and opening. */
const ON_ARRIVAL = 2;

/** Intake, review and decision, one after the other; nobody but the owner, who is no participant, is in all of them. */
async function flow() {
  const world = new World(['admin', 'alice', 'bob', 'carol', 'dave']);
  const admin = world.records('admin');
  const project = await world.project(admin);
  const intake = await world.phase(admin, project, { alice: STEWARD });
  const review = await world.phase(
    admin,
    project,
    { bob: STEWARD, carol: WRITER },
    { predecessors: [intake] },
  );
  const decision = await world.phase(admin, project, { dave: WRITER }, { predecessors: [review] });
  const [alice, bob, carol, dave] = ['alice', 'bob', 'carol', 'dave'].map(name => world.records(name));
  return {
    ...{ world, admin, project, intake, review, decision },
    ...{ alice: alice!, bob: bob!, carol: carol!, dave: dave! },
  };
}

type Flow = Awaited<ReturnType<typeof flow>>;

/** A steward of the source hands over to a phase that it cannot read. */
async function fromOutside(
  { admin }: Flow,
  steward: Records,
  source: PhaseId,
  target: PhaseId,
  records: readonly TransactionId[] | null = null,
) {
  const { number, publicKey } = (await admin.catchUp(target))!.epochs.at(-1)!;
  return steward.handover({ source, target, records, targetEpoch: { number, publicKey } });
}

/** Two records of alice in intake and one of carol in review, all handed on to decision. */
async function handedOn() {
  const all = await flow();
  const { alice, bob, carol, intake, review, decision } = all;
  const first = granted(await alice.putRecord(record(intake, 'first', { files: [sampleFile()] })));
  const second = granted(await alice.putRecord(record(intake, 'second')));
  const own = granted(await carol.putRecord(record(review, 'of review')));
  const one = granted(await fromOutside(all, alice, intake, review));
  const two = granted(await fromOutside(all, bob, review, decision));
  return { ...all, first, second, own, one: one.transactions[0]!, two: two.transactions[0]!, done: two };
}

describe('a record that is handed on', () => {
  it('reaches the third phase with its first author, its proofs and every handover', async () => {
    const { dave, intake, review, decision, first, second, own, one, two, done } = await handedOn();
    expect(done).toMatchObject({ items: 3, skipped: [], refusal: null });
    const { records } = granted(await dave.listRecords(decision, 0, 10));
    expect(records.map(view => [view.id, view.author, view.verified, view.content?.title])).toEqual([
      [own.id, 'carol', true, 'of review'],
      [first.id, 'alice', true, 'first'],
      [second.id, 'alice', true, 'second'],
    ]);
    const [written, relayed] = records;
    expect(relayed).toMatchObject({ height: first.height, timeMs: first.timeMs, keyId: 0, epoch: 0 });
    expect(relayed!.checks.map(check => check.name)).toContain('authorship');
    expect(relayed!.content!.files).toMatchObject([{ cid: CID, name: 'plan.pdf' }]);
    const atReview = {
      ...{ phase: intake, position: first.position, handedOverBy: 'alice', handover: one.id },
      ...{ handoverHeight: one.height, handoverTimeMs: one.timeMs },
    };
    const atDecision = {
      ...{ phase: review, position: own.position! + 1, handedOverBy: 'bob', handover: two.id },
      ...{ handoverHeight: two.height, handoverTimeMs: two.timeMs },
    };
    expect(relayed!.origins).toEqual([atReview, atDecision]);
    expect(relayed!.origin).toEqual(atDecision);
    expect(written!.origins).toMatchObject([{ phase: review, position: own.position, handedOverBy: 'bob' }]);
    expect(await textOf(dave, review, first.id)).toBe('unknown_phase');
    expect(await textOf(dave, intake, first.id)).toBe('unknown_phase');
  });

  it('can be named, goes on from there too, and keeps what it has gone through', async () => {
    const all = await handedOn();
    const { world, admin, project, decision, first, intake, review } = all;
    const archive = await world.phase(admin, project, { carol: WRITER }, { predecessors: [decision] });
    const input = { source: decision, target: archive, targetEpoch: null };
    expect(granted(await admin.handover({ ...input, records: [first.id] }))).toMatchObject({ items: 1 });
    const view = granted(await all.carol.getRecord(archive, first.id));
    expect(view).toMatchObject({ author: 'alice', verified: true, content: { title: 'first' } });
    expect(view.origins.map(origin => origin.phase)).toEqual([intake, review, decision]);
    const index = new RecordIndex(sha256);
    await new PhaseFollower(world.access('carol'), sha256, 'carol' as MemberId, [index]).catchUp(archive);
    expect(index.find(archive, first.id)).toMatchObject({ item: 0, former: [intake, review, decision] });
    expect(refused(await admin.handover({ ...input, records: [hashOf('none')] }))).toBe('unknown_record');
    // Everything else once, and nothing a second time.
    expect(granted(await admin.handover({ ...input, records: null }))).toMatchObject({ items: 2 });
    expect(refused(await admin.handover({ ...input, records: null }))).toBe('nothing_to_hand_over');
  });

  it('cannot be handed on by who may not, or who cannot open it', async () => {
    const all = await handedOn();
    const { world, admin, project, carol, dave, decision, first } = all;
    const archive = await world.phase(admin, project, { carol: WRITER }, { predecessors: [decision] });
    expect(refused(await fromOutside(all, dave, decision, archive, [first.id]))).toBe('roleMissing');
    expect(refused(await fromOutside(all, carol, decision, archive, [first.id]))).toBe('unknown_phase');
  });

  it('comes once when two ways lead to the same phase', async () => {
    const world = new World(['admin', 'alice', 'bob', 'carol']);
    const admin = world.records('admin');
    const project = await world.project(admin);
    const intake = await world.phase(admin, project, { alice: STEWARD });
    const ways = [];
    for (const name of ['left', 'right']) {
      const options = { predecessors: [intake], label: name };
      ways.push(await world.phase(admin, project, { bob: STEWARD }, options));
    }
    const [left, right] = ways as [PhaseId, PhaseId];
    const join = await world.phase(admin, project, { carol: WRITER }, { predecessors: [left, right] });
    const put = granted(await world.records('alice').putRecord(record(intake, 'one')));
    const all = (source: PhaseId, target: PhaseId) =>
      admin.handover({ source, target, records: null, targetEpoch: null });
    for (const way of [left, right]) granted(await all(intake, way));
    granted(await all(left, join));
    expect(refused(await all(right, join))).toBe('nothing_to_hand_over');
    // Bob does not see what the phase has: the ledger takes it, and its readers still have one record.
    const { number, publicKey } = (await admin.catchUp(join))!.epochs[0]!;
    const blind = { source: right, target: join, records: null, targetEpoch: { number, publicKey } };
    granted(await world.records('bob').handover(blind));
    const { records } = granted(await world.records('carol').listRecords(join, 0, 10));
    expect(records.map(view => view.id)).toEqual([put.id]);
    expect(records[0]!.origins.map(origin => origin.phase)).toEqual([intake, left]);
  });

  it(`is refused after ${LIMITS.handoversPerRecord} handovers, because its lineage travels with it`, async () => {
    const world = new World(['admin']);
    const admin = world.records('admin');
    const project = await world.project(admin);
    let source = await world.phase(admin, project, { admin: STEWARD });
    const put = granted(await admin.putRecord(record(source, 'far')));
    for (let count = 0; count <= LIMITS.handoversPerRecord; count += 1) {
      const target = await world.phase(admin, project, { admin: STEWARD }, { predecessors: [source] });
      const input = { source, target, records: [put.id], targetEpoch: null };
      const done = await admin.handover(input);
      if (count === LIMITS.handoversPerRecord) {
        expect(refused(done)).toBe('too_many_handovers');
        expect(refused(await admin.handover({ ...input, records: null }))).toBe('nothing_to_hand_over');
        break;
      }
      expect(granted(done)).toMatchObject({ items: 1 });
      source = target;
    }
    const view = granted(await admin.getRecord(source, put.id));
    expect(view).toMatchObject({ verified: true, author: 'admin', content: { title: 'far' } });
    expect(view.origins).toHaveLength(LIMITS.handoversPerRecord);
  });
});

describe('who has only the third phase', () => {
  it('finds the files of records that were handed on', async () => {
    const { world, dave, decision, two } = await handedOn();
    const files = new PhaseFiles(world.access('dave'), dave, sha256, 'dave' as MemberId, silentLogger);
    await files.load();
    expect(files.entries(decision, CID)).toMatchObject([
      { phase: decision, record: two.id, ciphertextBytes: 1016 },
    ]);
    expect(files.phasesOf(CID)).toEqual([decision]);
  });

  /** What the head's map says of a log. */
  function entryOf(world: World, scope: 'system' | 'phase', id: Hash) {
    const { ledger } = world;
    const logId = ledger.logId(scope, id);
    const { size, root, digest } = readLog(ledger.state, logId)!;
    const { mapRoot } = ledger.head.header;
    const { siblings } = mapProve(sha256, ledger.state.mapNode, mapRoot, mapKeyOf(sha256, logId));
    return { entry: { size, root, digest }, siblings };
  }

  /** A phase's log at the head with every leaf. */
  async function dossierLog(world: World, id: Hash): Promise<DossierLog> {
    const proven = entryOf(world, 'phase', id);
    const items = await world.access('dave').items(world.ledger.logId('phase', id), 0, proven.entry.size);
    return {
      ...{ scope: 'phase', id, size: proven.entry.size, digest: proven.entry.digest },
      ...{ frontier: EMPTY_FRONTIER, right: [] },
      state: world.ledger.state.get(STATE_KEYS.phase(id)),
      items: items.map(({ leaf: { height, timeMs, outcome }, transaction }) => ({
        ...{ height, timeMs, outcome },
        transaction: encodeSignedTransaction(transaction.signed),
      })),
    };
  }

  function members(world: World) {
    const { entry } = entryOf(world, 'system', world.ledger.chainId);
    const state = decodeSystemState(world.ledger.state.get(STATE_KEYS.system)!);
    if (isReject(state)) throw new Error(state.detail);
    return provenMembers(sha256, state, null, entry);
  }

  /** The opening of the record at one item of a handover, made with what this member holds. */
  async function opening(world: World, records: Records, phase: PhaseId, position: number, item: number) {
    const logId = world.ledger.logId('phase', phase);
    const [found] = await world.access('dave').items(logId, position, position + 1);
    const located = locateRecord(sha256, found!, item);
    const content = isReject(located) ? located : readRecord(located);
    if (isReject(located) || isReject(content)) throw new Error('no such record');
    const { target, item: handed } = located.handed!;
    const { epoch, keyCommitment: commitment } = content.meta;
    const wrap = { chainId: world.ledger.chainId, phase, epoch: target.epoch, keyCommitment: commitment };
    const keys = records.vault.keys(phase, target.epoch)!;
    const contentKey = (await unwrapContentKey(keys, wrap, handed.wrappedKey))!;
    const context = { logId: content.logId, epoch, keyCommitment: commitment };
    const plaintext = openPayload(contentKey, context, content.payload!)!;
    const made: Opening = { logId, position, item, contentKey };
    return { made, title: decodePayload(plaintext, content.meta.files)!.title };
  }

  it('makes a dossier that opens a record of the first phase, and a third party verifies it', async () => {
    const { world, dave, decision } = await handedOn();
    await dave.catchUp(decision);
    const { made, title } = await opening(world, dave, decision, ON_ARRIVAL, 1);
    expect(title).toBe('first');
    const { ledger } = world;
    const place = { logId: made.logId, position: made.position, item: 1 };
    const opened = (['system', 'phase'] as const).map(scope => {
      const id = scope === 'phase' ? decision : ledger.chainId;
      return [ledger.logId(scope, id), entryOf(world, scope, id)] as const;
    });
    const content: Dossier = {
      setChanges: [],
      head: {
        header: ledger.head.header,
        certificate: new LedgerStore(ledger).certificate(ledger.height)!,
      },
      map: openLogs(sha256, new Map(opened)),
      members: members(world),
      logs: [await dossierLog(world, decision)],
      ...NOTHING_SHOWN,
      openings: [made],
      files: [{ ...place, cid: CID, ciphertextBytes: 1016 }],
    };
    const anchor = {
      genesisHeader: ledger.blocks[0]!.block.header,
      genesisSet: { id: 0, validators: ledger.genesis.validators },
    };
    const failing = (changed: Partial<Dossier>) =>
      verifyDossier(nodeSuite, buildDossier(sha256, { ...content, ...changed }), anchor, { openPayload })
        .checks.filter(check => !check.ok)
        .map(check => `${check.name}: ${check.detail}`);
    expect(failing({})).toEqual([]);
    expect(failing({ openings: [{ ...made, item: 2 }] })).toHaveLength(1);
    expect(failing({ files: [{ ...place, item: 0, cid: CID, ciphertextBytes: 1016 }] })).toHaveLength(1);
  });
});
