import type { Hash, LogId, Suite } from '../base/ids.ts';
import { isReject, type Reject, reject } from '../base/reject.ts';
import { headerHash } from '../codec/chain.ts';
import { decodeSystemState, type ScopeKind, scopeDigest } from '../codec/state.ts';
import { logIdOf } from '../codec/transaction.ts';
import { createTransactionVerifier, type VerifyTransaction } from '../ledger/signature.ts';
import { EMPTY_FRONTIER } from '../merkle/log.ts';
import type { Header, ValidatorSet } from '../types/chain.ts';
import type { SystemState } from '../types/state.ts';
import { checkAuthorship } from './authorship.ts';
import { checkCertificate } from './certificate.ts';
import {
  type Dossier,
  type DossierLog,
  decodeDossier,
  type RecordPlace,
  verifyDossierChecksum,
} from './dossier.ts';
import { checkFileListed, checkOpening, type VerifiedRecords } from './dossier-records.ts';
import { checkLogEntry, checkLogPrefix, checkLogUpdate, type VerifiedLog } from './log-update.ts';
import type { OpenPayload } from './record.ts';
import { advanceTrust, genesisTrust, type Trust } from './trust.ts';

/** Signatures of batches that a verification remembers: neighbouring leaves often share one. */
const REMEMBERED_SIGNATURES_MAX = 1024;

/** What the verifier brings and does not take from the file. */
export interface DossierAnchor {
  /** Header of height 0, made from the genesis file. */
  readonly genesisHeader: Header;
  readonly genesisSet: ValidatorSet;
}

export interface VerifyDossierOptions {
  /** Without it a dossier with opened records does not verify. */
  readonly openPayload?: OpenPayload;
}

export interface DossierCheck {
  /** Says what was checked, in words: `head certificate`, `log phase 1a2b3c4d: author of leaf 7`. */
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
}

export interface DossierSummary {
  readonly chainId: Hash;
  readonly height: number;
  /** Unix time of the head in milliseconds: the dossier says nothing about what came later. */
  readonly timeMs: number;
  readonly headHash: Hash;
  readonly setChanges: number;
  readonly logs: readonly {
    readonly scope: ScopeKind;
    readonly id: Hash;
    readonly logId: LogId;
    /** The leaves [from, to) are in the file, none missing. */
    readonly from: number;
    readonly to: number;
    /** Leaves of the log at the head. */
    readonly size: number;
  }[];
  readonly openedRecords: number;
  readonly files: number;
}

export interface DossierVerdict {
  readonly ok: boolean;
  readonly checks: readonly DossierCheck[];
  /** What the file says; to be believed only when `ok`. Null when it could not be read. */
  readonly summary: DossierSummary | null;
}

class Findings {
  readonly checks: DossierCheck[] = [];

  /** @param fault null when the check passed */
  add(name: string, fault: Reject | null, detail: string): boolean {
    const ok = fault === null;
    this.checks.push({ name, ok, detail: ok ? detail : `${fault.reject}: ${fault.detail}` });
    return ok;
  }
}

const short = (hash: Hash) => hash.slice(0, 8);

function logName(log: DossierLog): string {
  return log.scope === 'system' ? 'log system' : `log ${log.scope} ${short(log.id)}`;
}

function unless(holds: boolean, code: string, detail: string): Reject | null {
  return holds ? null : reject(code, detail);
}

function verifyAnchor(suite: Suite, dossier: Dossier, anchor: DossierAnchor, findings: Findings): void {
  const { chainId } = anchor.genesisHeader;
  const chainFault = unless(dossier.chainId === chainId, 'wrong_chain', `the file is of ${dossier.chainId}`);
  findings.add('chain id', chainFault, chainId);
  const genesisHash = headerHash(suite.sha256, anchor.genesisHeader);
  const same = dossier.genesisHash === genesisHash;
  findings.add(
    'genesis',
    unless(same, 'wrong_genesis', `the file is of ${dossier.genesisHash}`),
    genesisHash,
  );
}

