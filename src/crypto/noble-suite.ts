import { p256 } from '@noble/curves/nist.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { toHex } from '../core/base/bytes.ts';
import type { Hash, Suite } from '../core/base/ids.ts';
import { isPublicKeyForm, isSignatureForm } from './p256.ts';

/** The suite in plain JavaScript: for browsers, and the independent second verifier of the tests (SCENARIOS 92). */
export const nobleSuite: Suite = {
  sha256: bytes => toHex(sha256(bytes)) as Hash,
  verify: (publicKey, bytes, signature) => {
    if (!isPublicKeyForm(publicKey) || !isSignatureForm(signature)) return false;
    try {
      return p256.verify(signature, bytes, publicKey, { prehash: true, lowS: true, format: 'compact' });
    } catch {
      return false; // A key off the curve.
    }
  },
  isPoint: publicKey => {
    if (!isPublicKeyForm(publicKey)) return false;
    try {
      p256.Point.fromBytes(publicKey).assertValidity();
      return true;
    } catch {
      return false;
    }
  },
};
