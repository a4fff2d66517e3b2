import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as dagPb from '@ipld/dag-pb';
import { UnixFS } from 'ipfs-unixfs';
import { CID } from 'multiformats/cid';
import { create } from 'multiformats/hashes/digest';
import { describe, expect, it } from 'vitest';
import { fromHex } from '../../../src/core/base/bytes.ts';
import type { PhaseId } from '../../../src/core/base/ids.ts';
import { isReject } from '../../../src/core/base/reject.ts';
import { nodeSuite } from '../../../src/crypto/suite.ts';
import { OperatingError } from '../../../src/ports/lifecycle.ts';
import { carFormat } from '../../../src/store/car.ts';
import { MemoryBlobStore } from '../../../src/store/memory-blob-store.ts';
import {
  chunked,
  collect,
  eachWorld,
  type FileNode,
  hashOf,
  isWhole,
  MIB,
  memberId,
  patterned,
  put,
  reading,
  until,
  type World,
} from './world.ts';

let world: World;
eachWorld('care', made => {
  world = made;
});

function rot(node: FileNode, cid: string): void {
  const path = join(node.directory, 'blocks', cid.slice(-2), cid);
  writeFileSync(path, readFileSync(path).fill(0, 10, 20));
}

async function connected(node: FileNode, count: number): Promise<void> {
  await until(() => node.transport.peers().filter(peer => peer.connected).length === count);
}

async function threeWithFile(mebibytes: number): Promise<{ phase: PhaseId; nodes: FileNode[]; cid: string }> {
  const phase = world.ledger.addPhase('p', ['ann', 'bob', 'cem']);
  const nodes = [await world.node('ann'), await world.node('bob'), await world.node('cem')];
  world.connectAll(...nodes);
  const file = await put(nodes[0]!, mebibytes);
  world.ledger.record(phase, 'ann', file);
  await world.settled(phase, file.cid, 3);
  return { phase, nodes, cid: file.cid };
}

describe('many small files', () => {
  it('are stored with shared writes and fetched with shared requests', async () => {
    const phase = world.ledger.addPhase('p', ['ann', 'bob']);
    const ann = await world.node('ann', { blobs: new MemoryBlobStore() });
    const bob = await world.node('bob', { blobs: new MemoryBlobStore() });
    const writes: number[] = [];
    const putMany = ann.blobs.putMany.bind(ann.blobs);
    ann.blobs.putMany = many => {
      writes.push(many.length);
      return putMany(many);
    };
    const sources = Array.from({ length: 300 }, (_, seed) => chunked(patterned(4096, seed + 1)));
    const files = await ann.service.putFiles(sources, { phase });
    expect(writes.length).toBeLessThanOrEqual(2);
    for (const file of files) world.ledger.record(phase, 'ann', file);
    const request = bob.transport.request.bind(bob.transport);
    let requests = 0;
    bob.transport.request = (...input) => {
      requests += 1;
      return request(...input);
    };
    world.connect(ann, bob);
    await until(() => files.every(file => isWhole(bob, phase, file.cid)));
    expect(requests).toBeLessThan(30);
    expect(Buffer.compare(await collect(bob.service.getFile(files[299]!)), patterned(4096, 300))).toBe(0);
    await world.settled(phase, files[0]!.cid, 2);
  });

  it('are all or none: one that breaks off takes the others along', async () => {
    const ann = await world.node('ann');
    const broken = async function* () {
      yield patterned(10);
      throw new Error('the line went dead');
    };
    await expect(ann.service.putFiles([chunked(patterned(4096)), broken()])).rejects.toThrow('went dead');
    for await (const cid of ann.blobs.list()) expect(cid).toBeUndefined();
    expect((await ann.service.usage()).node).toMatchObject({ bytes: 0, files: 0 });
  });

  it('come the long way when a holder has some of them only', async () => {
    const phase = world.ledger.addPhase('p', ['ann', 'bob']);
    const ann = await world.node('ann');
    const bob = await world.node('bob');
    const files = await ann.service.putFiles([1, 2, 3].map(seed => chunked(patterned(4096, seed))));
    await ann.blobs.delete(files[1]!.cid);
    for (const file of files) world.ledger.record(phase, 'ann', file);
    world.connect(ann, bob);
    await until(() => isWhole(bob, phase, files[0]!.cid) && isWhole(bob, phase, files[2]!.cid));
    await until(() => (bob.service.status(phase, files[1]!.cid)?.fetch?.attempts ?? 0) > 0);
    expect(bob.service.status(phase, files[1]!.cid)?.fetch?.reason).toContain('absent');
  });
});

