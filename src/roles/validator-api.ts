import { assertDefined } from '../core/base/assert.ts';
import { validatorKeyBytes } from '../core/codec/governance.ts';
import { LIMITS } from '../core/types/limits.ts';
import type { Signer } from '../ports/signer.ts';
import type { GovernanceReadApi, ValidatorCard, ValidatorNodeApi } from '../rpc/governance-api.ts';
import type { ConsensusNode } from './consensus-node.ts';

/** A consensus node about the validator set and its own place in it. */
export function createValidatorApi(node: ConsensusNode): GovernanceReadApi & ValidatorNodeApi {
  const { chain, transport, signing, options } = node;
  const cardOf = (signer: Signer): ValidatorCard => {
    const entry = chain.validatorSet().validators.find(({ peerId }) => peerId === transport.peerId);
    const name = entry?.name ?? options.name;
    const validator = { name, publicKey: signer.publicKey, peerId: transport.peerId };
    const proof = signer.sign(validatorKeyBytes(chain.chainId(), validator));
    const addresses = transport.addresses().map(withoutPeer).slice(0, LIMITS.addressesPerValidator);
    return { validator, addresses, proof };
  };
  return {
    system: () => chain.system(),
    headHeight: () => chain.headHeight(),
    reachedPeers: () => [transport.peerId, ...chain.connectedValidators()],
    signedHead: () => signersOfHead(node),
    card: () => cardOf(assertDefined(options.keys.signers()[0], 'a consensus node has a consensus key')),
    newKey: async () => cardOf(await signing.prepare()),
  };
}

/** A proposal names the peer id beside the addresses. */
function withoutPeer(address: string): string {
  return address.replace(/\/p2p\/[^/]+$/, '');
}

/** Nobody where the newest block was decided by the set before. */
function signersOfHead({ chain }: ConsensusNode): string[] {
  const { certificate } = chain.head();
  const { id, validators } = chain.validatorSet();
  if (certificate?.validatorSetId !== id) return [];
  return certificate.signatures.flatMap(({ signer }) => validators[signer]?.name ?? []);
}
