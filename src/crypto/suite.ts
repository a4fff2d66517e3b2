import { createPublicKey, ECDH, hash, type KeyObject, verify } from 'node:crypto';
import type { Hash, Suite } from '../core/base/ids.ts';
import type { VerifyAside } from '../ports/verify-aside.ts';
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

/** What a signature is verified with; null when key or signature have no accepted form. */
function keyOf(publicKey: Uint8Array, signature: Uint8Array) {
  if (!isPublicKeyForm(publicKey) || !isSignatureForm(signature)) return null;
  const key = cachedKey(publicKey);
  return key === null ? null : ({ key, dsaEncoding: 'ieee-p1363' } as const);
}

/** The suite of every node: node:crypto behind the one verification rule. Never throws on input. */
export const nodeSuite: Suite = {
  sha256: bytes =>
    hash('sha256', Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), 'hex') as Hash,
  verify: (publicKey, bytes, signature) => {
    const key = keyOf(publicKey, signature);
    return key !== null && verify('sha256', bytes, key, signature);
  },
  isPoint: publicKey => isPublicKeyForm(publicKey) && cachedKey(publicKey) !== null,
};

/** The same rule on Node's pool of threads: the caller's thread pays a tenth (docs/performance.md). */
export const verifyAside: VerifyAside = (publicKey, bytes, signature, verified) => {
  const key = keyOf(publicKey, signature);
  if (key === null) setImmediate(() => verified(false));
  else {
    // A machine that could not do it there says nothing about the signature.
    const retry = () => nodeSuite.verify(publicKey, bytes, signature);
    verify('sha256', bytes, key, signature, (error, isGood) => verified(error === null ? isGood : retry()));
  }
};
