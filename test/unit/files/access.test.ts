import * as dagPb from '@ipld/dag-pb';
import { UnixFS } from 'ipfs-unixfs';
import { CID } from 'multiformats/cid';
import { create } from 'multiformats/hashes/digest';
import { describe, expect, it } from 'vitest';
import { fromHex } from '../../../src/core/base/bytes.ts';
import type { MemberId, PhaseId } from '../../../src/core/base/ids.ts';
import { isReject, type Reject } from '../../../src/core/base/reject.ts';
import { nodeSuite } from '../../../src/crypto/suite.ts';
import { FILES_PROTOCOL, FILES_REQUESTS_IN_FLIGHT_MAX } from '../../../src/services/files/limits.ts';
import { type FilesAnswer, filesAnswerCodec, filesRequestCodec } from '../../../src/wire/files.ts';
import { HOSTILE_NAMES } from '../../contracts/blob-store.ts';
import {
  chunked,
  eachWorld,
  type FileNode,
  hashOf,
  isWhole,
  MIB,
  NO_COMMITMENT,
  patterned,
  reading,
  until,
  type World,
} from './world.ts';

let world: World;
eachWorld('access', made => {
  world = made;
});

/** What a node answers to a hand-made request of another. */
async function ask(from: FileNode, to: FileNode, frame: Uint8Array): Promise<FilesAnswer | Reject> {
  const bytes = await from.transport.request(to.transport.peerId, FILES_PROTOCOL, frame, { timeoutMs: 5000 });
  return isReject(bytes) ? bytes : filesAnswerCodec.decode(bytes);
}

const get = (from: FileNode, to: FileNode, phase: PhaseId, file: string, ...cids: string[]) =>
  ask(from, to, filesRequestCodec.encode({ phase, root: file, kind: 'get', cids }));
const have = (from: FileNode, to: FileNode, phase: PhaseId, file: string) =>
  ask(from, to, filesRequestCodec.encode({ phase, roots: [file], kind: 'have' }));
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
    expect(await have(bob, ann, phase, file.cid)).toEqual({ kind: 'holding', extents: ['whole'] });
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

  it('[95] is done with a peer that asked for much and went away', async () => {
    const phase = world.ledger.addPhase('p', ['ann', 'bob', 'cem'], 1);
    let reads = 0;
    const ann = await world.node('ann', {
      serve: blobs =>
        reading(blobs, (_, bytes) => {
          reads += 1;
          return bytes;
        }),
    });
    const bob = await world.node('bob');
    const cem = await world.node('cem');
    await linked(ann, bob, cem);
    const file = await ann.service.putFile(chunked(patterned(4 * MIB)));
    world.ledger.record(phase, 'ann', file);
    const cids: string[] = [];
    for await (const cid of ann.dag.listBlocks(file.cid)) cids.push(cid);
    reads = 0;
    const asked = Array.from({ length: 200 }, () =>
      get(bob, ann, phase, file.cid, ...cids).catch(error => error.code),
    );
    await until(() => reads > 0);
    world.network.cut('peer-bob', 'peer-ann');
    expect(new Set(await Promise.all(asked))).toEqual(new Set(['disconnected']));
    await until(() =>
      ann.transport.peers().every(({ peer, connected }) => peer !== 'peer-bob' || !connected),
    );
    // what was begun is finished, what waited is gone
    expect(await get(cem, ann, phase, file.cid, ...cids)).toMatchObject({ kind: 'blocks' });
    expect(reads).toBeLessThanOrEqual((FILES_REQUESTS_IN_FLIGHT_MAX + 1) * cids.length);
    world.network.heal('peer-bob', 'peer-ann');
    await linked(ann, bob, cem);
    expect(await get(bob, ann, phase, file.cid, ...cids)).toMatchObject({ kind: 'blocks' });
  });
});

