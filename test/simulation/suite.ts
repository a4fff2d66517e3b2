import { createHash } from 'node:crypto';
import { concatBytes, equalBytes, utf8 } from '../../src/core/base/bytes.ts';
import type { Hash, Suite } from '../../src/core/base/ids.ts';

function digest(bytes: Uint8Array): Uint8Array {
  return Uint8Array.from(createHash('sha256').update(bytes).digest());
}

/** A stand-in for P-256: a keyed hash. Whoever knows the public key could forge, and nobody in the simulation does. */
export function simulatedSign(publicKey: Uint8Array, bytes: Uint8Array): Uint8Array {
  const half = digest(concatBytes(publicKey, bytes));
  return concatBytes(half, half);
}

export function simulatedKey(name: string): Uint8Array {
  return concatBytes(Uint8Array.of(2), digest(utf8(`key of ${name}`)));
}

export const simulatedSuite: Suite = {
  sha256: bytes => createHash('sha256').update(bytes).digest('hex') as Hash,
  verify: (publicKey, bytes, signature) => equalBytes(simulatedSign(publicKey, bytes), signature),
  isPoint: () => true,
};