describe('copies before the record', () => {
  it('are spread to as many nodes as are waited for, and served to nobody else', async () => {
    const phase = world.ledger.addPhase('p', ['ann', 'bob', 'cem']);
    const other = world.ledger.addPhase('q', ['ann', 'dan']);
    const [ann, bob, cem] = [await world.node('ann'), await world.node('bob'), await world.node('cem')];
    const dan = await world.node('dan');
    world.connectAll(ann, bob, cem, dan);
    await connected(ann, 3);
    const files = [await put(ann, 3), await put(ann, 0.01, 2)];
    const states: number[] = [];
    const waiting = ann.service.replicate(phase, files, {
      ...{ copies: 3, waitMs: 1e9 },
      onProgress: state => states.push(state.copies),
    });
    let ended = false;
    void waiting.then(() => {
      ended = true;
    });
    await until(() => {
      world.clock.advance(20);
      return ended;
    });
    const state = await waiting;
    if (isReject(state)) throw new Error(state.detail);
    expect(state).toMatchObject({ copies: 3, wanted: 3 });
    expect(state.holders.map(members => [...members].sort())).toEqual([
      ['ann', 'bob', 'cem'],
      ['ann', 'bob', 'cem'],
    ]);
    expect(states.at(-1)).toBe(3);
    expect(world.ledger.submissions).toEqual([]);
    expect(await dan.service.fetchFile(other, files[0]!.cid)).toMatchObject({ permanent: true });
    for (const file of files) world.ledger.record(phase, 'ann', file);
    await world.settled(phase, files[0]!.cid, 3);
  });

  it('are waited for no longer than asked, and the gap is told', async () => {
    const phase = world.ledger.addPhase('p', ['ann', 'bob']);
    const ann = await world.node('ann');
    await world.node('bob');
    const file = await put(ann, 0.1);
    const waiting = ann.service.replicate(phase, [file], { copies: null, waitMs: 5000 });
    world.clock.advance(5000);
    expect(await waiting).toMatchObject({ copies: 1, wanted: 2 });
  });

  it('are not waited for when the phase has fewer participants', async () => {
    const phase = world.ledger.addPhase('p', ['ann', 'bob']);
    const ann = await world.node('ann');
    const file = await put(ann, 0.1);
    const refused = await ann.service.replicate(phase, [file], { copies: 3, waitMs: 1e9 });
    expect(refused).toMatchObject({ reject: 'too_few_copies', detail: expect.stringContaining('2 part') });
  });

  it('are dropped when no record comes', async () => {
    const phase = world.ledger.addPhase('p', ['ann', 'bob']);
    const limits = { unreferencedMs: 1e6, offerMs: 1e6 };
    const ann = await world.node('ann', { limits });
    const bob = await world.node('bob', { limits });
    world.connect(ann, bob);
    await connected(ann, 1);
    const file = await put(ann, 0.1);
    let state: unknown = null;
    void ann.service.replicate(phase, [file], { copies: 2, waitMs: 1e9 }).then(found => {
      state = found;
    });
    await until(() => {
      world.clock.advance(1);
      return state !== null;
    });
    expect(await bob.service.verifyFile(file.cid)).toMatchObject({ sound: true });
    world.clock.advance(2e6);
    expect(await bob.service.collectGarbage()).toMatchObject({ files: 1 });
    expect(await bob.service.verifyFile(file.cid)).toMatchObject({ sound: false });
  });
});

