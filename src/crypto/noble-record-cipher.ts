import { gcm } from '@noble/ciphers/aes.js';
import { hkdf } from '@noble/hashes/hkdf.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { toHex } from '../core/base/bytes.ts';
import { type TagName, tagBytes } from '../core/codec/tags.ts';
import type { PayloadContext } from '../ports/phase-crypto.ts';
import { unpad } from './padding.ts';
import { payloadContextBytes } from './payload-context.ts';

const KEY_BYTES = 32;
const TAG_BYTES = 16;
const NONCE = new Uint8Array(12);

function derive(contentKey: Uint8Array, tag: TagName): Uint8Array {
  return hkdf(sha256, contentKey, tagBytes(tag), new Uint8Array(0), KEY_BYTES);
}

/** `openPayload` in plain JavaScript, for browsers and as a second implementation. */
export function nobleOpenPayload(
  contentKey: Uint8Array,
  context: PayloadContext,
  sealed: Uint8Array,
): Uint8Array | null {
  if (contentKey.length !== KEY_BYTES || sealed.length < TAG_BYTES) return null;
  if (toHex(derive(contentKey, 'keyCommitment')) !== context.keyCommitment) return null;
  try {
    const cipher = gcm(derive(contentKey, 'recordPayload'), NONCE, payloadContextBytes(context));
    return unpad(cipher.decrypt(sealed));
  } catch {
    return null;
  }
}
