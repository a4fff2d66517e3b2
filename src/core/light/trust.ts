import type { BlockHash, Hash, Suite } from '../base/ids.ts';
import { isReject, type Reject, reject } from '../base/reject.ts';
import { headerHash, validatorSetHash } from '../codec/chain.ts';
import type { Certificate, CertifiedHeader, Header, ValidatorSet } from '../types/chain.ts';
import { checkCertificate, checkValidatorSet } from './certificate.ts';

/** Set changes that one update may carry; a verifier further behind advances in several updates. */
const SET_CHANGES_PER_UPDATE_MAX = 1024;

/** The highest head that a verifier has verified; it never goes back (DESIGN.md section 2). */
export interface Trust {
  readonly header: Header;
  readonly hash: BlockHash;
  /** Decides the next height. */
  readonly set: ValidatorSet;
  /** How `header` was certified, kept as evidence against a fork; absent for genesis. */
  readonly proof?: { readonly certificate: Certificate; readonly set: ValidatorSet };
}

export interface SetChange {
  /** A block that changed the set, certified by the set before. */
  readonly certified: CertifiedHeader;
  readonly nextSet: ValidatorSet;
}

/** All set changes above the known head, oldest first, and the new head; the head may be the last of the changes. */
export interface HeadUpdate {
  readonly setChanges: readonly SetChange[];
  readonly head: CertifiedHeader;
}

/** Two certified headers of which at most one can be honest: at least f+1 validators signed against the protocol. */
export interface ForkReject extends Reject {
  readonly reject: 'fork';
  readonly trusted: {
    readonly header: Header;
    readonly certificate: Certificate | null;
    readonly set: ValidatorSet | null;
  };
  readonly conflicting: { readonly certified: CertifiedHeader; readonly set: ValidatorSet };
}

export function isForkReject(value: unknown): value is ForkReject {
  return isReject(value) && value.reject === 'fork';
}

/** The trust anchor. @param set the set of genesis, which decides height 1 */
export function genesisTrust(suite: Suite, header: Header, set: ValidatorSet): Trust | Reject {
  const setFault = checkValidatorSet(set);
  if (setFault !== null) return setFault;
  if (header.height !== 0) return reject('wrong_anchor', `the anchor has height ${header.height}`);
  if (header.nextValidatorSetHash !== validatorSetHash(suite.sha256, set)) {
    return reject('wrong_set', 'the anchor does not name this validator set');
  }
  return { header, hash: headerHash(suite.sha256, header), set };
}

export function changesSet(header: Header): boolean {
  return header.nextValidatorSetHash !== header.validatorSetHash;
}

/** Height of the last set change that a verifier of this head knows of. */
function lastSetChange(header: Header): number {
  return changesSet(header) ? header.height : header.previousSetChangeHeight;
}

function forkReject(trust: Trust, certified: CertifiedHeader, set: ValidatorSet, detail: string): ForkReject {
  const trusted = {
    header: trust.header,
    certificate: trust.proof?.certificate ?? null,
    set: trust.proof?.set ?? null,
  };
  return { reject: 'fork', detail, peer: 'penalise', trusted, conflicting: { certified, set } };
}

/** What holds between a header and the trusted one below it; the certificate has been verified. */
function checkSuccession(trust: Trust, certified: CertifiedHeader): Reject | null {
  const { header } = certified;
  if (header.height === trust.header.height + 1 && header.parentHash !== trust.hash) {
    return forkReject(trust, certified, trust.set, `height ${header.height} has another parent`);
  }
  if (header.previousSetChangeHeight !== lastSetChange(trust.header)) {
    return reject('set_change_withheld', `height ${header.height} names another set change before it`);
  }
  if (header.timeMs <= trust.header.timeMs) {
    return reject('time_backwards', `height ${header.height} is not later than the trusted head`);
  }
  return null;
}

/** A certified header of the trusted height: the same one, or a fork. */
function checkSameHeight(suite: Suite, trust: Trust, certified: CertifiedHeader): Reject | null {
  if (headerHash(suite.sha256, certified.header) === trust.hash) return null;
  const set = trust.proof?.set ?? trust.set;
  const fault = checkCertificate(suite, trust.header.chainId, certified, set);
  if (fault !== null) return fault;
  return forkReject(trust, certified, set, `two certified blocks of height ${trust.header.height}`);
}

function applyHeader(suite: Suite, trust: Trust, certified: CertifiedHeader, nextSet: ValidatorSet): Trust {
  const { header, certificate } = certified;
  return {
    header,
    hash: headerHash(suite.sha256, header),
    set: nextSet,
    proof: { certificate, set: trust.set },
  };
}

function checkAbove(suite: Suite, trust: Trust, certified: CertifiedHeader): Reject | null {
  const { header } = certified;
  if (header.height <= trust.header.height) {
    return reject('stale_head', `height ${header.height}, trusted ${trust.header.height}`, 'ignore');
  }
  const fault = checkCertificate(suite, trust.header.chainId, certified, trust.set);
  return fault ?? checkSuccession(trust, certified);
}

function advanceSet(suite: Suite, trust: Trust, change: SetChange): Trust | Reject {
  const { certified, nextSet } = change;
  const { header } = certified;
  if (header.height === trust.header.height) return checkSameHeight(suite, trust, certified) ?? trust;
  const fault = checkAbove(suite, trust, certified) ?? checkNextSet(suite.sha256, trust, header, nextSet);
  return fault ?? applyHeader(suite, trust, certified, nextSet);
}

function checkNextSet(
  sha256: Suite['sha256'],
  trust: Trust,
  header: Header,
  nextSet: ValidatorSet,
): Reject | null {
  if (!changesSet(header)) return reject('no_set_change', `height ${header.height} keeps its set`);
  const next: Hash = validatorSetHash(sha256, nextSet);
  if (next !== header.nextValidatorSetHash || nextSet.id !== trust.set.id + 1) {
    return reject('wrong_next_set', `height ${header.height} names another next set`);
  }
  return checkValidatorSet(nextSet);
}

function advanceHead(suite: Suite, trust: Trust, head: CertifiedHeader): Trust | Reject {
  if (head.header.height === trust.header.height) {
    return checkSameHeight(suite, trust, head) ?? trust;
  }
  const fault = checkAbove(suite, trust, head);
  if (fault !== null) return fault;
  if (changesSet(head.header)) {
    return reject('set_change_withheld', `height ${head.header.height} changes the set to one not shown`);
  }
  return applyHeader(suite, trust, head, trust.set);
}

/**
 * Skip verification: every set change is checked under the set before it, all other headers may be missing. Never goes
 * back; a fork is answered as a `ForkReject` with both headers [75] [76] [79].
 * @returns the same trust when the update's head is the trusted one
 */
export function advanceTrust(suite: Suite, trust: Trust, update: HeadUpdate): Trust | Reject {
  if (update.setChanges.length > SET_CHANGES_PER_UPDATE_MAX) {
    return reject('too_many_set_changes', `${update.setChanges.length} in one update`);
  }
  let current = trust;
  for (const change of update.setChanges) {
    const next = advanceSet(suite, current, change);
    if (isReject(next)) return next;
    current = next;
  }
  return advanceHead(suite, current, update.head);
}
