import { assertDefined } from '../../core/base/assert.ts';
import { concatBytes, fromHex, utf8 } from '../../core/base/bytes.ts';
import type { Sha256 } from '../../core/base/ids.ts';
import { tagged } from '../../core/codec/tags.ts';
import type { PeerId } from '../../ports/transport.ts';

/**
 * What a holder answers to a challenge. The blocks' own bytes go in behind the nonce, for their hashes are in the CIDs and prove
 * nothing; the prover's name keeps it from passing the challenge on to another holder.
 */
export function possessionDigest(
  sha256: Sha256,
  nonce: Uint8Array,
  prover: PeerId,
  blocks: readonly Uint8Array[],
): Uint8Array {
  const name = utf8(prover);
  let digest = tagged('possession', nonce, Uint8Array.of(name.length), name);
  for (const block of blocks) {
    digest = assertDefined(fromHex(sha256(concatBytes(digest, block))), 'a hash is hexadecimal');
  }
  return digest;
}
