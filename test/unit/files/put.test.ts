import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { PhaseId } from '../../../src/core/base/ids.ts';
import { isReject } from '../../../src/core/base/reject.ts';
import { ROLES } from '../../../src/core/types/operation.ts';
import { OperatingError } from '../../../src/ports/lifecycle.ts';
import type { FileInput, StagedFile } from '../../../src/rpc/api.ts';
import { granted, record, STEWARD, WRITER } from '../records/support.ts';
import { blocksOf, input, type Member, Members } from './members.ts';
import { chunked, patterned, until } from './world.ts';

const root = mkdtempSync(join(tmpdir(), 'phaseline-put-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const signal = new AbortController().signal;
const bytes = patterned(100_000);
let members: Members;
let phase: PhaseId;
let ann: Member;
let eve: Member;

beforeEach(async () => {
  members = new Members(mkdtempSync(join(root, 'members-')), ['max', 'ann', 'eve']);
  const { world } = members;
  const owner = world.records('max');
  phase = await world.phase(owner, await world.project(owner), { ann: STEWARD, eve: WRITER });
  ann = await members.add('ann');
  eve = await members.add('eve');
  ann.transport.keepConnected(eve.transport.peerId, []);
});
afterEach(() => members.stop());

const asRecord = (files: readonly FileInput[]) => ({
  ...{ phase, type: 'file', title: '', mediaType: 'text/plain', data: new Uint8Array() },
  ...{ files, references: [] },
});

const put = (member: Member, ...files: readonly FileInput[]) => member.api.putRecord(asRecord(files), signal);

async function putOne(member: Member, content: Uint8Array): Promise<string> {
  const { files } = granted((await put(member, input('a.pdf', content))) as never) as {
    files: { cid: string }[];
  };
  return files[0]!.cid;
}

/** Until both nodes have the file and signed for it. */
async function settled(cid: string): Promise<void> {
  await members.advance();
  await until(async () => {
    members.clock.advance(1000);
    await members.advance();
    return [ann, eve].every(({ files }) => {
      const status = files.status(phase, cid);
      return status?.local === 'whole' && status.copies === 2;
    });
  });
}

describe('the same file put twice', () => {
  it('is stored once when the copy in the phase is whole and really the same', async () => {
    const cid = await putOne(ann, bytes);
    await settled(cid);
    const before = await blocksOf(eve);
    expect(await putOne(eve, bytes)).toBe(cid);
    expect(await blocksOf(eve)).toEqual(before);
    expect(await putOne(eve, patterned(100_000, 2))).not.toBe(cid);
  });

  it('is waited for like a new one: copies may be lost since', async () => {
    await settled(await putOne(ann, bytes));
    await eve.transport.stop();
    const waitForCopies = { copies: 2, waitMs: 0 };
    const done = await ann.api.putRecord({ ...asRecord([input('a.pdf', bytes)]), waitForCopies }, signal);
    const detail = expect.stringMatching(/^1 of 2 copies after 0 s: at ann; /);
    expect(done).toMatchObject({ reject: 'too_few_copies', detail });
  });

  it('is stored once though nobody else has a copy yet', async () => {
    const cid = await putOne(ann, bytes);
    await members.advance();
    expect(ann.files.status(phase, cid)?.condition).toBe('short');
    expect(await putOne(ann, bytes)).toBe(cid);
  });

  it("is stored again when an author's claim about another file names its hash", async () => {
    const wanted = await eve.files.putFile(chunked(bytes));
    await eve.files.discardFile(wanted.cid);
    const bait = await eve.files.putFile(chunked(patterned(100_000, 66)));
    const { plaintextHash, plaintextBytes } = wanted;
    const file = { ...bait, name: 'a.pdf', mediaType: 'application/pdf', plaintextHash, plaintextBytes };
    granted(await eve.records.putRecord(record(phase, 'bait', { files: [file] })));
    await settled(bait.cid);
    const cid = await putOne(ann, bytes);
    expect(cid).not.toBe(bait.cid);
    expect(await ann.files.verifyFile(cid)).toMatchObject({ sound: true });
  });

  it('is stored again when the copy of this node is damaged', async () => {
    const cid = await putOne(ann, bytes);
    await settled(cid);
    // nobody to mend the copy from
    await eve.transport.stop();
    await ann.blobs.delete(cid);
    expect(await putOne(ann, bytes)).not.toBe(cid);
  });

  it('reads each record of the phase once, however many files are put', async () => {
    let read = 0;
    const { access } = ann;
    const items = access.items.bind(access);
    // the ledger of the test finds a transaction by going through the log, which is not what is counted here
    access.itemOf = async (logId, id) => {
      const { from, to } = access.held(logId)!;
      return (await items(logId, from, to)).find(item => item.transaction.id === id) ?? null;
    };
    access.items = async (logId, from, to) => {
      const found = await items(logId, from, to);
      read += found.filter(item => item.transaction.signed.parts.length === 2).length;
      return found;
    };
    const cost = async (seed: number) => {
      const before = read;
      await putOne(ann, patterned(10, seed));
      return read - before;
    };
    await cost(0);
    const early = await cost(1);
    for (let seed = 2; seed < 20; seed += 1) await cost(seed);
    expect(await cost(20)).toBe(early);
  });
});

/** Three days pass, on the chain too, and what no record names is collected. */
async function collectLater({ access, files }: Member): Promise<void> {
  const head = access.head.bind(access);
  access.head = () => ({ ...head(), timeMs: members.clock.nowMs() });
  members.clock.advance(3 * 24 * 60 * 60_000);
  await files.collectGarbage();
}

async function stage(member: Member, content: Uint8Array): Promise<StagedFile> {
  const staged = await member.api.stageFiles(phase, [{ source: chunked(content), bytes: null }], signal);
  if (isReject(staged)) throw new Error(staged.detail);
  return staged[0]!;
}

const nameStaged = (member: Member, staged: string) =>
  member.api.putRecord({ ...asRecord([]), files: [{ name: 'a', mediaType: 'a/b', staged }] }, signal);

describe('a file that waits for its record', () => {
  it('is kept however long it waits', async () => {
    const { id, cid } = await stage(ann, bytes);
    await collectLater(ann);
    expect(await nameStaged(ann, id)).toMatchObject({ files: [{ cid }] });
    expect(await ann.files.verifyFile(cid)).toMatchObject({ sound: true });
  });

  it('is refused when it is gone: it was purged, or given up', async () => {
    const cid = await putOne(ann, bytes);
    await members.advance();
    const again = await stage(ann, bytes);
    expect(again).toMatchObject({ cid, reused: true });
    expect(await ann.files.purge(phase, cid, 'by court order')).toMatchObject({ by: 'ann' });
    expect(await nameStaged(ann, again.id)).toMatchObject({ reject: 'file_gone' });
    const other = await stage(ann, patterned(1000, 3));
    await ann.api.discardStaged(other.id);
    expect(await nameStaged(ann, other.id)).toMatchObject({ reject: 'file_gone' });
    await until(async () => (await blocksOf(ann)).length === 0);
  });
});

describe('a put that no record may follow', () => {
  it('is refused before a byte of it is taken', async () => {
    granted(await members.world.records('max').changeRole(phase, eve.phaseFiles.member, ROLES.reader));
    await members.advance();
    let taken = 0;
    const source = async function* () {
      taken += 1;
      yield bytes;
    };
    expect(await put(eve, input('a.pdf', source()))).toMatchObject({ reject: 'roleMissing' });
    const staged = await eve.api.stageFiles(phase, [{ source: source(), bytes: null }], signal);
    expect(staged).toMatchObject({ reject: 'roleMissing' });
    expect(taken).toBe(0);
    expect(await blocksOf(eve)).toEqual([]);
  });
});

describe('a put that fails', () => {
  const broken = async function* () {
    yield patterned(1000);
    throw new OperatingError('upload_broken', 'the sender went away');
  };

  it('between two files leaves neither', async () => {
    const kept = await putOne(ann, bytes);
    const before = await blocksOf(ann);
    const putting = put(ann, input('a', patterned(5000, 7)), input('b', broken()));
    await expect(putting).rejects.toMatchObject({ code: 'upload_broken' });
    expect(await blocksOf(ann)).toEqual(before);
    const stopping = new AbortController();
    const last = async function* () {
      yield patterned(1000, 9);
      stopping.abort(new Error('the caller is gone'));
    };
    const given = { phase, type: '', title: '', mediaType: 'text/plain', data: new Uint8Array() };
    const files = [input('a', patterned(5000, 8)), input('b', last())];
    const aborted = ann.api.putRecord({ ...given, files, references: [] }, stopping.signal);
    await expect(aborted).rejects.toThrow('the caller is gone');
    expect(await blocksOf(ann)).toEqual(before);
    expect(await ann.files.verifyFile(kept)).toMatchObject({ sound: true });
  });

  it('because the record is refused leaves no new file, and keeps what was in the phase', async () => {
    const known = await putOne(ann, bytes);
    await settled(known);
    const before = await blocksOf(ann);
    ann.access.beforeSubmit = async () => {
      granted(await members.world.records('max').removeParticipant(phase, ann.phaseFiles.member));
    };
    const done = await put(
      ann,
      input('a', bytes),
      input('b', patterned(5000, 7)),
      input('c', patterned(5000, 8)),
    );
    expect(done).toMatchObject({ reject: 'notParticipant' });
    expect(await blocksOf(ann)).toEqual(before);
  });

  it('without an answer keeps the file: the record may have been committed', async () => {
    ann.access.beforeSubmit = async () => {
      throw new OperatingError('no_source', 'no consensus node can be reached');
    };
    await expect(put(ann, input('a', bytes))).rejects.toMatchObject({ code: 'no_source' });
    expect(await blocksOf(ann)).not.toEqual([]);
  });

  it('without an answer is stored again when no record came to name it and it was collected', async () => {
    const answering = ann.access.beforeSubmit;
    ann.access.beforeSubmit = async () => {
      throw new OperatingError('no_source', 'no consensus node can be reached');
    };
    await expect(put(ann, input('a', bytes))).rejects.toMatchObject({ code: 'no_source' });
    const { id } = await stage(ann, patterned(5000, 7));
    await expect(nameStaged(ann, id)).rejects.toMatchObject({ code: 'no_source' });
    // its record may be committed: it is forgotten, not deleted
    await ann.api.discardStaged(id);
    expect(await blocksOf(ann)).toHaveLength(2);
    await collectLater(ann);
    expect(await blocksOf(ann)).toEqual([]);
    ann.access.beforeSubmit = answering;
    expect(await ann.files.verifyFile(await putOne(ann, bytes))).toMatchObject({ sound: true });
  });
});
