import { describe, expect, it } from 'vitest';
import { isReject } from '../../../src/core/base/reject.ts';
import type { BlobStore } from '../../../src/ports/blob-store.ts';
import { OperatingError } from '../../../src/ports/lifecycle.ts';
import { eachWorld, type FileNode, isWhole, memberId, put, reading, until, type World } from './world.ts';

let world: World;
eachWorld('purge', made => {
  world = made;
});

async function blocksOf(node: FileNode): Promise<number> {
  let count = 0;
  for await (const _ of node.blobs.list()) count += 1;
  return count;
}

const acknowledged = (name: string, cid: string) =>
  world.ledger.acknowledgements.filter(ack => ack.member === name && ack.cid === cid);

/** Lets acknowledgements go out. */
const settle = (condition: () => boolean) =>
  until(() => {
    world.clock.advance(10);
    return condition();
  });

/** A store that never answers. */
const silent = (blobs: BlobStore): BlobStore => ({
  ...reading(blobs, (_, bytes) => bytes),
  get: () => new Promise<never>(() => {}),
});

describe('purging a file', () => {
  it('deletes it at every holder, which then signs that it did; from then on the answer is "purged"', async () => {
    const phase = world.ledger.addPhase('p', ['ann', 'bob', 'cem']);
    const nodes = [await world.node('ann'), await world.node('bob'), await world.node('cem')] as const;
    world.connectAll(...nodes);
    const file = await put(nodes[0], 3);
    const kept = await put(nodes[0], 1, 2);
    world.ledger.record(phase, 'ann', file);
    world.ledger.record(phase, 'ann', kept);
    await world.settled(phase, file.cid, 3);
    await world.settled(phase, kept.cid, 3);
    const before = await blocksOf(nodes[1]);
    const status = await nodes[0].service.purge(phase, file.cid, 'by court order');
    expect(status).toMatchObject({ by: 'ann', reason: 'by court order' });
    // in the order of their receipts
    expect('holders' in status && [...status.holders].sort()).toEqual(['ann', 'bob', 'cem']);
    await settle(() => ['ann', 'bob', 'cem'].every(name => acknowledged(name, file.cid).length === 1));
    for (const node of nodes) {
      expect(node.service.status(phase, file.cid)).toBeNull();
      expect(node.service.purgeStatus(phase, file.cid)).toMatchObject({ open: [] });
      expect(await node.service.verifyFile(file.cid)).toMatchObject({ sound: false, blocks: 0 });
      expect(await node.service.fetchFile(phase, file.cid)).toEqual({ reason: 'purged', permanent: true });
      expect(isWhole(node, phase, kept.cid)).toBe(true);
    }
    expect(await blocksOf(nodes[1])).toBeLessThan(before);
    expect(world.ledger.acknowledgements.every(({ kept: left }) => !left)).toBe(true);
    expect(await nodes[1].service.purge(phase, file.cid, '')).toMatchObject({ reject: 'purged' });
    expect(await nodes[1].service.pin(phase, file.cid)).toMatchObject({ reject: 'purged' });
    const survey = await nodes[1].service.survey(phase, [kept.cid, file.cid]);
    expect(survey.get(file.cid)!.map(({ extent }) => extent)).toEqual(['purged', 'purged']);
  });

  it('is acknowledged by each node of a member for itself: what one deleted says nothing of the other', async () => {
    const phase = world.ledger.addPhase('p', ['ann', 'bob']);
    const ann = await world.node('ann');
    const bob = await world.node('bob');
    const second = await world.node('bob-2', { member: 'bob' });
    const empty = await world.node('bob-3', { member: 'bob' });
    world.connectAll(ann, bob, second);
    const file = await put(ann, 1);
    world.ledger.record(phase, 'ann', file);
    await world.settled(phase, file.cid, 2);
    await until(() => isWhole(second, phase, file.cid));
    await second.service.stop();
    await second.transport.stop();
    await ann.service.purge(phase, file.cid, '');
    await settle(
      () => acknowledged('ann', file.cid).length === 1 && acknowledged('bob', file.cid).length === 2,
    );
    // the third never had a byte of it, and says so: its member had signed for the file
    expect(new Set(acknowledged('bob', file.cid).map(({ node }) => node))).toEqual(
      new Set(['peer-bob', 'peer-bob-3']),
    );
    expect(await blocksOf(empty)).toBe(0);
    expect(await blocksOf(second)).toBeGreaterThan(0);
    const open = () => ann.service.purgeStatus(phase, file.cid)!.open;
    expect(open()).toEqual([{ member: 'bob', node: 'peer-bob-2' }]);
    const again = await world.node('bob-2', { member: 'bob', earlier: second });
    await settle(() => open().length === 0);
    expect(await blocksOf(again)).toBe(0);
    expect(acknowledged('bob', file.cid)).toHaveLength(3);
    // whose card names no node has said nothing either
    world.ledger.sign(phase, memberId('eve'), [{ position: 0, record: file.cid as never, cid: file.cid }]);
    expect(open()).toEqual([{ member: 'eve', node: null }]);
  });

  it('[87] takes nothing of it from a holder that was away and offers it again', async () => {
    const phase = world.ledger.addPhase('p', ['ann', 'bob', 'cem']);
    const ann = await world.node('ann');
    const bob = await world.node('bob');
    const cem = await world.node('cem');
    world.connectAll(ann, bob, cem);
    const file = await put(ann, 1);
    const entry = world.ledger.record(phase, 'ann', file);
    await world.settled(phase, file.cid, 3);
    // cem is away with its copy, and does not hear of the order
    await cem.service.stop();
    world.ledger.orderPurge(phase, file.cid, memberId('ann'));
    await settle(() => ['ann', 'bob'].every(name => acknowledged(name, file.cid).length === 1));
    expect(await blocksOf(bob)).toBe(0);
    const offered = await cem.service
      .replicate(phase, [file], { copies: 2, waitMs: 50 })
      .then(state => state);
    expect(isReject(offered) ? [] : offered.holders[0]).toEqual(['cem']);
    // somebody writes a new record of the same file: the order stands
    world.ledger.record(phase, 'cem', file, entry);
    for (let turn = 0; turn < 50; turn += 1) await new Promise(resolve => setImmediate(resolve));
    expect(await blocksOf(bob)).toBe(0);
    expect(bob.service.status(phase, file.cid)).toBeNull();
    await cem.transport.stop();
    const again = await world.node('cem', { earlier: cem });
    await settle(() => acknowledged('cem', file.cid).length === 1);
    expect(await blocksOf(again)).toBe(0);
  }, 20_000);

  it('keeps what a record of another phase names, says so, and deletes it when it is purged there too', async () => {
    const first = world.ledger.addPhase('p', ['ann', 'bob']);
    const second = world.ledger.addPhase('q', ['ann', 'bob']);
    const ann = await world.node('ann');
    const bob = await world.node('bob');
    world.connect(ann, bob);
    const file = await put(ann, 1);
    const entry = world.ledger.record(first, 'ann', file);
    const handed = world.ledger.record(second, 'ann', file, entry);
    await world.settled(first, file.cid, 2);
    await world.settled(second, file.cid, 2);
    const status = await ann.service.purge(first, file.cid, '');
    expect(isReject(status) ? null : status.elsewhere.map(({ record }) => record)).toEqual([handed.record]);
    await settle(() => acknowledged('bob', file.cid).length === 1);
    expect(acknowledged('bob', file.cid)[0]).toMatchObject({ kept: true });
    expect(bob.service.status(first, file.cid)).toBeNull();
    expect(isWhole(bob, second, file.cid)).toBe(true);
    await ann.service.purge(second, file.cid, '');
    await settle(() => acknowledged('bob', file.cid).filter(({ kept }) => !kept).length === 2);
    expect(await blocksOf(bob)).toBe(0);
    expect(bob.service.purgeStatus(first, file.cid)?.acknowledged).toContainEqual(
      expect.objectContaining({ member: 'bob', kept: false }),
    );
  });

  it('answers whoever waits for a file that is purged before its turn to be fetched comes', async () => {
    const phase = world.ledger.addPhase('p', ['ann', 'bob']);
    const ann = await world.node('ann', { serve: silent });
    const bob = await world.node('bob', { limits: { filesInFlight: 1 } });
    world.connect(ann, bob);
    const first = await put(ann, 2, 1);
    const second = await put(ann, 2, 2);
    world.ledger.record(phase, 'ann', first);
    await until(() => bob.service.status(phase, first.cid)?.fetch?.running === true);
    world.ledger.record(phase, 'ann', second);
    const waiting = bob.service.fetchFile(phase, second.cid);
    world.ledger.orderPurge(phase, second.cid, memberId('ann'));
    expect(await waiting).toEqual({ reason: 'purged', permanent: true });
  });

  it('waits for no holder that is asked for the file at that moment and does not answer', async () => {
    const phase = world.ledger.addPhase('p', ['ann', 'bob']);
    let isSilent = true;
    const ann = await world.node('ann', {
      serve: blobs => ({ ...silent(blobs), get: cid => (isSilent ? silent(blobs) : blobs).get(cid) }),
    });
    const bob = await world.node('bob');
    world.connect(ann, bob);
    const file = await put(ann, 2);
    const small = [await put(ann, 0.01, 2), await put(ann, 0.01, 3)];
    for (const one of [file, ...small]) world.ledger.record(phase, 'ann', one);
    const purged = [file, small[0]!];
    await until(() => purged.every(({ cid }) => bob.service.status(phase, cid)?.local === 'partial'));
    isSilent = false;
    for (const { cid } of purged) world.ledger.orderPurge(phase, cid, memberId('ann'));
    await settle(() => purged.every(({ cid }) => acknowledged('bob', cid).length === 1));
    // what was asked for along with it is asked for again
    await until(() => isWhole(bob, phase, small[1]!.cid));
  });

  it('goes on with the next order when one cannot be carried out', async () => {
    const phase = world.ledger.addPhase('p', ['ann', 'bob']);
    const ann = await world.node('ann');
    let stuck = '';
    const bob = await world.node('bob', {
      serve: blobs => ({
        ...reading(blobs, (_, bytes) => bytes),
        delete: async cid => {
          if (cid === stuck) throw new OperatingError('blob_store_failed', 'no');
          await blobs.delete(cid);
        },
      }),
    });
    world.connect(ann, bob);
    const first = await put(ann, 1, 1);
    const second = await put(ann, 1, 2);
    for (const file of [first, second]) world.ledger.record(phase, 'ann', file);
    for (const file of [first, second]) await world.settled(phase, file.cid, 2);
    stuck = first.cid;
    for (const file of [first, second]) world.ledger.orderPurge(phase, file.cid, memberId('ann'));
    await settle(() => acknowledged('bob', second.cid).length === 1);
    expect(acknowledged('bob', first.cid)).toEqual([]);
    stuck = '';
    await settle(() => acknowledged('bob', first.cid).length === 1);
    expect(await blocksOf(bob)).toBe(0);
  });

  it('carries out at a start what it missed, and acknowledges it again when that failed', async () => {
    const phase = world.ledger.addPhase('p', ['ann', 'bob']);
    const ann = await world.node('ann');
    const bob = await world.node('bob');
    world.connect(ann, bob);
    const file = await put(ann, 1);
    world.ledger.record(phase, 'ann', file);
    await world.settled(phase, file.cid, 2);
    await bob.service.stop();
    await bob.transport.stop();
    world.ledger.orderPurge(phase, file.cid, memberId('ann'));
    const again = await world.node('bob', { earlier: bob });
    expect(await blocksOf(again)).toBe(0);
    await again.service.stop();
    await again.transport.stop();
    expect(acknowledged('bob', file.cid)).toEqual([]);
    await world.node('bob', { earlier: again });
    await settle(() => acknowledged('bob', file.cid).length === 1);
  });

  it('acknowledges when it is in the phase again what it deleted just before it had to leave', async () => {
    const phase = world.ledger.addPhase('p', ['ann', 'bob']);
    const ann = await world.node('ann');
    const bob = await world.node('bob');
    world.connect(ann, bob);
    const file = await put(ann, 1);
    world.ledger.record(phase, 'ann', file);
    await world.settled(phase, file.cid, 2);
    world.ledger.orderPurge(phase, file.cid, memberId('ann'));
    world.ledger.setParticipants(phase, ['ann']);
    await settle(() => acknowledged('ann', file.cid).length === 1);
    expect(await blocksOf(bob)).toBe(0);
    expect(acknowledged('bob', file.cid)).toEqual([]);
    world.ledger.setParticipants(phase, ['ann', 'bob']);
    await settle(() => acknowledged('bob', file.cid).length === 1);
    expect(acknowledged('bob', file.cid)).toEqual([
      { member: 'bob', node: 'peer-bob', cid: file.cid, kept: false },
    ]);
  });

  it('[87] signs nothing before the last block is gone, when the disk fails in the middle and after a start', async () => {
    const phase = world.ledger.addPhase('p', ['ann', 'bob']);
    const ann = await world.node('ann');
    let deletions = 0;
    let isBroken = true;
    const bob = await world.node('bob', {
      serve: blobs => ({
        ...reading(blobs, (_, bytes) => bytes),
        delete: async cid => {
          deletions += 1;
          if (isBroken && deletions % 2 === 0) throw new OperatingError('blob_store_failed', 'no');
          await blobs.delete(cid);
        },
      }),
    });
    world.connect(ann, bob);
    const file = await put(ann, 5);
    world.ledger.record(phase, 'ann', file);
    await world.settled(phase, file.cid, 2);
    await ann.service.stop();
    await ann.transport.stop();
    world.ledger.orderPurge(phase, file.cid, memberId('ann'));
    // by itself, after a while: nothing happens on the chain
    await until(() => {
      world.clock.advance(2000);
      return deletions >= 4;
    });
    expect(await blocksOf(bob)).toBeGreaterThan(0);
    expect(acknowledged('bob', file.cid)).toEqual([]);
    await bob.service.stop();
    await bob.transport.stop();
    isBroken = false;
    const again = await world.node('bob', { earlier: bob });
    expect(await blocksOf(again)).toBe(0);
    await settle(() => acknowledged('bob', file.cid).length === 1);
  });
});
