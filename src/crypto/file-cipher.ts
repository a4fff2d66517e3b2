import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto';
import { assert, assertDefined } from '../core/base/assert.ts';
import { concatBytes } from '../core/base/bytes.ts';
import { tagBytes } from '../core/codec/tags.ts';
import type { FileCipher } from '../ports/file-cipher.ts';
import type { ByteRange } from '../ports/file-dag.ts';
import { OperatingError } from '../ports/lifecycle.ts';
import { paddedLength } from './padding.ts';
import { generateSecret, keyCommitment, SECRET_BYTES } from './phase-keys.ts';

/**
 * Files in the STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár: Online Authenticated-Encryption, CRYPTO
 * 2015): AES-256-GCM segments, nonce = 7 zero bytes ‖ u32 counter ‖ last-segment flag. The key is fresh for each file. What is
 * sealed is the file and zeros up to the Padmé length: chain and holders see a bucket, the true length is in the encrypted payload.
 */
export const SEGMENT_BYTES = 64 * 1024;
const TAG_BYTES = 16;
export const SEALED_SEGMENT_BYTES = SEGMENT_BYTES + TAG_BYTES;
const SEGMENTS_MAX = 2 ** 32;

/** What a signed record says of a file, and what its reader unwrapped: the key and the true length. */
export interface FileKey {
  /** 32 bytes. */
  readonly contentKey: Uint8Array;
  readonly ciphertextBytes: number;
  readonly plaintextBytes: number;
}

/** Even an empty file is padded, so that every file has a last segment. */
function segmentCount(paddedBytes: number): number {
  return Math.ceil(paddedBytes / SEGMENT_BYTES);
}

export function ciphertextBytesOf(plaintextBytes: number): number {
  const paddedBytes = paddedLength(plaintextBytes);
  return paddedBytes + segmentCount(paddedBytes) * TAG_BYTES;
}

function streamKey(contentKey: Uint8Array): Uint8Array {
  assert(contentKey.length === SECRET_BYTES, 'a content key is 32 bytes');
  return new Uint8Array(hkdfSync('sha256', contentKey, tagBytes('fileKey'), '', SECRET_BYTES));
}

function nonceOf(index: number, last: boolean): Uint8Array {
  assert(index < SEGMENTS_MAX, 'a file has at most 2^32 segments');
  const nonce = new Uint8Array(12);
  new DataView(nonce.buffer).setUint32(7, index);
  nonce[11] = last ? 1 : 0;
  return nonce;
}

/** Ciphertext, then tag: whoever cuts them into blocks copies them anyway. */
function* sealSegment(
  key: Uint8Array,
  index: number,
  last: boolean,
  plaintext: Uint8Array,
): Generator<Uint8Array> {
  const cipher = createCipheriv('aes-256-gcm', key, nonceOf(index, last));
  yield cipher.update(plaintext);
  cipher.final();
  yield cipher.getAuthTag();
}

function openSegment(key: Uint8Array, index: number, last: boolean, sealed: Uint8Array): Uint8Array {
  const end = sealed.length - TAG_BYTES;
  if (end < 0) throw corrupt(`segment ${index} is cut`);
  const decipher = createDecipheriv('aes-256-gcm', key, nonceOf(index, last), { authTagLength: TAG_BYTES });
  decipher.setAuthTag(sealed.subarray(end));
  const plaintext = decipher.update(sealed.subarray(0, end));
  try {
    decipher.final();
  } catch (cause) {
    throw corrupt(`segment ${index} was not sealed with this key at this place`, cause);
  }
  return plaintext;
}

function corrupt(detail: string, cause?: unknown): OperatingError {
  return new OperatingError(
    'file_corrupt',
    `the file does not decrypt: ${detail}`,
    'fetch it again from another holder',
    cause,
  );
}

/**
 * Cuts any chunks into pieces of exactly `bytes`, the last of which may be shorter; holds one piece at a time. A piece that
 * lies in one chunk is a view of it: nobody writes into a chunk that was given away.
 */
async function* pieces(source: AsyncIterable<Uint8Array>, bytes: number): AsyncGenerator<Uint8Array> {
  let parts: Uint8Array[] = [];
  let missing = bytes;
  for await (const chunk of source) {
    let offset = 0;
    while (offset < chunk.length) {
      const part = chunk.subarray(offset, offset + missing);
      parts.push(part);
      offset += part.length;
      missing -= part.length;
      if (missing > 0) continue;
      yield joined(parts);
      [parts, missing] = [[], bytes];
    }
  }
  if (parts.length > 0) yield joined(parts);
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  return parts.length === 1 ? parts[0]! : concatBytes(...parts);
}