/** Two phases with one node in both, and an attacker who is in the second only and knows all that the first one's log shows. */
describe('a file named in another phase', () => {
  async function stage() {
    const { ledger } = world;
    const secret = ledger.addPhase('q', ['ann', 'bob']);
    const open = ledger.addPhase('p', ['ann', 'bob', 'eve']);
    const [ann, bob, eve] = [await world.node('ann'), await world.node('bob'), await world.node('eve')];
    await linked(ann, bob, eve);
    const file = await ann.service.putFile(chunked(patterned(2 * MIB)));
    const entry = ledger.record(secret, 'ann', file);
    await world.settled(secret, file.cid, 2);
    return { secret, open, ann, bob, eve, file, entry };
  }

  it('[82] is not served there, nor fetched, nor signed for, whatever the record says of it', async () => {
    const { secret, open, ann, bob, eve, file } = await stage();
    const { ledger } = world;
    const blocks: string[] = [];
    for await (const cid of ann.dag.listBlocks(file.cid)) blocks.push(cid);
    ledger.record(open, 'eve', { ...file, keyCommitment: NO_COMMITMENT });
    ledger.record(open, 'eve', { ...file, ciphertextBytes: file.ciphertextBytes + 1 });
    ledger.record(open, 'eve', file);
    for (const holder of [ann, bob]) {
      expect(await have(eve, holder, open, file.cid)).toEqual({ kind: 'holding', extents: ['none'] });
      expect(await get(eve, holder, open, file.cid, file.cid)).toEqual(refusedAs('not_held'));
      expect(await get(eve, holder, open, file.cid, ...blocks)).toEqual(refusedAs('not_held'));
      expect(holder.service.status(open, file.cid)).toMatchObject({
        local: 'none',
        withheld: true,
        fetch: { reason: expect.stringContaining('another phase'), nextAttemptMs: null },
      });
      expect(await holder.service.fetchFile(open, file.cid)).toMatchObject({ permanent: true });
      expect(isWhole(holder, secret, file.cid)).toBe(true);
      expect(await get(ann, bob, secret, file.cid, file.cid)).toMatchObject({ kind: 'blocks' });
    }
    expect(await eve.service.fetchFile(open, file.cid)).not.toBeNull();
    world.clock.advance(10_000);
    expect(ledger.viewOf(ann.name as MemberId).receipts(open, file.cid)).toEqual([]);
  });

  it('[82] is not served block by block either, as a file of its own or as part of another one', async () => {
    const { open, ann, bob, eve, file } = await stage();
    const blocks: string[] = [];
    for await (const cid of ann.dag.listBlocks(file.cid)) blocks.push(cid);
    const leaves = blocks.filter(cid => cid !== file.cid);
    const sizes: number[] = [];
    for (const leaf of leaves) sizes.push((await ann.blobs.get(leaf))!.length);
    // a root of eve's own that names the blocks of the other file, in another order
    const reversed = leaves.map((leaf, index) => ({ leaf, bytes: sizes[index]! })).reverse();
    const tree = new UnixFS({ type: 'file', blockSizes: reversed.map(({ bytes }) => BigInt(bytes)) });
    const Links = reversed.map(({ leaf, bytes }) => ({ Name: '', Tsize: bytes, Hash: CID.parse(leaf) }));
    const own = dagPb.encode({ Data: tree.marshal(), Links });
    const total = sizes.reduce((sum, size) => sum + size, 0);
    const cid = CID.createV1(0x70, create(0x12, fromHex(nodeSuite.sha256(own))!)).toString();
    await eve.blobs.put(cid, own);
    world.ledger.record(open, 'eve', { cid, ciphertextBytes: total, keyCommitment: NO_COMMITMENT });
    for (const [index, leaf] of leaves.entries()) {
      const said = { ciphertextBytes: sizes[index]!, keyCommitment: NO_COMMITMENT };
      world.ledger.record(open, 'eve', { cid: leaf, ...said });
    }
    expect(await eve.service.fetchFile(open, cid)).not.toBeNull();
    await until(() => (bob.service.status(open, cid)?.fetch?.attempts ?? 0) > 0);
    await until(() => leaves.every(leaf => (bob.service.status(open, leaf)?.fetch?.attempts ?? 0) > 0));
    for (const leaf of leaves) {
      expect(await get(eve, bob, open, leaf, leaf)).toMatchObject({
        kind: 'blocks',
        blocks: [],
        absent: [leaf],
      });
      const answer = await get(eve, bob, open, cid, leaf);
      expect(isReject(answer) || (answer.kind === 'blocks' && answer.blocks.length === 0)).toBe(true);
    }
  });

  it('is served there once a record of the phase that it came through is handed over', async () => {
    const { open, ann, bob, eve, file, entry } = await stage();
    world.ledger.record(open, 'eve', file);
    expect(await have(eve, bob, open, file.cid)).toEqual({ kind: 'holding', extents: ['none'] });
    world.ledger.record(open, 'ann', file, entry);
    for (const holder of [ann, bob]) {
      expect(await have(eve, holder, open, file.cid)).toEqual({ kind: 'holding', extents: ['whole'] });
      expect(holder.service.status(open, file.cid)).toMatchObject({ local: 'whole', withheld: false });
    }
    await world.settled(open, file.cid, 3);
    expect(isWhole(eve, open, file.cid)).toBe(true);
  });

  it('does not keep the file away from the phase that it is of, though it was named there first', async () => {
    const { ledger } = world;
    const secret = ledger.addPhase('q', ['ann', 'bob']);
    const open = ledger.addPhase('p', ['bob', 'eve']);
    const [ann, bob] = [await world.node('ann'), await world.node('bob')];
    await linked(ann, bob);
    const file = await ann.service.putFile(chunked(patterned(2 * MIB)));
    ledger.record(open, 'eve', { ...file, keyCommitment: NO_COMMITMENT });
    await until(() => bob.service.status(open, file.cid)?.fetch?.attempts === 1);
    ledger.record(secret, 'ann', file);
    await until(() => isWhole(bob, secret, file.cid));
    expect(bob.service.status(open, file.cid)).toMatchObject({ local: 'none', withheld: true });
  });
});