describe('proof of possession', () => {
  it('is given for the very blocks that the challenger picked, and shown with its time', async () => {
    const { phase, nodes, cid } = await threeWithFile(3);
    const proofs = await nodes[0]!.service.challenge(phase, cid);
    expect(proofs.map(({ member }) => member).sort()).toEqual(['bob', 'cem']);
    for (const proof of proofs) {
      expect(proof).toMatchObject({ provenMs: world.clock.nowMs(), failedSinceMs: null });
    }
  });

  it('is given for blocks that are more than one answer takes', async () => {
    const phase = world.ledger.addPhase('p', ['ann', 'bob']);
    const ann = await world.node('ann');
    const bob = await world.node('bob');
    world.connect(ann, bob);
    const cidOf = (codec: number, bytes: Uint8Array) =>
      CID.createV1(codec, create(0x12, fromHex(nodeSuite.sha256(bytes))!));
    const leaves = [1, 2, 3, 4, 5].map(seed => patterned(2 * MIB, seed));
    const tree = new UnixFS({ type: 'file', blockSizes: leaves.map(({ length }) => BigInt(length)) });
    const links = leaves.map(bytes => ({ Hash: cidOf(0x55, bytes), Tsize: bytes.length, Name: '' }));
    const root = dagPb.encode({ Data: tree.marshal(), Links: links });
    const blocks = [cidOf(0x70, root), ...links.map(({ Hash }) => Hash)].map((one, index) => ({
      cid: one.toString(),
      bytes: [root, ...leaves][index]!,
    }));
    const { cid } = blocks[0]!;
    const keyCommitment = hashOf('key');
    world.ledger.record(phase, 'ann', { cid, ciphertextBytes: 10 * MIB, keyCommitment });
    const archive = carFormat.write(
      cid,
      (async function* () {
        yield* blocks;
      })(),
    );
    expect(await ann.service.importCar(phase, cid, archive)).toMatchObject({ whole: true });
    await world.settled(phase, cid, 2);
    expect(await ann.service.challenge(phase, cid)).toMatchObject([{ member: 'bob', failedSinceMs: null }]);
  });

  it('fails where a copy is lost; the holder finds out, and takes it again', async () => {
    const { phase, nodes, cid } = await threeWithFile(3);
    const [ann, bob] = nodes as [FileNode, FileNode];
    for await (const block of bob.blobs.list()) rot(bob, block);
    const before = world.clock.nowMs();
    const proofs = await ann.service.challenge(phase, cid);
    expect(proofs.find(({ member }) => member === 'bob')).toMatchObject({ failedSinceMs: before });
    expect(ann.service.status(phase, cid)?.condition).toBe('filling');
    await until(async () => (await bob.service.verifyFile(cid)).sound);
    const again = await ann.service.challenge(phase, cid);
    expect(again.find(({ member }) => member === 'bob')).toMatchObject({ failedSinceMs: null });
    expect(ann.service.status(phase, cid)?.condition).toBe('complete');
  });

  it('of a member that pretends makes another participant take a copy', async () => {
    const names = ['ann', 'bob', 'cem'];
    const phase = world.ledger.addPhase('p', names, 2);
    const nodes: FileNode[] = [];
    const limits = { holderCheckMs: 1000 };
    for (const name of names) nodes.push(await world.node(name, { limits }));
    world.connectAll(...nodes);
    const file = await put(nodes[0]!, 1);
    world.ledger.record(phase, 'ann', file);
    await world.settled(phase, file.cid, 2);
    const { desired } = nodes[0]!.service.status(phase, file.cid)!;
    const liar = nodes.find(node => node.name !== 'ann' && desired.includes(node.name as never))!;
    const spare = nodes.find(node => !desired.includes(node.name as never))!;
    await liar.service.stop();
    for await (const cid of liar.blobs.list()) await liar.blobs.delete(cid);
    await nodes[0]!.service.challenge(phase, file.cid);
    expect(nodes[0]!.service.status(phase, file.cid)).toMatchObject({ missing: [spare.name] });
    // the spare node has no copy to compare with: it learns of it when it is asked for one
    expect(await spare.service.fetchFile(phase, file.cid)).toBeNull();
    await spare.service.challenge(phase, file.cid);
    expect(spare.service.proofs(phase, file.cid)).toContainEqual(
      expect.objectContaining({ member: liar.name, provenMs: null }),
    );
  });

  it('is asked for again and again, at a bounded rate, and remembered over a restart', async () => {
    const phase = world.ledger.addPhase('p', ['ann', 'bob']);
    const limits = { challengeMs: 5000 };
    const ann = await world.node('ann', { limits });
    const bob = await world.node('bob', { limits });
    world.connect(ann, bob);
    const file = await put(ann, 1);
    world.ledger.record(phase, 'ann', file);
    await world.settled(phase, file.cid, 2);
    await until(() => {
      world.clock.advance(1000);
      return ann.service.proofs(phase, file.cid)[0]?.provenMs != null;
    });
    await ann.service.stop();
    await ann.transport.stop();
    const again = await world.node('ann', { earlier: ann });
    expect(again.service.proofs(phase, file.cid)[0]?.member).toBe('bob');
    world.ledger.orderPurge(phase, file.cid, memberId('ann'));
    await again.service.stop();
    await again.transport.stop();
    const last = await world.node('ann', { earlier: again });
    const kept: string[] = [];
    for await (const [key] of last.kv.entries({ from: 'files/proof/', to: 'files/proof0' })) kept.push(key);
    expect(kept).toEqual([]);
  });
});

