import { hash } from 'node:crypto';
import { concatBytes, equalBytes, utf8 } from '../../src/core/base/bytes.ts';
import type { Hash, Suite } from '../../src/core/base/ids.ts';
import type { Signer } from '../../src/ports/signer.ts';

const SIGNATURE_BYTES = 64;

function sha256(bytes: Uint8Array): Hash {
  return hash('sha256', bytes, 'hex') as Hash;
}

/** A byte more, in each of two halves of a checksum. */
const FACTORS = [0x01000193, 0x85ebca6b] as const;

/**
 * A stand-in for P-256 that costs next to nothing: a checksum of key and bytes, spread over the length of a signature. Whoever knows
 * the public key could forge, and nobody in the simulation does.
 */
export function simulatedSign(publicKey: Uint8Array, bytes: Uint8Array): Uint8Array {
  let low = 0x811c9dc5;
  let high = bytes.length;
  for (const part of [publicKey, bytes])
    for (let at = 0; at < part.length; at += 1) {
      low = Math.imul(low ^ (part[at] as number), FACTORS[0]);
      high = Math.imul(high ^ (low >>> 11), FACTORS[1]) + low;
    }
  const signature = new Uint8Array(SIGNATURE_BYTES);
  for (let at = 0; at < SIGNATURE_BYTES; at += 1) {
    low = Math.imul(low ^ (high >>> 15), FACTORS[1]);
    high = Math.imul(high ^ (low >>> 13), FACTORS[0]) + at;
    signature[at] = low ^ high;
  }
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
  return equalBytes(simulatedSign(publicKey, bytes), signature);
}

export const simulatedSuite: Suite = {
  sha256,
  verify,
  isPoint: () => true,
};