/** Follows the set changes from genesis. @returns null when one does not hold */
function verifySets(suite: Suite, dossier: Dossier, anchor: DossierAnchor, findings: Findings): Trust | null {
  let trust = genesisTrust(suite, anchor.genesisHeader, anchor.genesisSet);
  const count = anchor.genesisSet.validators.length;
  if (!findings.add('validator set at height 0', isReject(trust) ? trust : null, `${count} validators`)) {
    return null;
  }
  for (const change of dossier.setChanges) {
    if (isReject(trust)) return null;
    trust = advanceTrust(suite, trust, { setChanges: [change], head: change.certified });
    const name = `validator set at height ${change.certified.header.height}`;
    findings.add(name, isReject(trust) ? trust : null, `${change.nextSet.validators.length} validators`);
  }
  return isReject(trust) ? null : trust;
}

function checkHead(suite: Suite, trust: Trust | null, dossier: Dossier): Reject | null {
  if (trust === null) return reject('not_checked', 'the validator sets before it are not verified');
  const advanced = advanceTrust(suite, trust, { setChanges: [], head: dossier.head });
  if (isReject(advanced)) return advanced;
  // A head that is the last set change brings a certificate of its own, which must be as good.
  if (advanced !== trust) return null;
  if (trust.proof === undefined) return reject('no_certificate', 'genesis is not a head');
  return checkCertificate(suite, trust.header.chainId, dossier.head, trust.proof.set);
}

/** Every leaf of the log up to the head. @returns null when the log does not verify */
function verifyLog(suite: Suite, dossier: Dossier, log: DossierLog, findings: Findings): VerifiedLog | null {
  const { sha256 } = suite;
  const { update } = log;
  const { header } = dossier.head;
  const name = logName(log);
  const named = logIdOf(sha256, dossier.chainId, log.scope, log.id) === update.logId;
  findings.add(`${name}: identity`, unless(named, 'wrong_log', update.logId), update.logId);
  const proofFault = checkLogEntry(sha256, header, update.logId, update.entry, update.mapProof);
  findings.add(`${name}: map proof`, proofFault, `certified at height ${header.height}`);
  if (update.state !== null) {
    const fits = scopeDigest(sha256, update.state) === update.entry.digest;
    findings.add(`${name}: state`, unless(fits, 'wrong_state', 'not the certified state'), 'certified');
  }
  return verifyLeaves(suite, header, log, findings);
}

function verifyLeaves(suite: Suite, header: Header, log: DossierLog, findings: Findings): VerifiedLog | null {
  const { update, consistency } = log;
  const { from, entry, items } = update;
  const known = { frontier: EMPTY_FRONTIER, startPosition: from };
  const verified =
    consistency === null
      ? checkLogUpdate(suite, header, known, update)
      : checkLogPrefix(suite, header, known, update, consistency);
  const extent =
    consistency === null
      ? `complete (${items.length} leaves)`
      : `first ${from + items.length} of ${entry.size} leaves`;
  const range = from === 0 ? 'from the first leaf' : `from position ${from}`;
  const detail = `${range}, as of height ${header.height}`;
  findings.add(`${logName(log)}: ${extent}`, isReject(verified) ? verified : null, detail);
  return isReject(verified) ? null : verified;
}

function systemState(dossier: Dossier, verified: ReadonlyMap<LogId, VerifiedLog>): SystemState | Reject {
  const log = dossier.logs.find(candidate => candidate.scope === 'system');
  if (log === undefined) return reject('no_system_log', 'the keys of the members are missing');
  const state = verified.get(log.update.logId)?.state ?? null;
  if (state === null) return reject('not_checked', 'the system log is not verified');
  if (log.update.from !== 0 || log.consistency !== null) {
    return reject('not_whole', 'the file has only some leaves of the system log');
  }
  return decodeSystemState(state);
}

interface AuthorCheck {
  readonly suite: Suite;
  readonly system: SystemState;
  readonly verify: VerifyTransaction;
}