describe('scrubbing', () => {
  it('[68] finds bit rot at its own pace and repairs it from the other holders', async () => {
    const phase = world.ledger.addPhase('p', ['ann', 'bob']);
    const limits = { scrubPauseMs: 60_000, scrubBytesPerSecond: MIB };
    const ann = await world.node('ann', { limits });
    const bob = await world.node('bob', { limits });
    world.connect(ann, bob);
    const file = await put(ann, 4);
    world.ledger.record(phase, 'ann', file);
    await world.settled(phase, file.cid, 2);
    for await (const cid of bob.blobs.list()) rot(bob, cid);
    expect(isWhole(bob, phase, file.cid)).toBe(true);
    world.clock.advance(60_000);
    await until(
      () =>
        bob.service.status(phase, file.cid)?.local === 'partial' ||
        bob.service.status(phase, file.cid)?.fetch === null,
    );
    await until(async () => {
      world.clock.advance(1000);
      return (await bob.service.verifyFile(file.cid)).sound;
    });
    const { scrub } = await bob.service.usage();
    expect(scrub.bad).toBeGreaterThan(0);
  });

  it('[68] goes on behind a file that cannot be read', async () => {
    const phase = world.ledger.addPhase('p', ['ann', 'bob']);
    const limits = { scrubPauseMs: 60_000 };
    const ann = await world.node('ann', { limits });
    let refused = '';
    const bob = await world.node('bob', {
      limits,
      serve: blobs =>
        reading(blobs, (cid, bytes) => {
          if (cid === refused) throw new OperatingError('blob_store_failed', 'too many open files');
          return bytes;
        }),
    });
    world.connect(ann, bob);
    const files = [await put(ann, 1, 1), await put(ann, 1, 2)];
    for (const file of files) world.ledger.record(phase, 'ann', file);
    for (const file of files) await world.settled(phase, file.cid, 2);
    // in the order in which they are read
    const [first, second] = files.map(({ cid }) => cid).sort() as [string, string];
    refused = first;
    const blocks: string[] = [];
    for await (const cid of bob.dag.listBlocks(second)) blocks.push(cid);
    for (const cid of blocks) rot(bob, cid);
    world.clock.advance(60_000);
    await until(async () => (await bob.service.usage()).scrub.roundMs !== null);
    expect((await bob.service.usage()).scrub.bad).toBeGreaterThan(0);
    await until(() => isWhole(bob, phase, second));
  });

  it('verifies everything here at once on demand', async () => {
    const { phase, nodes, cid } = await threeWithFile(2);
    const bob = nodes[1]!;
    expect(await bob.service.verifyAll()).toMatchObject({ files: 1, blocks: 4, damaged: [] });
    const [first] = await (async () => {
      const cids: string[] = [];
      for await (const block of bob.blobs.list()) cids.push(block);
      return cids;
    })();
    rot(bob, first!);
    expect(await bob.service.verifyAll()).toMatchObject({ damaged: [{ cid, blocks: 1 }] });
    await until(() => isWhole(bob, phase, cid));
    expect(await bob.service.verifyAll()).toMatchObject({ damaged: [] });
  });
});