/** The file and zeros up to the Padmé length. */
async function* padded(plaintext: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const chunk of plaintext) {
    bytes += chunk.length;
    yield chunk;
  }
  for (let missing = paddedLength(bytes) - bytes; missing > 0; missing -= SEGMENT_BYTES) {
    yield new Uint8Array(Math.min(missing, SEGMENT_BYTES));
  }
}

/**
 * Ciphertext of a file, segment by segment, in constant memory.
 * @param contentKey 32 fresh bytes, used for this file and no other
 */
export async function* encryptFile(
  contentKey: Uint8Array,
  plaintext: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const key = streamKey(contentKey);
  let waiting: Uint8Array | null = null;
  let index = 0;
  for await (const piece of pieces(padded(plaintext), SEGMENT_BYTES)) {
    if (waiting !== null) {
      yield* sealSegment(key, index, false, waiting);
      index += 1;
    }
    waiting = piece;
  }
  yield* sealSegment(key, index, true, assertDefined(waiting, 'a padded file is not empty'));
}

/** @returns segments */
function checkLengths({
  ciphertextBytes,
  plaintextBytes,
}: Pick<FileKey, 'ciphertextBytes' | 'plaintextBytes'>) {
  if (ciphertextBytesOf(plaintextBytes) !== ciphertextBytes) {
    throw corrupt(`a file of ${plaintextBytes} bytes does not have ${ciphertextBytes} encrypted ones`);
  }
  return segmentCount(paddedLength(plaintextBytes));
}

/** Every segment, opened; the last one may be padding only. */
async function* openSegments(
  contentKey: Uint8Array,
  ciphertext: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const key = streamKey(contentKey);
  let waiting: Uint8Array | null = null;
  let index = 0;
  for await (const piece of pieces(ciphertext, SEALED_SEGMENT_BYTES)) {
    if (waiting !== null) {
      yield openSegment(key, index, false, waiting);
      index += 1;
    }
    waiting = piece;
  }
  if (waiting === null) throw corrupt('it is empty');
  yield openSegment(key, index, true, waiting);
}

/**
 * Plaintext, segment by segment, in constant memory. Each yielded segment is authentic and in its place, but only the
 * end of the iteration says that the file is whole: keep nothing when it throws.
 * Throws OperatingError `file_corrupt`.
 * @param plaintextBytes the true length; what follows is padding
 */
export async function* decryptFile(
  contentKey: Uint8Array,
  plaintextBytes: number,
  ciphertext: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  let opened = 0;
  for await (const segment of openSegments(contentKey, ciphertext)) {
    const left = plaintextBytes - opened;
    opened += segment.length;
    if (left > 0) yield segment.subarray(0, left);
  }
  if (opened !== paddedLength(plaintextBytes)) throw corrupt(`it does not have ${plaintextBytes} bytes`);
}

/**
 * Plaintext of `range` (which ends with the file), reading and checking only the segments that it touches. Whether later
 * segments exist is not checked: use it for files that were verified whole when they were stored. Throws OperatingError
 * `file_corrupt`.
 * @param read ciphertext of `length` bytes from `offset`
 */
export async function* decryptRange(
  file: FileKey,
  range: ByteRange,
  read: (range: ByteRange) => AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const segments = checkLengths(file);
  const { plaintextBytes } = file;
  const from = Math.min(range.offset, plaintextBytes);
  const to = Math.min(range.offset + range.length, plaintextBytes);
  if (to <= from) return;
  const key = streamKey(file.contentKey);
  const offset = Math.floor(from / SEGMENT_BYTES) * SEALED_SEGMENT_BYTES;
  const end = Math.min(Math.ceil(to / SEGMENT_BYTES) * SEALED_SEGMENT_BYTES, file.ciphertextBytes);
  let index = Math.floor(from / SEGMENT_BYTES);
  for await (const sealed of pieces(read({ offset, length: end - offset }), SEALED_SEGMENT_BYTES)) {
    const start = index * SEGMENT_BYTES;
    if (start >= to) throw corrupt('there is more of it than the record says');
    const plaintext = openSegment(key, index, index === segments - 1, sealed);
    yield plaintext.subarray(Math.max(from - start, 0), Math.min(to - start, SEGMENT_BYTES));
    index += 1;
  }
  if (index * SEGMENT_BYTES < to) throw corrupt(`segment ${index} is cut`);
}

/** The port as the file service takes it. */
export const fileCipher: FileCipher = {
  generateKey: () => generateSecret(),
  keyCommitment,
  encrypt: encryptFile,
  decrypt: decryptFile,
  decryptRange: ({ key, ...lengths }, range, read) =>
    decryptRange({ contentKey: key, ...lengths }, range, read),
};
