import { equalBytes } from '../../core/base/bytes.ts';
import type { EngineConfig } from '../../core/pbft/config.ts';
import type { Signer } from '../../ports/signer.ts';
import type { PeerId } from '../../ports/transport.ts';

/** This node votes in a set that names its peer id with its own consensus key; otherwise it observes. */
export function seatFinder(signer: Signer, peerId: PeerId): EngineConfig['findSeat'] {
  return set => {
    const index = set.validators.findIndex(validator => validator.peerId === peerId);
    const validator = set.validators[index];
    if (validator === undefined || !equalBytes(validator.publicKey, signer.publicKey)) return null;
    return { index, sign: bytes => signer.sign(bytes) };
  };
}
