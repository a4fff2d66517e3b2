import { describe, expect, it } from 'vitest';
import { concatBytes } from '../../../src/core/base/bytes.ts';
import {
  ciphertextBytesOf,
  decryptFile,
  decryptRange,
  encryptFile,
  type FileKey,
  SEALED_SEGMENT_BYTES as SEALED,
  SEGMENT_BYTES as SEGMENT,
} from '../../../src/crypto/file-cipher.ts';
import { paddedLength } from '../../../src/crypto/padding.ts';
import { generateSecret } from '../../../src/crypto/phase-keys.ts';
import type { ByteRange } from '../../../src/ports/file-dag.ts';

const contentKey = generateSecret();

function sample(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let index = 0; index < length; index += 1) bytes[index] = (index * 31 + (index >> 16)) & 255;
  return bytes;
}

async function* chunked(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < bytes.length; offset += size) yield bytes.subarray(offset, offset + size);
}

async function collect(source: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return concatBytes(...chunks);
}

const encrypt = (bytes: Uint8Array, size = 10_000) => collect(encryptFile(contentKey, chunked(bytes, size)));
const decrypt = (plaintextBytes: number, bytes: Uint8Array, size = 10_000) =>
  collect(decryptFile(contentKey, plaintextBytes, chunked(bytes, size)));
const keyOf = (plaintext: Uint8Array, ciphertext: Uint8Array): FileKey => ({
  contentKey,
  ciphertextBytes: ciphertext.length,
  plaintextBytes: plaintext.length,
});

describe('file cipher', () => {
  it('opens what it sealed, at every length around a segment, in chunks of any size', async () => {
    for (const length of [0, 1, SEGMENT - 1, SEGMENT, SEGMENT + 1, 3 * SEGMENT, 3 * SEGMENT + 17]) {
      const plaintext = sample(length);
      const sealed = await encrypt(plaintext, 70_001);
      expect(sealed.length).toBe(ciphertextBytesOf(length));
      expect(Buffer.compare(await decrypt(length, sealed, 4_099), plaintext)).toBe(0);
      expect(Buffer.compare(await decrypt(length, sealed, 1_000_000), plaintext)).toBe(0);
    }
  });

  it('[86] shows a bucket: lengths that are close look alike, for at most an eighth more', async () => {
    const shown = async (length: number) => (await encrypt(sample(length))).length;
    expect(await shown(0)).toBe(await shown(256));
    expect(await shown(1_000_001)).toBe(await shown(1_010_000));
    expect(await shown(1_000_001)).not.toBe(await shown(1_100_000));
    for (const length of [300, 5_000, SEGMENT, 123_456, 1_000_001]) {
      expect((await shown(length)) / length).toBeLessThan(1.125 + 16 / length);
    }
  });

  it('knows the border before a power of two', () => {
    for (let exponent = 9; exponent < 49; exponent += 1) {
      expect(paddedLength(2 ** exponent - 1)).toBe(2 ** exponent);
      expect(paddedLength(2 ** exponent)).toBe(2 ** exponent);
    }
  });

  it('refuses a true length that does not fit the bucket', async () => {
    const plaintext = sample(5_000);
    const sealed = await encrypt(plaintext);
    for (const length of [0, 4_000, 6_000]) {
      await expect(decrypt(length, sealed)).rejects.toMatchObject({ code: 'file_corrupt' });
      const file = { ...keyOf(plaintext, sealed), plaintextBytes: length };
      const range = decryptRange(file, { offset: 0, length: 1 }, () => chunked(sealed, 1_000));
      await expect(collect(range)).rejects.toMatchObject({ code: 'file_corrupt' });
    }
  });

  it('holds a few segments in memory, whatever the length', async () => {
    let produced = 0;
    async function* source(): AsyncGenerator<Uint8Array> {
      for (; produced < 400; produced += 1) yield new Uint8Array(SEGMENT);
    }
    let consumed = 0;
    for await (const _segment of decryptFile(contentKey, 400 * SEGMENT, encryptFile(contentKey, source()))) {
      consumed += 1;
      expect(produced - consumed).toBeLessThan(5);
    }
    expect(consumed).toBe(400);
  });

  it('reads any range from the segments it touches', async () => {
    const plaintext = sample(3 * SEGMENT + 100);
    const sealed = await encrypt(plaintext);
    const reads: ByteRange[] = [];
    const readRange = (offset: number, length: number, cut = 0) =>
      collect(
        decryptRange(keyOf(plaintext, sealed), { offset, length }, range => {
          reads.push(range);
          return chunked(sealed.subarray(range.offset, range.offset + range.length - cut), 70_001);
        }),
      );
    for (const [from, to] of [
      [0, 0],
      [0, 10],
      [SEGMENT - 1, SEGMENT + 1],
      [SEGMENT, 2 * SEGMENT],
      [100, plaintext.length],
      [3 * SEGMENT + 99, plaintext.length + 5],
      [plaintext.length, plaintext.length + 1],
    ] as const) {
      const range = await readRange(from, to - from);
      expect(Buffer.compare(range, plaintext.subarray(from, to)), `${from}..${to}`).toBe(0);
    }
    reads.length = 0;
    await readRange(SEGMENT, 1);
    expect(reads).toEqual([{ offset: SEALED, length: SEALED }]);
    await expect(readRange(0, 2 * SEGMENT, 1)).rejects.toMatchObject({ code: 'file_corrupt' });
    await expect(readRange(0, 2 * SEGMENT, SEALED)).rejects.toMatchObject({ code: 'file_corrupt' });
  });
});

describe('damaged files', () => {
  const whole = sample(3 * SEGMENT + 5);
  const segments = (sealed: Uint8Array) =>
    [0, 1, 2, 3].map(index => sealed.subarray(index * SEALED, (index + 1) * SEALED));
  const damages: [string, (parts: Uint8Array[]) => Uint8Array[]][] = [
    ['the last segment dropped', parts => parts.slice(0, 3)],
    ['cut at the first border', parts => parts.slice(0, 1)],
    ['nothing left', () => []],
    ['two segments swapped', ([a, b, c, d]) => [b!, a!, c!, d!]],
    ['a segment repeated', ([a, b, c, d]) => [a!, a!, b!, c!, d!]],
    ['a segment left out', ([a, , c, d]) => [a!, c!, d!]],
    ['cut inside a segment', ([a, b]) => [a!, b!.subarray(0, 1000)]],
    ['cut inside a tag', ([a, b, c, d]) => [a!, b!, c!, d!.subarray(0, 4)]],
    ['bytes after the end', parts => [...parts, new Uint8Array(1)]],
    ['a whole segment after the end', parts => [...parts, parts[0]!]],
    [
      'one bit',
      ([a, b, c, d]) => [a!, b!, Uint8Array.from(c!, (byte, at) => (at === 9 ? byte ^ 1 : byte)), d!],
    ],
  ];

  it.each(damages)('[85] %s: an error', async (_name, damage) => {
    const sealed = await encrypt(whole);
    const bad = concatBytes(...damage(segments(sealed)));
    await expect(decrypt(whole.length, bad)).rejects.toMatchObject({ code: 'file_corrupt' });
  });
});
