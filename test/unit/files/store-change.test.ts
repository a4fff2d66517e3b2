import { describe, expect, it } from 'vitest';
import { MemoryBlobStore } from '../../../src/store/memory-blob-store.ts';
import { eachWorld, isWhole, put, until, type World } from './world.ts';

let world: World;
eachWorld('store-change', made => {
  world = made;
});

describe('a node that is given another store', () => {
  it('says at once that nothing is there, and fetches it from the other holders', async () => {
    const phase = world.ledger.addPhase('p', ['ann', 'bob']);
    const ann = await world.node('ann');
    const bob = await world.node('bob');
    world.connect(ann, bob);
    const file = await put(ann, 2);
    world.ledger.record(phase, 'ann', file);
    await world.settled(phase, file.cid, 2);
    await bob.service.stop();
    await bob.transport.stop();
    const place = 's3 http://there files bob/';
    const moved = await world.node('bob', { earlier: bob, blobs: new MemoryBlobStore(), place });
    expect(moved.service.status(phase, file.cid)?.local).not.toBe('whole');
    world.connect(ann, moved);
    await until(() => {
      world.clock.advance(10);
      return isWhole(moved, phase, file.cid);
    });
    expect(await moved.service.verifyFile(file.cid)).toMatchObject({ sound: true });
  });

  it('counts as lost what is there in part, from a time when it was used before', async () => {
    const phase = world.ledger.addPhase('p', ['ann']);
    const ann = await world.node('ann');
    const file = await put(ann, 3);
    world.ledger.record(phase, 'ann', file);
    await ann.service.stop();
    await ann.transport.stop();
    for await (const cid of ann.blobs.list()) {
      if (cid === file.cid) continue;
      await ann.blobs.delete(cid);
      break;
    }
    const moved = await world.node('ann', { earlier: ann, place: 'level' });
    expect(moved.service.status(phase, file.cid)?.local).not.toBe('whole');
  });

  it('keeps what is in it already, and looks only once', async () => {
    const phase = world.ledger.addPhase('p', ['ann']);
    const ann = await world.node('ann');
    const file = await put(ann, 1);
    world.ledger.record(phase, 'ann', file);
    await ann.service.stop();
    await ann.transport.stop();
    const moved = await world.node('ann', { earlier: ann, place: 'level' });
    expect(isWhole(moved, phase, file.cid)).toBe(true);
    await moved.service.stop();
    await moved.transport.stop();
    const absent = () => Promise.reject(new Error('nobody asks again'));
    const serve = (blobs: typeof moved.blobs) => Object.assign(Object.create(blobs), { has: absent });
    const again = await world.node('ann', { earlier: moved, place: 'level', serve });
    expect(isWhole(again, phase, file.cid)).toBe(true);
  });
});
