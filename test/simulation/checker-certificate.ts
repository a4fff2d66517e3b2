import { isReject } from '../../src/core/base/reject.ts';
import { checkCertificate } from '../../src/core/light/certificate.ts';
import type { Certificate, Header, ValidatorSet } from '../../src/core/types/chain.ts';
import { simulatedSign, simulatedSuite as suite } from './suite.ts';

/** The checker's own arithmetic: the least number of which any two groups share more than f of n. */
export function quorumOf(n: number): number {
  let size = 1;
  while (2 * size - n <= faultsOf(n)) size += 1;
  return size;
}

export function faultsOf(n: number): number {
  let faults = 0;
  while (3 * (faults + 1) + 1 <= n) faults += 1;
  return faults;
}

export function u64(value: number): string {
  return value.toString(16).padStart(16, '0');
}

/** A tag and what follows it, in hexadecimal, as docs/PROTOCOL.md lays them out. */
export function tagged(purpose: string, fields: string): Buffer {
  return Buffer.concat([Buffer.from(`phaseline/1/${purpose}\0`), Buffer.from(fields, 'hex')]);
}

const headerHashes = new WeakMap<Header, string>();

/** Headers are never changed in place. */
export function hashOfHeader(header: Header): string {
  const known = headerHashes.get(header);
  if (known !== undefined) return known;
  const { version, chainId, height, parentHash, timeMs, transactionsRoot, mapRoot } = header;
  const roots = `${parentHash}${u64(timeMs)}${transactionsRoot}${mapRoot}`;
  const sets = `${u64(header.validatorSetId)}${header.validatorSetHash}${header.nextValidatorSetHash}`;
  const start = `${version.toString(16).padStart(4, '0')}${chainId}${u64(height)}`;
  const fields = `${start}${roots}${sets}${u64(header.previousSetChangeHeight)}`;
  const hash = suite.sha256(tagged('header', fields));
  headerHashes.set(header, hash);
  return hash;
}

/** The bytes of a COMMIT or PREPARE. */
function voteBytes(tag: 'prepare' | 'commit', chainId: string, certificate: Certificate): Buffer {
  const { validatorSetId, view, newViewDigest, height, blockHash } = certificate;
  const fields = `${chainId}${u64(validatorSetId)}${u64(view)}${newViewDigest}${u64(height)}${blockHash}`;
  return tagged(`pbft-${tag}`, fields);
}

export function isSigned(publicKey: Uint8Array, bytes: Uint8Array, signature: Uint8Array): boolean {
  return Buffer.compare(simulatedSign(publicKey, bytes), signature) === 0;
}

/** Counts the distinct members of the set whose signature under a certificate is good. */
export function goodSigners(
  tag: 'prepare' | 'commit',
  chainId: string,
  certificate: Certificate,
  set: ValidatorSet,
): Set<number> {
  const bytes = voteBytes(tag, chainId, certificate);
  const good = new Set<number>();
  for (const { signer, signature } of certificate.signatures) {
    const validator = set.validators[signer];
    if (validator !== undefined && isSigned(validator.publicKey, bytes, signature)) good.add(signer);
  }
  return good;
}

/** What is wrong with a commit certificate, by the checker's own path and by the light verifier; null for nothing. */
export function faultOf(
  header: Header,
  blockHash: string,
  certificate: Certificate,
  set: ValidatorSet,
): string | null {
  if (hashOfHeader(header) !== blockHash) return 'the hash is not the header’s';
  if (certificate.blockHash !== blockHash || certificate.height !== header.height)
    return 'the certificate is of another block';
  if (certificate.validatorSetId !== set.id || header.validatorSetId !== set.id)
    return `the certificate is of set ${certificate.validatorSetId}, the height is decided by set ${set.id}`;
  const good = goodSigners('commit', header.chainId, certificate, set).size;
  const needed = quorumOf(set.validators.length);
  if (good < needed) return `${good} good signatures of ${needed}`;
  const refused = checkCertificate(suite, header.chainId, { header, certificate }, set);
  return isReject(refused) ? `the light verifier refuses it: ${refused.reject}` : null;
}
