import { createCipheriv, createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { MemoryBlobStore } from '../../../src/store/memory-blob-store.ts';
import { UnixFsDag } from '../../../src/store/unixfs.ts';

const MIB = 1024 * 1024;

const keyOf = (seed: string) => createHash('sha256').update(seed).digest();

/** The bytes that Kubo's tests make of a seed: the ChaCha20 key stream under its SHA-256, counter and nonce zero. */
function seeded(seed: string, bytes: number): Uint8Array {
  return createCipheriv('chacha20', keyOf(seed), Buffer.alloc(16)).update(Buffer.alloc(bytes));
}

async function* inChunks(bytes: Uint8Array, chunkBytes: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
}

// What `ipfs add` of Kubo gives under the profile (IPIP-499): test/cli/cid_profiles_test.go of ipfs/kubo.
describe('published vectors of unixfs-v1-2025', () => {
  it.each([
    [
      'a short text is one raw leaf',
      Buffer.from('hello world'),
      'bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e',
    ],
    [
      'exactly 1 MiB is one raw leaf',
      seeded('chunk-v1-seed', MIB),
      'bafkreiacndfy443ter6qr2tmbbdhadvxxheowwf75s6zehscklu6ezxmta',
    ],
    [
      'one byte more is a tree of two leaves',
      seeded('chunk-v1-seed', MIB + 1),
      'bafybeigmix7t42i6jacydtquhet7srwvgpizfg7gjbq7627d35mjomtu64',
    ],
  ])('%s', async (_, bytes, cid) => {
    for (const chunkBytes of [bytes.length, 65_537]) {
      const imported = await new UnixFsDag(new MemoryBlobStore()).importFile(inChunks(bytes, chunkBytes));
      expect(imported).toMatchObject({ cid, bytes: bytes.length });
    }
  });

  it('one byte more than 1,024 leaves is a tree of two levels', async () => {
    const cipher = createCipheriv('chacha20', keyOf('v1-2025-seed'), Buffer.alloc(16));
    const source = async function* () {
      for (let leaf = 0; leaf < 1024; leaf += 1) yield cipher.update(Buffer.alloc(MIB));
      yield cipher.update(Buffer.alloc(1));
    };
    const imported = await new UnixFsDag(new MemoryBlobStore()).importFile(source(), async () => {});
    expect(imported.cid).toBe('bafybeibdsi225ugbkmpbdohnxioyab6jsqrmkts3twhpvfnzp77xtzpyhe');
  }, 60_000);
});
