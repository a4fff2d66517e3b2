import type { Hash, Suite } from '../base/ids.ts';
import { isReject, type Reject, reject } from '../base/reject.ts';
import {
  headerHash,
  readCertificate,
  readHeader,
  readValidatorSet,
  writeCertificate,
  writeHeader,
  writeValidatorSet,
} from '../codec/chain.ts';
import { contentCodec } from '../codec/content.ts';
import type { Reader } from '../codec/reader.ts';
import type { Writer } from '../codec/writer.ts';
import { honestWitnesses } from '../quorum/quorum.ts';
import type { CertifiedHeader, Header, ValidatorSet } from '../types/chain.ts';
import { checkCertificate } from './certificate.ts';
import { advanceTrust, changesSet, genesisTrust, type SetChange, type Trust } from './trust.ts';

/** Set changes up to a fork, in one piece of evidence. */
const SET_CHANGES_MAX = 65_536;

/**
 * Two certified headers of one validator set of which at most one can be honest, with the set changes from genesis to that set:
 * whoever has the genesis file checks it without any node (SCENARIOS 36, 76).
 */
export interface ForkEvidence {
  readonly chainId: Hash;
  /** All that both histories share; the last brought in the set that signed both headers. */
  readonly setChanges: readonly SetChange[];
  /** The lower one first. */
  readonly first: CertifiedHeader;
  readonly second: CertifiedHeader;
}

/** What evidence shows. */
export interface ForkVerdict {
  readonly set: ValidatorSet;
  /** Names of those who signed both, in the order of the set. */
  readonly signedBoth: readonly string[];
  /** At least this many validators of the set are faulty. */
  readonly faultyMin: number;
  /** Both were signed in one view: then every one of `signedBoth` is faulty. */
  readonly sameView: boolean;
}

/** One history as a source shows it: set changes from genesis on, and a head. */
export interface ShownHistory {
  readonly setChanges: readonly SetChange[];
  readonly head: CertifiedHeader;
}

/** Both cannot be of one chain, whoever signed them. @param first not above `second` */
function contradict(suite: Suite, first: Header, second: Header): boolean {
  const hash = headerHash(suite.sha256, first);
  if (first.height === second.height) return hash !== headerHash(suite.sha256, second);
  // after a block that changes the set another set decides
  if (changesSet(first)) return true;
  return second.height === first.height + 1 && second.parentHash !== hash;
}

/**
 * Where two histories part, if what is shown of them proves that they do: each is verified from genesis before by `advanceTrust`.
 * @returns null when both may be of one chain, as far as they are shown
 */
export function findFork(
  suite: Suite,
  chainId: Hash,
  one: ShownHistory,
  other: ShownHistory,
): ForkEvidence | null {
  let shared = 0;
  const hashAt = ({ setChanges }: ShownHistory, index: number) => {
    const change = setChanges[index];
    return change === undefined ? null : headerHash(suite.sha256, change.certified.header);
  };
  while (hashAt(one, shared) !== null && hashAt(one, shared) === hashAt(other, shared)) shared += 1;
  const [a, b] = [one, other].map(({ setChanges, head }) => setChanges[shared]?.certified ?? head);
  const [first, second] = a!.header.height <= b!.header.height ? [a!, b!] : [b!, a!];
  if (first.header.validatorSetId !== second.header.validatorSetId) return null;
  if (!contradict(suite, first.header, second.header)) return null;
  return { chainId, setChanges: one.setChanges.slice(0, shared), first, second };
}

/** The set that the changes lead to from genesis. */
function setAfter(suite: Suite, anchor: Trust, changes: readonly SetChange[]): ValidatorSet | Reject {
  let trust: Trust = anchor;
  for (const change of changes) {
    const next = advanceTrust(suite, trust, { setChanges: [change], head: change.certified });
    if (isReject(next)) return next;
    trust = next;
  }
  return trust.set;
}

/** @param anchor genesis: its header and the set of height 1 */
export function checkFork(
  suite: Suite,
  evidence: ForkEvidence,
  anchor: { readonly genesisHeader: Header; readonly genesisSet: ValidatorSet },
): ForkVerdict | Reject {
  const { chainId, setChanges, first, second } = evidence;
  if (anchor.genesisHeader.chainId !== chainId) return reject('wrong_chain', `evidence of chain ${chainId}`);
  const trust = genesisTrust(suite, anchor.genesisHeader, anchor.genesisSet);
  const set = isReject(trust) ? trust : setAfter(suite, trust, setChanges);
  if (isReject(set)) return set;
  for (const certified of [first, second]) {
    const fault = checkCertificate(suite, chainId, certified, set);
    if (fault !== null) return fault;
  }
  const isOrdered = first.header.height <= second.header.height;
  if (!isOrdered || !contradict(suite, first.header, second.header)) {
    return reject('no_conflict', 'both headers can be of one chain');
  }
  const signers = new Set(first.certificate.signatures.map(({ signer }) => signer));
  const both = second.certificate.signatures.filter(({ signer }) => signers.has(signer));
  const [one, other] = [first.certificate, second.certificate];
  return {
    set,
    signedBoth: both.map(({ signer }) => set.validators[signer]!.name),
    faultyMin: honestWitnesses(set.validators.length),
    sameView: one.height === other.height && one.view === other.view,
  };
}

function writeCertified(writer: Writer, { header, certificate }: CertifiedHeader): void {
  writeHeader(writer, header);
  writeCertificate(writer, certificate);
}

function readCertified(reader: Reader): CertifiedHeader {
  return { header: readHeader(reader), certificate: readCertificate(reader) };
}

export const { encode: encodeForkEvidence, decode: decodeForkEvidence } = contentCodec<ForkEvidence>(
  'evidence of a fork',
  (writer, { chainId, setChanges, first, second }) => {
    writer.hash(chainId).list(setChanges, (out, { certified, nextSet }) => {
      writeCertified(out, certified);
      writeValidatorSet(out, nextSet);
    });
    writeCertified(writer, first);
    writeCertified(writer, second);
  },
  reader => ({
    chainId: reader.hash(),
    setChanges: reader.list(SET_CHANGES_MAX, from => ({
      certified: readCertified(from),
      nextSet: readValidatorSet(from),
    })),
    first: readCertified(reader),
    second: readCertified(reader),
  }),
);
