import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { PhaseId } from '../../../src/core/base/ids.ts';
import { isReject, type Reject } from '../../../src/core/base/reject.ts';
import { FILES_PROTOCOL } from '../../../src/services/files/limits.ts';
import { type FilesAnswer, filesAnswerCodec, filesRequestCodec } from '../../../src/wire/files.ts';
import { HOSTILE_NAMES } from '../../contracts/blob-store.ts';
import { chunked, type FileNode, hashOf, MIB, patterned, until, World } from './world.ts';

const root = mkdtempSync(join(tmpdir(), 'phaseline-access-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let world: World;
beforeEach(() => {
  world = new World(mkdtempSync(join(root, 'world-')));
});
afterEach(() => world.stop());

/** What a node answers to a hand-made request of another. */
async function ask(from: FileNode, to: FileNode, frame: Uint8Array): Promise<FilesAnswer | Reject> {
  const bytes = await from.transport.request(to.transport.peerId, FILES_PROTOCOL, frame, { timeoutMs: 5000 });
  return isReject(bytes) ? bytes : filesAnswerCodec.decode(bytes);
}

const get = (from: FileNode, to: FileNode, phase: PhaseId, file: string, ...cids: string[]) =>
  ask(from, to, filesRequestCodec.encode({ phase, root: file, kind: 'get', cids }));
const have = (from: FileNode, to: FileNode, phase: PhaseId, file: string) =>
  ask(from, to, filesRequestCodec.encode({ phase, root: file, kind: 'have' }));
const refusedAs = (code: string) => expect.objectContaining({ reject: code });

async function linked(...nodes: readonly FileNode[]): Promise<void> {
  world.connectAll(...nodes);
  await until(() =>
    nodes.every(node => node.transport.peers().filter(peer => peer.connected).length === nodes.length - 1),
  );
}

describe('who gets blocks', () => {
  it('[82] refuses strangers and members of other phases, all with one answer', async () => {
    const phase = world.ledger.addPhase('p', ['ann', 'bob']);
    const other = world.ledger.addPhase('q', ['ann', 'cem']);
    const ann = await world.node('ann');
    const cem = await world.node('cem');
    const stranger = await world.node('sly');
    world.ledger.peers.delete('peer-sly');
    await linked(ann, cem, stranger);
    const file = await ann.service.putFile(chunked(patterned(MIB)));
    const unannounced = await ann.service.putFile(chunked(patterned(MIB, 2)));
    world.ledger.record(phase, 'ann', file);
    const refusals = [
      await get(stranger, ann, phase, file.cid, file.cid),
      await have(stranger, ann, phase, file.cid),
      await get(cem, ann, phase, file.cid, file.cid),
      await get(cem, ann, other, file.cid, file.cid),
      await get(cem, ann, hashOf('no such phase') as PhaseId, file.cid, file.cid),
      await get(cem, ann, other, unannounced.cid, unannounced.cid),
      await have(cem, ann, other, unannounced.cid),
    ];
    for (const refusal of refusals) {
      expect(refusal).toEqual({ ...(refusals[0] as Reject), reject: 'not_permitted' });
    }
  });

  it('[82] follows the chain: a removed participant is refused from the next head on', async () => {
    const phase = world.ledger.addPhase('p', ['ann', 'bob']);
    const ann = await world.node('ann');
    const bob = await world.node('bob');
    await linked(ann, bob);
    const file = await ann.service.putFile(chunked(patterned(MIB)));
    world.ledger.record(phase, 'ann', file);
    expect(await have(bob, ann, phase, file.cid)).toEqual({ kind: 'holding', extent: 'whole' });
    world.ledger.setParticipants(phase, ['ann']);
    expect(await have(bob, ann, phase, file.cid)).toEqual(refusedAs('not_permitted'));
    expect(await get(bob, ann, phase, file.cid, file.cid)).toEqual(refusedAs('not_permitted'));
    const later = await ann.service.putFile(chunked(patterned(MIB, 2)));
    world.ledger.record(phase, 'ann', later);
    expect(await bob.service.fetchFile(phase, later.cid)).toMatchObject({ permanent: true });
    world.ledger.setParticipants(phase, ['ann', 'bob']);
    await until(() => bob.service.status(phase, later.cid)?.local === 'whole');
  });

  it('[82] refuses the nodes of a revoked member', async () => {
    const phase = world.ledger.addPhase('p', ['ann', 'bob']);
    const ann = await world.node('ann');
    const bob = await world.node('bob');
    await linked(ann, bob);
    const file = await ann.service.putFile(chunked(patterned(MIB)));
    world.ledger.record(phase, 'ann', file);
    world.ledger.peers.delete('peer-bob');
    expect(await have(bob, ann, phase, file.cid)).toEqual(refusedAs('not_permitted'));
  });

  it('serves the owner where the managing side has custody, though it takes part in nothing', async () => {
    const phase = world.ledger.addPhase('p', ['ann'], 0, 'max');
    const closed = world.ledger.addPhase('q', ['ann']);
    const ann = await world.node('ann');
    const owner = await world.node('max');
    await linked(ann, owner);
    const file = await ann.service.putFile(chunked(patterned(MIB)));
    const hidden = await ann.service.putFile(chunked(patterned(MIB, 2)));
    world.ledger.record(phase, 'ann', file);
    world.ledger.record(closed, 'ann', hidden);
    expect(owner.service.status(phase, file.cid)).toMatchObject({ local: 'none', wanted: 1 });
    expect(await owner.service.fetchFile(phase, file.cid)).toBeNull();
    expect(await owner.service.fetchFile(closed, hidden.cid)).toMatchObject({ permanent: true });
  });

  it('[82] serves no block of another file, however the request names it', async () => {
    const phase = world.ledger.addPhase('p', ['ann', 'bob']);
    const secret = world.ledger.addPhase('q', ['ann']);
    const ann = await world.node('ann');
    const bob = await world.node('bob');
    await linked(ann, bob);
    const shared = await ann.service.putFile(chunked(patterned(2 * MIB)));
    const hidden = await ann.service.putFile(chunked(patterned(2 * MIB, 2)));
    world.ledger.record(phase, 'ann', shared);
    world.ledger.record(secret, 'ann', hidden);
    const blocks: string[] = [];
    for await (const cid of ann.dag.listBlocks(hidden.cid)) blocks.push(cid);
    for (const cid of [...blocks, ...HOSTILE_NAMES.filter(name => name !== '')]) {
      expect(await get(bob, ann, phase, shared.cid, cid)).toEqual(refusedAs('not_in_file'));
      expect(await get(bob, ann, phase, shared.cid, shared.cid, cid)).toEqual(refusedAs('not_in_file'));
    }
    // and none of the file itself under the phase that it belongs to
    expect(await get(bob, ann, secret, hidden.cid, hidden.cid)).toEqual(refusedAs('not_permitted'));
  });

  it('[88] answers hostile roots like any file that is not there', async () => {
    const phase = world.ledger.addPhase('p', ['ann', 'bob']);
    const ann = await world.node('ann');
    const bob = await world.node('bob');
    await linked(ann, bob);
    for (const hostile of HOSTILE_NAMES.filter(name => name !== '')) {
      expect(await get(bob, ann, phase, hostile, hostile)).toEqual(refusedAs('not_permitted'));
    }
  });

  it('[93] closes the connection of a peer that sends what does not decode', async () => {
    const ann = await world.node('ann');
    const bob = await world.node('bob');
    await linked(ann, bob);
    expect(await ask(bob, ann, new Uint8Array([0xff, 0xff, 0xff]))).toEqual(refusedAs('undecodable'));
    await until(() => bob.transport.peers().every(peer => !peer.connected));
  });

  it('[95] answers at most 4 MiB at once, the rest on the next request', async () => {
    const phase = world.ledger.addPhase('p', ['ann', 'bob'], 1);
    const ann = await world.node('ann');
    const bob = await world.node('bob');
    await linked(ann, bob);
    const file = await ann.service.putFile(chunked(patterned(10 * MIB)));
    world.ledger.record(phase, 'ann', file);
    const cids: string[] = [];
    for await (const cid of ann.dag.listBlocks(file.cid)) cids.push(cid);
    const answer = await get(bob, ann, phase, file.cid, ...cids.slice(1));
    expect(answer).toMatchObject({ kind: 'blocks', absent: [] });
    if (isReject(answer) || answer.kind !== 'blocks') return;
    expect(answer.blocks.map(block => block.cid)).toEqual(cids.slice(1, 5));
    const twice = await get(bob, ann, phase, file.cid, cids[1]!, cids[1]!);
    expect(twice).toMatchObject({ kind: 'blocks' });
  });
});