/** One line when all hold; each author that does not is named. */
function verifyAuthors(check: AuthorCheck, name: string, log: VerifiedLog, findings: Findings): void {
  let failed = 0;
  for (const { leaf, transaction } of log.items) {
    const fault = checkAuthorship(check.suite, check.system, leaf, transaction, check.verify);
    if (fault === null) continue;
    failed += 1;
    findings.add(`${name}: author of leaf ${leaf.position}`, fault, '');
  }
  if (failed === 0)
    findings.add(`${name}: authors (${log.items.length} leaves)`, null, 'every signature holds');
}

function verifyLogs(suite: Suite, dossier: Dossier, options: VerifyDossierOptions, findings: Findings): void {
  const verified = new Map<LogId, VerifiedLog>();
  for (const log of dossier.logs) {
    const result = verifyLog(suite, dossier, log, findings);
    if (result !== null) verified.set(result.logId, result);
  }
  const system = systemState(dossier, verified);
  const members = isReject(system) ? '' : `${system.members.length} members`;
  findings.add('keys of the members', isReject(system) ? system : null, members);
  if (isReject(system)) return;
  const verify = createTransactionVerifier(suite, REMEMBERED_SIGNATURES_MAX);
  for (const log of dossier.logs) {
    const whole = verified.get(log.update.logId);
    if (whole !== undefined) verifyAuthors({ suite, system, verify }, logName(log), whole, findings);
  }
  const openPayload = options.openPayload ?? null;
  verifyRecords({ suite, system, logs: verified, openPayload }, dossier, findings);
}

function verifyRecords(records: VerifiedRecords, dossier: Dossier, findings: Findings): void {
  const names = new Map(dossier.logs.map(log => [log.update.logId, logName(log)] as const));
  const nameOf = ({ logId }: RecordPlace) => names.get(logId) ?? `log ${short(logId)}`;
  const numberOf = ({ position, item }: RecordPlace) =>
    item === null ? `${position}` : `${position}, item ${item}`;
  for (const opening of dossier.openings) {
    const name = `${nameOf(opening)}: opened record ${numberOf(opening)}`;
    findings.add(name, checkOpening(records, opening), `${opening.plaintext.length} bytes`);
  }
  for (const file of dossier.files) {
    const name = `${nameOf(file)}: file ${file.cid} of record ${numberOf(file)}`;
    findings.add(name, checkFileListed(records, file), `${file.ciphertextBytes} bytes`);
  }
}

function summarise(suite: Suite, dossier: Dossier): DossierSummary {
  const { header } = dossier.head;
  return {
    chainId: dossier.chainId,
    height: header.height,
    timeMs: header.timeMs,
    headHash: headerHash(suite.sha256, header),
    setChanges: dossier.setChanges.length,
    logs: dossier.logs.map(({ scope, id, update }) => {
      const { logId, from, items, entry } = update;
      return { scope, id, logId, from, to: from + items.length, size: entry.size };
    }),
    openedRecords: dossier.openings.length,
    files: dossier.files.length,
  };
}

/**
 * Verifies a dossier offline, from genesis alone. Goes on after a fault, so that everything that fails is named [80].
 * Never throws on a file.
 */
export function verifyDossier(
  suite: Suite,
  bytes: Uint8Array,
  anchor: DossierAnchor,
  options: VerifyDossierOptions = {},
): DossierVerdict {
  const findings = new Findings();
  const intact = verifyDossierChecksum(suite.sha256, bytes);
  const checksumFault = unless(intact, 'bytes_changed', 'the file is not as it was written');
  findings.add('file checksum', checksumFault, `${bytes.length} bytes`);
  const dossier = decodeDossier(bytes);
  findings.add('file format', isReject(dossier) ? dossier : null, 'version 1');
  if (isReject(dossier)) return { ok: false, checks: findings.checks, summary: null };
  verifyAnchor(suite, dossier, anchor, findings);
  const trust = verifySets(suite, dossier, anchor, findings);
  const { header } = dossier.head;
  findings.add('head certificate', checkHead(suite, trust, dossier), `height ${header.height}`);
  verifyLogs(suite, dossier, options, findings);
  const ok = findings.checks.every(check => check.ok);
  return { ok, checks: findings.checks, summary: summarise(suite, dossier) };
}
