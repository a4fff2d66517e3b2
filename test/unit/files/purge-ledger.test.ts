import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { PhaseId } from '../../../src/core/base/ids.ts';
import { granted, STEWARD, WRITER } from '../records/support.ts';
import { blocksOf, input, type Member, Members } from './members.ts';
import { patterned, until } from './world.ts';

const root = mkdtempSync(join(tmpdir(), 'phaseline-purge-ledger-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

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

async function putByAnn(): Promise<string> {
  const record = { phase, type: 'file', title: '', mediaType: 'text/plain', data: new Uint8Array() };
  const files = [input('a.pdf', patterned(100_000))];
  const done = await ann.api.putRecord({ ...record, files, references: [] }, new AbortController().signal);
  const { files: stored } = granted(done as never) as { files: { cid: string }[] };
  return stored[0]!.cid;
}

const settle = (condition: () => boolean) =>
  until(async () => {
    members.clock.advance(1000);
    await members.advance();
    return condition();
  });

describe('a purge over the real ledger', () => {
  it('is ordered by a steward, carried out by every holder, and acknowledged on chain', async () => {
    const cid = await putByAnn();
    await settle(() => [ann, eve].every(({ files }) => files.status(phase, cid)?.copies === 2));
    expect(await eve.files.purge(phase, cid, '')).toMatchObject({ reject: 'roleMissing' });
    expect(await ann.files.purge(phase, cid, 'asked for')).toMatchObject({
      by: 'ann',
      reason: 'asked for',
      references: [expect.any(String)],
    });
    expect(ann.files.status(phase, cid)).toBeNull();
    await settle(() => eve.files.purgeStatus(phase, cid)?.open.length === 0);
    const status = eve.files.purgeStatus(phase, cid)!;
    expect(status.holders.toSorted()).toEqual(['ann', 'eve']);
    expect(status.acknowledged.map(({ member, node, kept }) => [member, node, kept]).toSorted()).toEqual([
      ['ann', 'peer-of-ann', false],
      ['eve', 'peer-of-eve', false],
    ]);
    expect(await blocksOf(ann)).toEqual([]);
    expect(await blocksOf(eve)).toEqual([]);
    expect(eve.phaseFiles.files(phase, 0)).toEqual([]);
    expect(eve.phaseFiles.references(phase, cid)).toHaveLength(1);
    expect(await ann.files.purge(phase, 'bafy', '')).toMatchObject({ reject: 'unknown_file' });
  });
});
