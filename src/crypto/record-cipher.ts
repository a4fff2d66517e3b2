import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto';
import { concatBytes } from '../core/base/bytes.ts';
import { tagBytes } from '../core/codec/tags.ts';
import { Writer } from '../core/codec/writer.ts';
import type { PayloadContext } from '../ports/phase-crypto.ts';
import { isCommittedKey, SECRET_BYTES } from './phase-keys.ts';

const TAG_BYTES = 16;
const LENGTH_BYTES = 4;
/** Shorter plaintexts all look alike. */
const PADDED_BYTES_MIN = 256;
/** A content key encrypts one payload, so the nonce may be fixed (NIST SP 800-38D, 8.2.1). */
const NONCE = new Uint8Array(12);

/**
 * Padmé (Nikitin et al., PURBs, section 4): the length leaks O(log log L) bits for at most 12 % more bytes.
 * @param length bytes before padding
 */
export function paddedLength(length: number): number {
  const floor = Math.max(length, PADDED_BYTES_MIN);
  const exponent = Math.floor(Math.log2(floor));
  const lastBits = exponent - (Math.floor(Math.log2(exponent)) + 1);
  const step = 2 ** lastBits;
  return Math.ceil(floor / step) * step;
}

function associatedData(context: PayloadContext): Uint8Array {
  const writer = new Writer().raw(tagBytes('recordPayload')).hash(context.logId).u32(context.epoch);
  return writer.hash(context.keyCommitment).finish();
}

/** Length and plaintext, filled up with zeros to `paddedLength`. */
export function pad(plaintext: Uint8Array): Uint8Array {
  const padded = new Uint8Array(paddedLength(LENGTH_BYTES + plaintext.length));
  new DataView(padded.buffer).setUint32(0, plaintext.length);
  padded.set(plaintext, LENGTH_BYTES);
  return padded;
}

/** Null for what `pad` does not make. */
export function unpad(padded: Uint8Array): Uint8Array | null {
  if (padded.length < LENGTH_BYTES) return null;
  const length = new DataView(padded.buffer, padded.byteOffset).getUint32(0);
  if (paddedLength(LENGTH_BYTES + length) !== padded.length) return null;
  return new Uint8Array(padded.subarray(LENGTH_BYTES, LENGTH_BYTES + length));
}

/** Length of a sealed payload, in bytes. */
export function sealedPayloadBytes(plaintextBytes: number): number {
  return paddedLength(LENGTH_BYTES + plaintextBytes) + TAG_BYTES;
}

/** Not the content key itself: its other uses (commitment, wrapping) stay apart. */
function payloadKey(contentKey: Uint8Array): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', contentKey, tagBytes('recordPayload'), '', SECRET_BYTES));
}

/** @param contentKey 32 fresh bytes, used for this payload and no other */
export function sealPayload(
  contentKey: Uint8Array,
  context: PayloadContext,
  plaintext: Uint8Array,
): Uint8Array {
  const cipher = createCipheriv('aes-256-gcm', payloadKey(contentKey), NONCE);
  cipher.setAAD(associatedData(context));
  return concatBytes(cipher.update(pad(plaintext)), cipher.final(), cipher.getAuthTag());
}

/** Null when the key is not the committed one, or the bytes were not sealed with it for this context. */
export function openPayload(
  contentKey: Uint8Array,
  context: PayloadContext,
  sealed: Uint8Array,
): Uint8Array | null {
  if (sealed.length < TAG_BYTES + LENGTH_BYTES || !isCommittedKey(contentKey, context.keyCommitment))
    return null;
  const decipher = createDecipheriv('aes-256-gcm', payloadKey(contentKey), NONCE, {
    authTagLength: TAG_BYTES,
  });
  decipher.setAAD(associatedData(context));
  decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
  const padded = decipher.update(sealed.subarray(0, sealed.length - TAG_BYTES));
  try {
    decipher.final();
  } catch {
    return null;
  }
  return unpad(padded);
}
