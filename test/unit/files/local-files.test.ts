import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { utf8 } from '../../../src/core/base/bytes.ts';
import { fileCipher } from '../../../src/crypto/file-cipher.ts';
import type { BlobStore } from '../../../src/ports/blob-store.ts';
import { OperatingError } from '../../../src/ports/lifecycle.ts';
import { writeNewFile } from '../../../src/rpc/streams.ts';
import type { FileSubject } from '../../../src/services/files/local-files.ts';
import { MemoryBlobStore } from '../../../src/store/memory-blob-store.ts';
import { UnixFsDag } from '../../../src/store/unixfs.ts';
import { chunked, collect, eachWorld, type FileNode, MIB, patterned, until, type World } from './world.ts';

let world: World;
eachWorld('files', made => {
  world = made;
});

async function blocksOf(node: FileNode): Promise<string[]> {
  const cids: string[] = [];
  for await (const cid of node.blobs.list()) cids.push(cid);
  return cids;
}

/** A bucket of its own: no padding. */
const SEALED_PLAINTEXT_BYTES = 4 * 64 * 1024;

/** Stores any ciphertext and says what a record would say of it. */
async function putCiphertext(
  node: FileNode,
  key: Uint8Array,
  ciphertext: Uint8Array,
  claimed = ciphertext.length,
) {
  const { cid } = await new UnixFsDag(node.blobs).importFile(chunked(ciphertext));
  const subject: FileSubject = {
    cid,
    key,
    keyCommitment: fileCipher.keyCommitment(key),
    ciphertextBytes: claimed,
    plaintextBytes: SEALED_PLAINTEXT_BYTES,
  };
  return subject;
}

function withPut(blobs: BlobStore, put: BlobStore['put']): BlobStore {
  return {
    open: () => blobs.open(),
    close: () => blobs.close(),
    get: cid => blobs.get(cid),
    has: cid => blobs.has(cid),
    delete: cid => blobs.delete(cid),
    list: () => blobs.list(),
    freeBytes: () => blobs.freeBytes(),
    putMany: async many => {
      for (const { cid, bytes } of many) await put(cid, bytes);
    },
    put,
  };
}

