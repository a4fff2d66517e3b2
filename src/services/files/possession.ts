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
  return blocks.reduce((digest, block) => withBlock(sha256, digest, block), possessionStart(nonce, prover));
}

/** The digest over no block; `withBlock` goes on from it, so that a prover need not hold all of them at once. */
export function possessionStart(nonce: Uint8Array, prover: PeerId): Uint8Array {
  const name = utf8(prover);
  return tagged('possession', nonce, Uint8Array.of(name.length), name);
}

export function withBlock(sha256: Sha256, digest: Uint8Array, block: Uint8Array): Uint8Array {
  return assertDefined(fromHex(sha256(concatBytes(digest, block))), 'a hash is hexadecimal');
}
