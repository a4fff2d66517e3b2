import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto';
import { concatBytes } from '../core/base/bytes.ts';
import { tagBytes } from '../core/codec/tags.ts';
import type { PayloadContext } from '../ports/phase-crypto.ts';
import { pad, paddedBytesOf, unpad } from './padding.ts';
import { payloadContextBytes } from './payload-context.ts';
import { isCommittedKey, SECRET_BYTES } from './phase-keys.ts';

const TAG_BYTES = 16;
/** A content key encrypts one payload, so the nonce may be fixed (NIST SP 800-38D, 8.2.1). */
const NONCE = new Uint8Array(12);

/** Length of a sealed payload, in bytes. */
export function sealedPayloadBytes(plaintextBytes: number): number {
  return paddedBytesOf(plaintextBytes) + TAG_BYTES;
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
  cipher.setAAD(payloadContextBytes(context));
  return concatBytes(cipher.update(pad(plaintext)), cipher.final(), cipher.getAuthTag());
}

/** Null when the key is not the committed one, or the bytes were not sealed with it for this context. */
export function openPayload(
  contentKey: Uint8Array,
  context: PayloadContext,
  sealed: Uint8Array,
): Uint8Array | null {
  if (sealed.length < TAG_BYTES || !isCommittedKey(contentKey, context.keyCommitment)) return null;
  const decipher = createDecipheriv('aes-256-gcm', payloadKey(contentKey), NONCE, {
    authTagLength: TAG_BYTES,
  });
  decipher.setAAD(payloadContextBytes(context));
  decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
  const padded = decipher.update(sealed.subarray(0, sealed.length - TAG_BYTES));
  try {
    decipher.final();
  } catch {
    return null;
  }
  return unpad(padded);
}
