import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as dagPb from '@ipld/dag-pb';
import { UnixFS } from 'ipfs-unixfs';
import { CID } from 'multiformats/cid';
import { create } from 'multiformats/hashes/digest';
import { describe, expect, it } from 'vitest';
import { fromHex } from '../../../src/core/base/bytes.ts';
import { nodeSuite } from '../../../src/crypto/suite.ts';
import { OperatingError } from '../../../src/ports/lifecycle.ts';
import { MemoryBlobStore } from '../../../src/store/memory-blob-store.ts';
import {
  collect,
  eachWorld,
  isWhole,
  MIB,
  NO_COMMITMENT,
  patterned,
  put,
  reading,
  until,
  type World,
} from './world.ts';

let world: World;
eachWorld('faults', made => {
  world = made;
});

describe('faults while files are replicated', () => {
  it('[81] goes on from another holder when one dies in the middle', async () => {
    const phase = world.ledger.addPhase('p', ['ann', 'bob', 'cem']);
    let served = 0;
    let dies = false;
    const ann = await world.node('ann', {
      serve: blobs =>
        reading(blobs, (_, bytes) => {
          served += 1;
          if (dies && served === 4) world.network.cut('peer-ann', 'peer-cem');
          return bytes;
        }),
    });
    const bob = await world.node('bob');
    world.connect(ann, bob);
    const file = await put(ann, 8);
    const entry = world.ledger.record(phase, 'ann', file);
    await until(() => isWhole(bob, phase, file.cid));
    world.ledger.sign(phase, entry.author, [entry]);
    served = 0;
    dies = true;
    const cem = await world.node('cem', { limits: { blocksPerFetch: 1, sourcesPerFile: 1 } });
    world.connect(ann, cem);
    await until(() => served > 0);
    world.connect(bob, cem);
    await until(() => isWhole(cem, phase, file.cid));
    expect(served).toBeGreaterThanOrEqual(4);
    expect(Buffer.compare(await collect(cem.service.getFile(file)), patterned(8 * MIB))).toBe(0);
  });

  it('[52] leaves a holder alone that sent wrong bytes, and takes the file from another', async () => {
    const phase = world.ledger.addPhase('p', ['ann', 'bob', 'cem']);
    let lies = 0;
    const liar = await world.node('ann', {
      serve: blobs =>
        reading(blobs, (_, bytes) => {
          if (bytes === null || !lying) return bytes;
          lies += 1;
          return bytes.map(byte => byte ^ 1);
        }),
    });
    let lying = false;
    const bob = await world.node('bob');
    world.connect(liar, bob);
    const file = await put(liar, 4);
    world.ledger.record(phase, 'ann', file);
    await until(() => isWhole(bob, phase, file.cid));
    lying = true;
    const cem = await world.node('cem', { limits: { sourcesPerFile: 1 } });
    world.connect(liar, cem);
    await until(() => cem.service.status(phase, file.cid)?.fetch?.attempts === 1);
    expect(lies).toBeGreaterThan(0);
    expect(cem.service.status(phase, file.cid)?.fetch?.reason).toBe('peer-ann: wrong_bytes');
    const liesBefore = lies;
    world.connect(bob, cem);
    await until(() => isWhole(cem, phase, file.cid));
    const second = await put(liar, 1, 2);
    world.ledger.record(phase, 'ann', second);
    await until(
      () => isWhole(bob, phase, second.cid) || bob.service.status(phase, second.cid)?.fetch?.attempts === 1,
    );
    const survey = await cem.service.survey(phase, [file.cid]);
    expect(survey.get(file.cid)?.map(answer => answer.peer)).toEqual(['peer-bob']);
    expect(lies).toBeGreaterThanOrEqual(liesBefore);
    expect(Buffer.compare(await collect(cem.service.getFile(file)), patterned(4 * MIB))).toBe(0);
  });

  it('[68] repairs rotten and lost blocks from other holders, and fetches only those', async () => {
    const phase = world.ledger.addPhase('p', ['ann', 'bob']);
    const served: string[] = [];
    const ann = await world.node('ann', {
      serve: blobs =>
        reading(blobs, (cid, bytes) => {
          served.push(cid);
          return bytes;
        }),
    });
    const bob = await world.node('bob');
    world.connect(ann, bob);
    const file = await put(ann, 6);
    world.ledger.record(phase, 'ann', file);
    await until(() => isWhole(bob, phase, file.cid));
    const leaves: string[] = [];
    for await (const cid of bob.dag.listBlocks(file.cid)) if (cid !== file.cid) leaves.push(cid);
    const [rotten, lost] = leaves as [string, string];
    const path = join(bob.directory, 'blocks', rotten.slice(-2), rotten);
    writeFileSync(path, readFileSync(path).fill(0, 10, 20));
    await bob.blobs.delete(lost);
    const verification = await bob.service.verifyFile(file.cid);
    expect(verification).toMatchObject({ sound: false, blocks: 6 });
    expect([...verification.bad].sort()).toEqual([rotten, lost].sort());
    expect(bob.service.status(phase, file.cid)?.local).toBe('partial');
    served.length = 0;
    expect(await bob.service.fetchFile(phase, file.cid)).toBeNull();
    expect([...served].sort()).toEqual([rotten, lost].sort());
    expect(await bob.service.verifyFile(file.cid)).toMatchObject({ sound: true });
    expect(bob.service.status(phase, file.cid)?.local).toBe('whole');
  });

  it('gives up on a tree that is no file or has another length than its record, and says so', async () => {
    const phase = world.ledger.addPhase('p', ['ann', 'bob']);
    const ann = await world.node('ann');
    const bob = await world.node('bob');
    const file = await put(ann, 2);
    const directory = dagPb.encode({ Data: new UnixFS({ type: 'directory' }).marshal(), Links: [] });
    const digest = create(0x12, fromHex(nodeSuite.sha256(directory))!);
    const directoryCid = CID.createV1(0x70, digest).toString();
    await ann.blobs.put(directoryCid, directory);
    const commitment = { keyCommitment: NO_COMMITMENT };
    const wrongLength = world.ledger.record(phase, 'ann', {
      ...file,
      ciphertextBytes: file.ciphertextBytes + 1,
    });
    const hostile = world.ledger.record(phase, 'ann', {
      ...commitment,
      cid: '../../lock',
      ciphertextBytes: 1,
    });
    const right = world.ledger.record(phase, 'ann', file);
    world.connect(ann, bob);
    await until(() => isWhole(bob, phase, file.cid));
    await until(() => bob.service.status(phase, hostile.cid)?.fetch?.attempts === 1);
    expect(bob.service.status(phase, hostile.cid)?.fetch).toMatchObject({
      reason: 'the record names no file CID',
      nextAttemptMs: null,
    });
    expect(bob.service.status(phase, wrongLength.cid)?.fetch).toMatchObject({
      reason: expect.stringContaining('another length'),
      nextAttemptMs: null,
    });
    expect(right.ciphertextBytes).toBe(file.ciphertextBytes);
    expect(await bob.service.verifyFile(file.cid)).toMatchObject({ sound: true });
  });

  it('[69] waits for a disk that takes no blocks, and goes on where it was', async () => {
    const phase = world.ledger.addPhase('p', ['ann', 'bob']);
    const ann = await world.node('ann');
    let free = 3;
    const memory = new MemoryBlobStore();
    const full = reading(memory, (_, bytes) => bytes);
    full.put = async (cid, bytes) => {
      free -= 1;
      if (free < 0) throw new OperatingError('blob_store_failed', 'no space left on device');
      await memory.put(cid, bytes);
    };
    full.putMany = async many => {
      for (const { cid, bytes } of many) await full.put(cid, bytes);
    };
    const bob = await world.node('bob', { blobs: full });
    world.connect(ann, bob);
    const file = await put(ann, 8);
    world.ledger.record(phase, 'ann', file);
    await until(() => bob.service.status(phase, file.cid)?.fetch?.nextAttemptMs != null);
    expect(bob.service.status(phase, file.cid)?.fetch?.reason).toBe('blob_store_failed');
    expect(bob.service.status(phase, file.cid)?.local).toBe('partial');
    free = 100;
    world.clock.advance(2000);
    await until(() => isWhole(bob, phase, file.cid));
    expect(free).toBe(100 - 7);
  });
});
