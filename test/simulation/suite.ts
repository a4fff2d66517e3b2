import { hash } from 'node:crypto';
import { concatBytes, utf8 } from '../../src/core/base/bytes.ts';
import type { Hash, Suite } from '../../src/core/base/ids.ts';
import type { Signer } from '../../src/ports/signer.ts';

const SIGNATURE_BYTES = 64;

function sha256(bytes: Uint8Array): Hash {
  return hash('sha256', bytes, 'hex') as Hash;
}

/**
 * A stand-in for P-256 that costs one hash: the 64 hexadecimal digits of SHA-256(key ‖ bytes), as bytes. Whoever knows the public
 * key could forge, and nobody in the simulation does.
 */
export function simulatedSign(publicKey: Uint8Array, bytes: Uint8Array): Uint8Array {
  const digits = sha256(concatBytes(publicKey, bytes));
  const signature = new Uint8Array(SIGNATURE_BYTES);
  for (let at = 0; at < SIGNATURE_BYTES; at += 1) signature[at] = digits.charCodeAt(at);
  return signature;
}

/** In the form of a compressed point. */
export function simulatedKey(name: string): Uint8Array {
  return concatBytes(Uint8Array.of(2), Buffer.from(sha256(utf8(`key of ${name}`)), 'hex'));
}

export function simulatedSigner(name: string): Signer {
  const publicKey = simulatedKey(name);
  return { publicKey, sign: bytes => simulatedSign(publicKey, bytes) };
}

function verify(publicKey: Uint8Array, bytes: Uint8Array, signature: Uint8Array): boolean {
  if (signature.length !== SIGNATURE_BYTES) return false;
  const digits = sha256(concatBytes(publicKey, bytes));
  for (let at = 0; at < SIGNATURE_BYTES; at += 1) if (digits.charCodeAt(at) !== signature[at]) return false;
  return true;
}

export const simulatedSuite: Suite = {
  sha256,
  verify,
  isPoint: () => true,
};
