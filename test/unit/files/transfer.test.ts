import { describe, expect, it } from 'vitest';
import type { PhaseId } from '../../../src/core/base/ids.ts';
import { isReject } from '../../../src/core/base/reject.ts';
import type { PutResult } from '../../../src/services/files/local-files.ts';
import { carFormat } from '../../../src/store/car.ts';
import { MemoryBlobStore } from '../../../src/store/memory-blob-store.ts';
import {
  chunked,
  collect,
  eachWorld,
  type FileNode,
  isWhole,
  MIB,
  memberId,
  patterned,
  reading,
  until,
  type World,
} from './world.ts';

let world: World;
eachWorld('transfer', made => {
  world = made;
});

const signal = new AbortController().signal;
const content = patterned(7 * MIB + 11);

async function connected(node: FileNode, count: number): Promise<void> {
  await until(() => node.transport.peers().filter(peer => peer.connected).length === count);
}

/** A file at three holders, and a fourth participant that is to hold nothing. */
async function heldByThree() {
  const names = ['ann', 'bob', 'cem'];
  const phase = world.ledger.addPhase('p', names);
  const reads: Record<string, number> = {};
  const holders: FileNode[] = [];
  for (const name of names) {
    const watched = (_: string, bytes: Uint8Array | null) => {
      reads[name] = (reads[name] ?? 0) + 1;
      return bytes;
    };
    const blobs = new MemoryBlobStore();
    holders.push(await world.node(name, { blobs, serve: inner => reading(inner, watched) }));
  }
  world.connectAll(...holders);
  const file = await holders[0]!.service.putFile(chunked(content));
  world.ledger.record(phase, 'ann', file);
  return { phase, holders, file, reads };
}

async function reader(phase: PhaseId, holders: readonly FileNode[], file: PutResult): Promise<FileNode> {
  await world.settled(phase, file.cid, 3);
  world.ledger.setPolicy(phase, { copiesTarget: 3, copiesMinimum: 1 });
  world.ledger.setParticipants(phase, ['ann', 'bob', 'cem', 'dan']);
  const dan = await world.node('dan', { blobs: new MemoryBlobStore() });
  for (const holder of holders) world.connect(holder, dan);
  await connected(dan, holders.length);
  return dan;
}

