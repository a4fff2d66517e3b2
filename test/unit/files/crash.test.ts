import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { OperatingError } from '../../../src/ports/lifecycle.ts';
import { FileBlobStore } from '../../../src/store/file-blob-store.ts';
import { FailingDisk } from '../store/failing-disk.ts';
import { chunked, type FileNode, isWhole, MIB, patterned, put, until, World } from './world.ts';

const root = mkdtempSync(join(tmpdir(), 'phaseline-crash-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let world: World;
afterEach(() => world.stop());

async function blocksOf(node: FileNode): Promise<string[]> {
  const cids: string[] = [];
  for await (const cid of node.blobs.list()) cids.push(cid);
  return cids.sort();
}

describe('a disk that fails at any step', () => {
  it('[69] in the middle of a put leaves nothing of it at the next start, and what was there before', async () => {
    for (const step of [1, 2, 3, 5, 8, 11, 14, 17]) {
      world = new World(mkdtempSync(join(root, 'world-')));
      const directory = join(root, `put-${step}`);
      const first = await world.node('ann', { blobs: new FileBlobStore(directory) });
      const kept = await put(first, 1);
      const before = await blocksOf(first);
      await first.service.stop();
      await first.transport.stop();
      // the store opens with a flush: the step after it is the first of the put
      const blobs = new FileBlobStore(directory, new FailingDisk(step));
      const failing = await world.node('ann', { earlier: { ...first, blobs } });
      await expect(failing.service.putFile(chunked(patterned(3 * MIB, 7)))).rejects.toBeInstanceOf(
        OperatingError,
      );
      await failing.transport.stop();
      const again = await world.node('ann', {
        earlier: { ...first, blobs: new FileBlobStore(directory) },
      });
      expect(await blocksOf(again)).toEqual(before);
      expect(await again.service.verifyFile(kept.cid)).toMatchObject({ sound: true });
      await world.stop();
    }
  }, 30_000);

  it('[69] in the middle of a fetch leaves a part that the next start goes on from', async () => {
    for (const step of [2, 4, 7, 10, 13]) {
      world = new World(mkdtempSync(join(root, 'world-')));
      const phase = world.ledger.addPhase('p', ['ann', 'bob']);
      const ann = await world.node('ann');
      const directory = join(root, `fetch-${step}`);
      const blobs = new FileBlobStore(directory, new FailingDisk(step));
      const limits = { retryMs: 1e9, retryMsMax: 1e9 };
      const bob = await world.node('bob', { blobs, limits });
      const file = await put(ann, 3);
      world.ledger.record(phase, 'ann', file);
      world.connect(ann, bob);
      await until(() => (bob.service.status(phase, file.cid)?.fetch?.attempts ?? 0) > 0);
      expect(isWhole(bob, phase, file.cid)).toBe(false);
      expect(world.ledger.submissions.flatMap(({ member }) => (member === 'bob' ? [member] : []))).toEqual(
        [],
      );
      await bob.service.stop();
      await bob.transport.stop();
      const stored = new FileBlobStore(directory);
      const again = await world.node('bob', { earlier: { ...bob, blobs: stored } });
      world.connect(ann, again);
      await until(() => isWhole(again, phase, file.cid));
      expect(await again.service.verifyFile(file.cid)).toMatchObject({ sound: true });
      await world.stop();
    }
  }, 30_000);
});
