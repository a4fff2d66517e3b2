import { toHex } from '../base/bytes.ts';
import type { Hash, Suite } from '../base/ids.ts';
import { type Reject, reject } from '../base/reject.ts';
import { headerHash, validatorSetHash, voteBytes } from '../codec/chain.ts';
import { quorumSize } from '../quorum/quorum.ts';
import type { Certificate, CertifiedHeader, ValidatorSet } from '../types/chain.ts';
import { KNOWN_PROTOCOL_VERSIONS, LIMITS } from '../types/limits.ts';

/** A set is not empty and bounded, and no key stands in it twice: nobody may count for two. */
export function checkValidatorSet(set: ValidatorSet): Reject | null {
  const count = set.validators.length;
  if (count === 0) return reject('empty_set', `validator set ${set.id} is empty`);
  if (count > LIMITS.validatorsMax) return reject('set_too_large', `${count} validators`);
  const keys = new Set(set.validators.map(validator => toHex(validator.publicKey)));
  return keys.size === count ? null : reject('duplicate_key', `validator set ${set.id} has a key twice`);
}

/** Structure first, signatures last: a malformed certificate costs no curve arithmetic. */
function checkSigners(certificate: Certificate, set: ValidatorSet): Reject | null {
  const needed = quorumSize(set.validators.length);
  let previous = -1;
  for (const { signer } of certificate.signatures) {
    if (signer >= set.validators.length) return reject('unknown_signer', `signer ${signer}`);
    if (signer === previous) return reject('duplicate_signer', `signer ${signer}`);
    if (signer < previous) return reject('signer_order', `signer ${signer} after ${previous}`);
    previous = signer;
  }
  const count = certificate.signatures.length;
  return count >= needed ? null : reject('short_certificate', `${count} signatures of ${needed}`);
}

function checkSubject(suite: Suite, certified: CertifiedHeader, set: ValidatorSet): Reject | null {
  const { header, certificate } = certified;
  const setHash = validatorSetHash(suite.sha256, set);
  if (header.validatorSetId !== set.id || header.validatorSetHash !== setHash) {
    return reject('wrong_set', `height ${header.height} is decided by set ${header.validatorSetId}`);
  }
  if (certificate.validatorSetId !== set.id) {
    return reject('wrong_set', `certificate of set ${certificate.validatorSetId}`);
  }
  const hash = headerHash(suite.sha256, header);
  if (certificate.height !== header.height || certificate.blockHash !== hash) {
    return reject('wrong_block', `certificate of another block than height ${header.height}`);
  }
  return null;
}

/**
 * A quorum of the set signed COMMIT for exactly this header [75]: signers known, strictly ascending, at least a quorum,
 * every signature valid.
 */
export function checkCertificate(
  suite: Suite,
  chainId: Hash,
  certified: CertifiedHeader,
  set: ValidatorSet,
): Reject | null {
  const { header, certificate } = certified;
  if (header.chainId !== chainId) return reject('wrong_chain', `header of chain ${header.chainId}`);
  if (!KNOWN_PROTOCOL_VERSIONS.includes(header.version)) {
    return reject(
      'unknown_version',
      `protocol version ${header.version} at height ${header.height}`,
      'ignore',
    );
  }
  const fault =
    checkValidatorSet(set) ?? checkSubject(suite, certified, set) ?? checkSigners(certificate, set);
  if (fault !== null) return fault;
  const bytes = voteBytes('commit', { chainId, ...certificate });
  for (const { signer, signature } of certificate.signatures) {
    if (!suite.verify(set.validators[signer]!.publicKey, bytes, signature)) {
      return reject('bad_signature', `validator ${set.validators[signer]!.name}`);
    }
  }
  return null;
}
