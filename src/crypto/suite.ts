import { createPublicKey, ECDH, hash, type KeyObject, verify } from 'node:crypto';
import type { Hash, Suite } from '../core/base/ids.ts';
import { isPublicKeyForm, isSignatureForm } from './p256.ts';

export { nobleSuite } from './noble-suite.ts';

/** Imported keys that are kept; a key costs about 10 µs to import and 1 KiB to keep (DEPENDENCIES.md). */
const KEY_CACHE_ENTRIES_MAX = 4096;

const keyCache = new Map<string, KeyObject>();

function importPublicKey(publicKey: Uint8Array): KeyObject | null {
  try {
    const point = ECDH.convertKey(publicKey, 'prime256v1', undefined, undefined, 'uncompressed') as Buffer;
    const x = point.subarray(1, 33).toString('base64url');
    const y = point.subarray(33).toString('base64url');
    return createPublicKey({ key: { kty: 'EC', crv: 'P-256', x, y }, format: 'jwk' });
  } catch {
    return null; // Not a point of the curve.
  }
}

/** Least recently used goes first; keys that do not import are not kept, so that junk cannot push good ones out. */
function cachedKey(publicKey: Uint8Array): KeyObject | null {
  const name = Buffer.from(publicKey.buffer, publicKey.byteOffset, publicKey.length).toString('latin1');
  const found = keyCache.get(name);
  if (found !== undefined) {
    keyCache.delete(name);
    keyCache.set(name, found);
    return found;
  }
  const imported = importPublicKey(publicKey);
  if (imported === null) return null;
  if (keyCache.size >= KEY_CACHE_ENTRIES_MAX) keyCache.delete(keyCache.keys().next().value as string);
  keyCache.set(name, imported);
  return imported;
}

/** The suite of every node: node:crypto behind the one verification rule. Never throws on input. */
export const nodeSuite: Suite = {
  sha256: bytes =>
    hash('sha256', Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), 'hex') as Hash,
  verify: (publicKey, bytes, signature) => {
    if (!isPublicKeyForm(publicKey) || !isSignatureForm(signature)) return false;
    const key = cachedKey(publicKey);
    return key !== null && verify('sha256', bytes, { key, dsaEncoding: 'ieee-p1363' }, signature);
  },
  isPoint: publicKey => isPublicKeyForm(publicKey) && cachedKey(publicKey) !== null,
};