describe('quotas and full disks', () => {
  it('refuses a new file above the quota with an error that names it, and keeps serving', async () => {
    const phase = world.ledger.addPhase('p', ['ann', 'bob']);
    const ann = await world.node('ann', { limits: { quotaBytes: 3 * MIB } });
    const bob = await world.node('bob');
    world.connect(ann, bob);
    const file = await ann.service.putFile(chunked(patterned(2 * MIB)), { phase });
    const refused = { code: 'quota_exceeded', message: expect.stringContaining('3145728') };
    await expect(ann.service.putFile(chunked(patterned(2 * MIB)), { phase })).rejects.toMatchObject(refused);
    await expect(
      ann.service.putFile(chunked(patterned(2 * MIB)), { phase, bytes: 2 * MIB }),
    ).rejects.toMatchObject(refused);
    world.ledger.record(phase, 'ann', file);
    await world.settled(phase, file.cid, 2);
    const usage = await ann.service.usage();
    expect(usage.node).toEqual({ bytes: file.ciphertextBytes, bytesMax: 3 * MIB, files: 1 });
    expect(usage.phases).toEqual([{ phase, bytes: file.ciphertextBytes, bytesMax: null, files: 1 }]);
    await ann.service.putFile(chunked(patterned(MIB / 2)), { phase });
  });

  it('counts a small file once whose block came with another file, so that it is fetched by itself', async () => {
    const phase = world.ledger.addPhase('p', ['ann', 'bob']);
    const other = world.ledger.addPhase('q', ['ann', 'bob']);
    const ann = await world.node('ann');
    const bob = await world.node('bob');
    world.connect(ann, bob);
    const file = await put(ann, 2);
    world.ledger.record(phase, 'ann', file);
    await until(() => isWhole(bob, phase, file.cid));
    const blocks: string[] = [];
    for await (const cid of bob.dag.listBlocks(file.cid)) blocks.push(cid);
    await bob.service.stop();
    await bob.transport.stop();
    // both are found at the start, and asked for together
    const leaf = { cid: blocks[1]!, ciphertextBytes: MIB, keyCommitment: file.keyCommitment };
    world.ledger.record(other, 'ann', leaf);
    const small = await put(ann, 0.01, 2);
    world.ledger.record(other, 'ann', small);
    const again = await world.node('bob', { earlier: bob });
    await until(() => again.service.status(other, leaf.cid)?.fetch?.attempts === 1);
    const bytes = file.ciphertextBytes + leaf.ciphertextBytes + small.ciphertextBytes;
    expect((await again.service.usage()).node).toMatchObject({ files: 3, bytes });
  });

  it('does not fetch above the quota of a phase, says why, and goes on when there is room', async () => {
    const phase = world.ledger.addPhase('p', ['ann', 'bob']);
    const ann = await world.node('ann');
    const bob = await world.node('bob', { limits: { phaseQuotaBytes: 3 * MIB } });
    world.connect(ann, bob);
    const first = await put(ann, 2);
    const second = await put(ann, 2, 2);
    world.ledger.record(phase, 'ann', first);
    await until(() => isWhole(bob, phase, first.cid));
    world.ledger.record(phase, 'ann', second);
    await until(() => bob.service.status(phase, second.cid)?.fetch?.nextAttemptMs != null);
    expect(bob.service.status(phase, second.cid)?.fetch?.reason).toContain('quota of phase');
    world.ledger.orderPurge(phase, first.cid, world.nodes[0]!.name as never);
    await until(() => {
      world.clock.advance(2000);
      return isWhole(bob, phase, second.cid);
    });
  });

  it('[69] refuses new files while the disk has too little room, and serves those it has', async () => {
    const phase = world.ledger.addPhase('p', ['ann', 'bob']);
    let free = 1024 * MIB;
    const memory = new MemoryBlobStore();
    const blobs = reading(memory, (_, bytes) => bytes);
    blobs.freeBytes = async () => free;
    const ann = await world.node('ann', { blobs });
    const file = await put(ann, 1);
    world.ledger.record(phase, 'ann', file);
    free = 200 * MIB;
    await expect(put(ann, 1, 2)).rejects.toMatchObject({
      code: 'disk_full',
      hint: expect.stringContaining('serving'),
    });
    const bob = await world.node('bob');
    world.connect(ann, bob);
    await until(() => isWhole(bob, phase, file.cid));
    free = 1024 * MIB;
    await put(ann, 1, 2);
  });
});