describe('the local store of files', () => {
  it('refuses what is larger than its limit, and keeps nothing of it', async () => {
    const alice = await world.node('alice', { limits: { fileBytesMax: 1000 } });
    await alice.service.putFile(chunked(patterned(1000), 100));
    const before = await blocksOf(alice);
    const put = alice.service.putFile(chunked(patterned(1001), 100));
    await expect(put).rejects.toMatchObject({ code: 'file_too_large' });
    expect(await blocksOf(alice)).toEqual(before);
  });

  it('gives back what was put, also after a restart, and says what it put', async () => {
    const node = await world.node('ann');
    const content = patterned(3 * MIB + 17);
    const put = await node.service.putFile(chunked(content));
    expect(put.plaintextBytes).toBe(content.length);
    expect(put.plaintextHash).toBe(createHash('sha256').update(content).digest('hex'));
    expect(put.keyCommitment).toBe(fileCipher.keyCommitment(put.key));
    const again = await world.node('ann-again', { earlier: node });
    for (const { service } of [node, again]) {
      expect(Buffer.compare(await collect(service.getFile(put)), content)).toBe(0);
      expect(await service.verifyFile(put.cid)).toEqual({ sound: true, blocks: 5, bad: [] });
    }
  });

  it('stores the same file twice under different keys and CIDs, with one plaintext hash', async () => {
    const { service } = await world.node('ann');
    const first = await service.putFile(chunked(utf8('invoice 7')));
    const second = await service.putFile(chunked(utf8('invoice 7')));
    expect(second.cid).not.toBe(first.cid);
    expect(second.key).not.toEqual(first.key);
    expect(second.plaintextHash).toBe(first.plaintextHash);
  });

  it('stores no plaintext', async () => {
    const node = await world.node('ann');
    await node.service.putFile(chunked(utf8('a secret that must not be found'.repeat(100))));
    for (const cid of await blocksOf(node)) {
      const bytes = await node.blobs.get(cid);
      expect(Buffer.from(bytes!).includes('secret')).toBe(false);
    }
  });

  it('knows what its copy holds by reading it, whatever is said of it', async () => {
    const node = await world.node('ann');
    const { service } = node;
    const put = await service.putFile(chunked(patterned(MIB + 1)));
    const other = await service.putFile(chunked(patterned(MIB + 1, 2)));
    expect(await service.hasContent(put, put)).toBe(true);
    expect(await service.hasContent(put, { ...put, plaintextBytes: put.plaintextBytes + 1 })).toBe(false);
    expect(await service.hasContent(put, { ...put, plaintextBytes: put.plaintextBytes - 1 })).toBe(false);
    expect(await service.hasContent(other, put)).toBe(false);
    expect(await service.hasContent({ ...put, key: other.key }, put)).toBe(false);
    expect(await service.hasContent({ ...put, cid: other.cid }, put)).toBe(false);
    await node.blobs.delete(put.cid);
    expect(await service.hasContent(put, put)).toBe(false);
  });

  it('keeps nothing of a put that failed', async () => {
    const node = await world.node('ann');
    const failing = async function* () {
      yield patterned(3 * MIB);
      throw new Error('the source broke');
    };
    await expect(node.service.putFile(failing())).rejects.toThrow('the source broke');
    expect(await blocksOf(node)).toEqual([]);
  });

  it('collects at a start what a crash in the middle of a put left, and nothing else', async () => {
    const node = await world.node('ann');
    const kept = await node.service.putFile(chunked(patterned(2 * MIB)));
    const before = await blocksOf(node);
    let pulled = 0;
    const endless = async function* () {
      for (;;) {
        pulled += 1;
        if (pulled > 12) await new Promise<never>(() => {});
        yield patterned(MIB, pulled);
      }
    };
    // never ends: the process is taken for dead
    void node.service.putFile(endless());
    await until(async () => (await blocksOf(node)).length === before.length + 8);
    const again = await world.node('ann-again', { earlier: node });
    expect((await blocksOf(again)).sort()).toEqual(before.sort());
    expect(await again.service.verifyFile(kept.cid)).toMatchObject({ sound: true });
  });

  it('drops an import that no record came to name, and keeps it while one may', async () => {
    const phase = world.ledger.addPhase('p', ['ann']);
    const node = await world.node('ann', { limits: { unreferencedMs: 1000 } });
    const forgotten = await node.service.putFile(chunked(patterned(MIB, 1)));
    const named = await node.service.putFile(chunked(patterned(MIB, 2)));
    world.ledger.record(phase, 'ann', named);
    const soon = await world.node('ann-2', { earlier: node, limits: { unreferencedMs: 1000 } });
    expect(await soon.service.verifyFile(forgotten.cid)).toMatchObject({ sound: true });
    world.clock.advance(1001);
    const later = await world.node('ann-3', { earlier: node, limits: { unreferencedMs: 1000 } });
    expect(await later.service.verifyFile(forgotten.cid)).toMatchObject({ sound: false });
    expect(await later.service.verifyFile(named.cid)).toMatchObject({ sound: true });
  });

  it('keeps an import until the ledger is read past its time: a record that is not read yet may name it', async () => {
    const phase = world.ledger.addPhase('p', ['ann']);
    const limits = { unreferencedMs: 1000 };
    const node = await world.node('ann', { limits });
    world.ledger.headMs = world.clock.nowMs();
    const named = await node.service.putFile(chunked(patterned(MIB, 1)));
    const forgotten = await node.service.putFile(chunked(patterned(MIB, 2)));
    await node.service.stop();
    // the node is off while the first record is committed, and has read nothing of it when it starts
    world.clock.advance(5000);
    const later = await world.node('ann-2', { earlier: node, limits });
    expect(await later.service.collectGarbage()).toMatchObject({ files: 0 });
    world.ledger.record(phase, 'ann', named);
    world.ledger.headMs = world.clock.nowMs();
    expect(await later.service.collectGarbage()).toMatchObject({ files: 1 });
    expect(await later.service.verifyFile(named.cid)).toMatchObject({ sound: true });
    expect(await later.service.verifyFile(forgotten.cid)).toMatchObject({ sound: false });
  });

  it('discards a file whose record was refused', async () => {
    const node = await world.node('ann');
    const put = await node.service.putFile(chunked(patterned(MIB)));
    await node.service.discardFile(put.cid);
    expect(await blocksOf(node)).toEqual([]);
  });

  it('keeps what was to be discarded when another record names it: its twin was given up', async () => {
    const phase = world.ledger.addPhase('p', ['ann']);
    const node = await world.node('ann');
    const put = await node.service.putFile(chunked(patterned(MIB)));
    world.ledger.record(phase, 'ann', put);
    await node.service.discardFile(put.cid);
    expect(await node.service.verifyFile(put.cid)).toMatchObject({ sound: true });
  });

  it('reads no faster than it stores: memory does not grow with the file', async () => {
    const memory = new MemoryBlobStore();
    let open = () => {};
    const gate = new Promise<void>(resolve => {
      open = resolve;
    });
    const slow = withPut(memory, async (cid, bytes) => {
      await gate;
      await memory.put(cid, bytes);
    });
    const { service } = await world.node('ann', { blobs: slow });
    let pulled = 0;
    const source = async function* () {
      for (; pulled < 64; pulled += 1) yield patterned(MIB, pulled);
    };
    const putting = service.putFile(source());
    let last = -1;
    for (let quiet = 0; quiet < 200; quiet += 1) {
      await new Promise(resolve => setImmediate(resolve));
      if (pulled !== last) quiet = 0;
      last = pulled;
    }
    // one write of 8 MiB under way, the next gathered
    expect(pulled).toBeLessThanOrEqual(20);
    open();
    expect((await putting).plaintextBytes).toBe(64 * MIB);
  });

  it('[69] says so when the disk takes no more, keeps nothing, and goes on when it does', async () => {
    let free = 6;
    const memory = new MemoryBlobStore();
    const full = withPut(memory, async (cid, bytes) => {
      free -= 1;
      if (free < 0) throw new OperatingError('blob_store_failed', 'no space left on device');
      await memory.put(cid, bytes);
    });
    const node = await world.node('ann', { blobs: full });
    const putting = node.service.putFile(chunked(patterned(20 * MIB)));
    await expect(putting).rejects.toMatchObject({ code: 'blob_store_failed' });
    expect(await blocksOf(node)).toEqual([]);
    free = 100;
    const put = await node.service.putFile(chunked(patterned(20 * MIB)));
    expect(await node.service.verifyFile(put.cid)).toMatchObject({ sound: true });
  });

  it('[69] keeps nothing of a put whose record did not reach the disk, neither then nor after a crash', async () => {
    const node = await world.node('ann');
    const batch = node.kv.batch.bind(node.kv);
    const failAt = (fault: () => Promise<void>) => {
      node.kv.batch = (operations, options) =>
        operations.some(({ key }) => key.startsWith('files/root/')) ? fault() : batch(operations, options);
    };
    failAt(async () => {
      throw new OperatingError('write_failed', 'no space left on device');
    });
    const putting = node.service.putFile(chunked(patterned(2 * MIB)));
    await expect(putting).rejects.toMatchObject({ code: 'write_failed' });
    expect(await blocksOf(node)).toEqual([]);
    let isReached = false;
    failAt(() => {
      isReached = true;
      return new Promise<never>(() => {});
    });
    // never ends: the process is taken for dead
    void node.service.putFile(chunked(patterned(2 * MIB)));
    await until(() => isReached);
    expect(await blocksOf(node)).not.toEqual([]);
    node.kv.batch = batch;
    expect(await blocksOf(await world.node('ann-again', { earlier: node }))).toEqual([]);
  });

  it('[68] names damaged blocks, and reading stops at them', async () => {
    const node = await world.node('ann');
    const put = await node.service.putFile(chunked(patterned(3 * MIB)));
    const cids = await blocksOf(node);
    const leaf = cids.find(cid => cid.startsWith('bafkrei'))!;
    const path = join(node.directory, 'blocks', leaf.slice(-2), leaf);
    const bytes = readFileSync(path);
    bytes[100]! ^= 1;
    writeFileSync(path, bytes);
    expect(await node.service.verifyFile(put.cid)).toEqual({
      sound: false,
      blocks: cids.length - 1,
      bad: [leaf],
    });
    const to = join(node.directory, 'out');
    await expect(writeNewFile(to, node.service.getFile(put))).rejects.toMatchObject({
      code: 'block_missing',
    });
    expect(existsSync(to)).toBe(false);
  });

  it('[85] cut, swapped or changed ciphertext gives an error and no output', async () => {
    const node = await world.node('ann');
    const key = fileCipher.generateKey();
    const plaintext = patterned(SEALED_PLAINTEXT_BYTES);
    const whole = await collect(fileCipher.encrypt(key, chunked(plaintext)));
    const segment = 64 * 1024 + 16;
    const part = (from: number, to: number) => whole.subarray(from * segment, to * segment);
    const swapped = new Uint8Array(Buffer.concat([part(1, 2), part(0, 1), part(2, 4)]));
    const changed = whole.slice();
    changed[whole.length - 20]! ^= 1;
    const subjects = [
      await putCiphertext(node, key, whole.subarray(0, 3 * segment)),
      await putCiphertext(node, key, whole.subarray(0, 3 * segment), whole.length),
      await putCiphertext(node, key, whole, whole.length - 1),
      await putCiphertext(node, key, whole, whole.length + 1),
      await putCiphertext(node, key, whole.subarray(0, whole.length - 1)),
      await putCiphertext(node, key, swapped),
      await putCiphertext(node, key, changed),
    ];
    const before = readdirSync(node.directory).sort();
    for (const subject of subjects) {
      const stream = node.service.getFile(subject);
      const writing = writeNewFile(join(node.directory, 'out'), stream);
      await expect(writing).rejects.toMatchObject({ code: 'file_corrupt' });
    }
    expect(readdirSync(node.directory).sort()).toEqual(before);
    const sound = await putCiphertext(node, key, whole);
    expect(Buffer.compare(await collect(node.service.getFile(sound)), plaintext)).toBe(0);
  });

  it('opens nothing with a key that the record does not commit to', async () => {
    const { service } = await world.node('ann');
    const put = await service.putFile(chunked(utf8('x')));
    const other = { ...put, key: fileCipher.generateKey() };
    await expect(collect(service.getFile(other))).rejects.toMatchObject({ code: 'key_mismatch' });
  });

  it('[88] takes no hostile name for a file', async () => {
    const { service } = await world.node('ann');
    const put = await service.putFile(chunked(utf8('x')));
    for (const cid of ['../../x', '', 'lock', '/etc/passwd']) {
      await expect(collect(service.getFile({ ...put, cid }))).rejects.toMatchObject({
        code: 'file_malformed',
      });
      expect(await service.verifyFile(cid)).toMatchObject({ sound: false, bad: [cid] });
    }
  });
});