describe('reading a file that is not here', () => {
  it('streams it from several holders at once, checked, and keeps nothing', async () => {
    const { phase, holders, file, reads } = await heldByThree();
    const dan = await reader(phase, holders, file);
    for (const name of Object.keys(reads)) reads[name] = 0;
    const got = await collect(dan.service.readFile(phase, file, null, signal));
    expect(Buffer.compare(got, content)).toBe(0);
    for (const name of ['ann', 'bob', 'cem']) expect(reads[name]).toBeGreaterThan(0);
    for await (const cid of dan.blobs.list()) expect(cid).toBeUndefined();
    expect(isWhole(dan, phase, file.cid)).toBe(false);
  });

  it('asks only for the blocks that a range touches', async () => {
    const { phase, holders, file, reads } = await heldByThree();
    const dan = await reader(phase, holders, file);
    for (const name of Object.keys(reads)) reads[name] = 0;
    const range = { offset: 3 * MIB + 5, length: 1000 };
    const got = await collect(dan.service.readFile(phase, file, range, signal));
    expect(Buffer.compare(got, content.subarray(range.offset, range.offset + 1000))).toBe(0);
    expect(Object.values(reads).reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(3);
  });

  it('notices wrong bytes at the first block, leaves that holder alone and records it', async () => {
    let lies = 0;
    const { phase, holders, file } = await heldByThree();
    const dan = await reader(phase, holders, file);
    // from here on bob answers with other bytes than he is asked for
    const request = dan.transport.request.bind(dan.transport);
    dan.transport.request = async (peer, protocol, frame, options) => {
      const answer = await request(peer, protocol, frame, options);
      if (peer !== 'peer-bob' || isReject(answer)) return answer;
      lies += 1;
      const forged = answer.slice();
      forged[forged.length - 1]! ^= 1;
      return forged;
    };
    const got = await collect(dan.service.readFile(phase, file, null, signal));
    expect(Buffer.compare(got, content)).toBe(0);
    expect(lies).toBeGreaterThan(0);
    expect(lies).toBeLessThanOrEqual(6);
    expect(dan.service.misdeeds()[0]).toMatchObject({
      peer: 'peer-bob',
      fault: 'wrong_bytes',
      root: file.cid,
    });
    const before = lies;
    await collect(dan.service.readFile(phase, file, null, signal));
    expect(lies).toBe(before);
  });

  it('goes on with the others when a holder dies in the middle, and says so when none is left', async () => {
    const { phase, holders, file } = await heldByThree();
    const dan = await reader(phase, holders, file);
    const parts: Uint8Array[] = [];
    for await (const part of dan.service.readFile(phase, file, null, signal)) {
      if (parts.length === 0) {
        world.network.cut('peer-bob', 'peer-dan');
        world.network.cut('peer-cem', 'peer-dan');
      }
      parts.push(part);
    }
    expect(Buffer.compare(Buffer.concat(parts), content)).toBe(0);
    world.network.cut('peer-ann', 'peer-dan');
    await connected(dan, 0);
    const late = collect(dan.service.readFile(phase, file, null, signal));
    const refused = expect(late).rejects.toMatchObject({ code: 'no_holder' });
    let isOver = false;
    void refused.finally(() => {
      isOver = true;
    });
    await until(async () => {
      world.clock.advance(1000);
      return isOver;
    });
    await refused;
  });

  it('waits a moment for the first holder to be connected', async () => {
    const { phase, holders, file } = await heldByThree();
    const dan = await reader(phase, holders, file);
    for (const peer of ['peer-ann', 'peer-bob', 'peer-cem']) world.network.cut(peer, 'peer-dan');
    await connected(dan, 0);
    const read = collect(dan.service.readFile(phase, file, null, signal));
    world.network.heal('peer-bob', 'peer-dan');
    expect(Buffer.compare(await read, content)).toBe(0);
  });
});

describe('CAR archives', () => {
  async function exported(from: FileNode, phase: PhaseId, cid: string): Promise<Uint8Array> {
    const stream = await from.service.exportCar(phase, cid);
    if (isReject(stream)) throw new Error(stream.detail);
    return collect(stream);
  }

  it('carry a whole copy to a node that reaches no holder', async () => {
    const phase = world.ledger.addPhase('p', ['ann', 'bob']);
    const ann = await world.node('ann');
    const bob = await world.node('bob');
    const file = await ann.service.putFile(chunked(content));
    expect(await ann.service.exportCar(phase, file.cid)).toMatchObject({ reject: 'unknown_file' });
    world.ledger.record(phase, 'ann', file);
    const archive = await exported(ann, phase, file.cid);
    expect(await bob.service.exportCar(phase, file.cid)).toMatchObject({ reject: 'not_whole' });
    const done = await bob.service.importCar(phase, file.cid, chunked(archive, 1000));
    expect(done).toEqual({ blocks: 9, whole: true, reason: null });
    expect(Buffer.compare(await collect(bob.service.getFile(file)), content)).toBe(0);
    await world.settled(phase, file.cid, 2);
  });

  it('are verified block by block; a part of one is a part of the file', async () => {
    const phase = world.ledger.addPhase('p', ['ann', 'bob']);
    const ann = await world.node('ann');
    const bob = await world.node('bob', { limits: { retryMs: 1e9 } });
    const file = await ann.service.putFile(chunked(content));
    const other = await ann.service.putFile(chunked(patterned(100)));
    world.ledger.record(phase, 'ann', file);
    world.ledger.record(phase, 'ann', other);
    const archive = await exported(ann, phase, file.cid);
    const half = archive.subarray(0, 3 * MIB);
    expect(await bob.service.importCar(phase, file.cid, chunked(half))).toMatchObject({ reject: 'bad_car' });
    expect(bob.service.status(phase, file.cid)?.local).toBe('partial');
    const damaged = archive.slice();
    damaged[5 * MIB]! ^= 1;
    expect(await bob.service.importCar(phase, file.cid, chunked(damaged))).toMatchObject({
      reject: 'bad_car',
    });
    expect(await bob.service.importCar(phase, other.cid, chunked(archive))).toMatchObject({
      reject: 'bad_car',
    });
    expect(await bob.service.importCar(phase, file.cid, chunked(archive))).toMatchObject({ whole: true });
    // also where there is nothing to take from it
    expect(await bob.service.importCar(phase, file.cid, chunked(damaged))).toMatchObject({
      reject: 'bad_car',
    });
    expect(await bob.service.importCar(phase, file.cid, chunked(archive))).toMatchObject({ blocks: 9 });
  });

  it('[87] end when the file is purged meanwhile, and leave nothing, though their sender is silent', async () => {
    const phase = world.ledger.addPhase('p', ['ann', 'bob']);
    const ann = await world.node('ann');
    const bob = await world.node('bob', { limits: { retryMs: 1e9 } });
    const file = await ann.service.putFile(chunked(content));
    world.ledger.record(phase, 'ann', file);
    const archive = await exported(ann, phase, file.cid);
    const stuck = async function* () {
      yield archive.subarray(0, 3 * MIB);
      await new Promise<never>(() => {});
    };
    const blocks = async () => {
      const cids: string[] = [];
      for await (const cid of bob.blobs.list()) cids.push(cid);
      return cids.length;
    };
    const importing = bob.service.importCar(phase, file.cid, stuck());
    await until(async () => (await blocks()) > 1);
    world.ledger.orderPurge(phase, file.cid, memberId('ann'));
    expect(await importing).toMatchObject({ reject: 'purged' });
    await until(() => {
      world.clock.advance(10);
      return world.ledger.acknowledgements.some(({ member, kept }) => member === 'bob' && !kept);
    });
    expect(await blocks()).toBe(0);
    expect(await bob.service.importCar(phase, file.cid, chunked(archive))).toMatchObject({
      reject: 'purged',
    });
  });

  it('[95] end where a section claims more than a block may have', async () => {
    const endless = async function* () {
      yield await collect(
        carFormat.write('bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku', nothing()),
      );
      yield Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f);
      for (;;) yield new Uint8Array(1024);
    };
    async function* nothing() {}
    const { blocks } = await carFormat.read(endless(), MIB);
    await expect(blocks[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'bad_car' });
    await expect(carFormat.read(chunked(patterned(50)), MIB)).rejects.toMatchObject({ code: 'bad_car' });
  });
});