describe('pins and garbage', () => {
  it('keeps a pinned copy that the placement does not ask for', async () => {
    const names = ['ann', 'bob', 'cem'];
    const phase = world.ledger.addPhase('p', names, 1);
    const nodes: FileNode[] = [];
    for (const name of names) nodes.push(await world.node(name));
    world.connectAll(...nodes);
    const file = await put(nodes[0]!, 1);
    world.ledger.record(phase, 'ann', file);
    await world.settled(phase, file.cid, 1);
    const bob = nodes[1]!;
    expect(isWhole(bob, phase, file.cid)).toBe(false);
    expect(await bob.service.pin(phase, file.cid)).toBeNull();
    await until(() => isWhole(bob, phase, file.cid));
    expect(bob.service.status(phase, file.cid)).toMatchObject({ pinned: true });
    expect((await bob.service.usage()).pinned).toBe(1);
    await bob.service.unpin(file.cid);
    expect(bob.service.isPinned(file.cid)).toBe(false);
    expect(await bob.service.pin(phase, 'bafy')).toMatchObject({ reject: 'unknown_file' });
  });

  it('removes what no record names in time, and never what one does, is pinned, or is under way', async () => {
    const phase = world.ledger.addPhase('p', ['ann']);
    const ann = await world.node('ann', { limits: { unreferencedMs: 1000 } });
    const named = await put(ann, 1, 1);
    const forgotten = await put(ann, 1, 2);
    world.ledger.record(phase, 'ann', named);
    world.clock.advance(2000);
    let go = () => {};
    const gate = new Promise<void>(resolve => {
      go = resolve;
    });
    const slow = async function* () {
      for (let part = 0; part < 20; part += 1) {
        if (part === 18) await gate;
        yield patterned(MIB, 50 + part);
      }
    };
    const putting = ann.service.putFile(slow());
    const report = await ann.service.collectGarbage();
    expect(report).toEqual({ files: 1, bytes: forgotten.ciphertextBytes, strayBlocks: 0 });
    go();
    const late = await putting;
    expect(await ann.service.verifyFile(late.cid)).toMatchObject({ sound: true });
    expect(await ann.service.verifyFile(named.cid)).toMatchObject({ sound: true });
    expect(await ann.service.verifyFile(forgotten.cid)).toMatchObject({ sound: false });
  });
});
