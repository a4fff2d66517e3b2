import type { Hash, LogId, Suite, TransactionId } from '../base/ids.ts';
import { isReject, type Reject, reject } from '../base/reject.ts';
import { isoTime } from '../base/time.ts';
import { headerHash } from '../codec/chain.ts';
import type { ScopeKind } from '../codec/state.ts';
import { createTransactionVerifier } from '../ledger/signature.ts';
import type { CertifiedHeader, Header, ValidatorSet } from '../types/chain.ts';
import type { Member } from '../types/state.ts';
import { checkAuthorship } from './authorship.ts';
import { checkCertificate } from './certificate.ts';
import { checkClaim, claimName, placeName } from './claim-verify.ts';
import type { Dossier, DossierLog, Opening, RecordPlace } from './dossier.ts';
import { decodeDossier, verifyDossierChecksum } from './dossier-codec.ts';
import { checkFileListed, checkOpening, checkShownField, findRecord } from './dossier-records.ts';
import {
  addMembersEntry,
  checkMap,
  checkProvenState,
  checkRange,
  type Evidence,
  membersEntry,
  reachesEnd,
  readMember,
  type VerifiedRange,
} from './evidence.ts';
import type { OpenPayload } from './record.ts';
import { advanceTrust, genesisTrust, type Trust } from './trust.ts';

/** Signatures of batches that a verification remembers: neighbouring leaves often share one. */
const REMEMBERED_SIGNATURES_MAX = 1024;

/** What the verifier brings and does not take from the file: genesis, or a head that it has verified before. */
export type DossierAnchor =
  | {
      /** Header of height 0, made from the genesis file. */
      readonly genesisHeader: Header;
      readonly genesisSet: ValidatorSet;
    }
  | { readonly pinned: Trust };

export interface VerifyDossierOptions {
  /** Without it a dossier with opened records does not verify. */
  readonly openPayload?: OpenPayload;
  /** Content keys that were sealed for the verifier, unsealed by it. */
  readonly unsealed?: readonly Opening[];
}

export interface DossierCheck {
  /** Says what was checked, in words: `head certificate`, `log phase 1a2b3c4d: author of leaf 7`. */
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
}

/** What a record was shown to say. */
export interface ShownRecord {
  readonly id: TransactionId;
  readonly author: string;
  readonly height: number;
  readonly timeMs: number;
  /** The whole payload, JSON as its author wrote it; null where it was not opened. */
  readonly text: string | null;
  /** Single fields, and their values as JSON. */
  readonly fields: readonly { readonly name: string; readonly value: string }[];
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
    /** The leaves [from, to) are in the file, none missing. */
    readonly from: number;
    readonly to: number;
    /** Leaves of the log at the head. */
    readonly size: number;
  }[];
  readonly claims: readonly string[];
  readonly openedRecords: number;
  readonly sealedRecords: number;
  readonly fields: number;
  readonly files: number;
}

export interface DossierVerdict {
  readonly ok: boolean;
  readonly checks: readonly DossierCheck[];
  /** What the file says; to be believed only when `ok`. Null when it could not be read. */
  readonly summary: DossierSummary | null;
  /** What was shown of records, and holds. */
  readonly records: readonly ShownRecord[];
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

function logName({ scope, id }: { readonly scope: ScopeKind; readonly id: Hash }): string {
  return scope === 'system' ? 'log system' : `log ${scope} ${short(id)}`;
}

function trustOf(suite: Suite, anchor: DossierAnchor): Trust | Reject {
  return 'pinned' in anchor ? anchor.pinned : genesisTrust(suite, anchor.genesisHeader, anchor.genesisSet);
}

function verifyAnchor(
  suite: Suite,
  dossier: Dossier,
  anchor: DossierAnchor,
  findings: Findings,
): Trust | null {
  const trust = trustOf(suite, anchor);
  const pinned = 'pinned' in anchor;
  const { chainId } = pinned ? anchor.pinned.header : anchor.genesisHeader;
  const of = dossier.head.header.chainId;
  findings.add('chain', of === chainId ? null : reject('wrong_chain', `the file is of ${of}`), chainId);
  const what = pinned ? `pinned head of height ${anchor.pinned.header.height}` : 'validator set at height 0';
  const known = isReject(trust) ? '' : `${trust.set.validators.length} validators`;
  return findings.add(what, isReject(trust) ? trust : null, known) && !isReject(trust) ? trust : null;
}

/** Follows the set changes from the anchor; a pinned head has those up to its height behind it. @returns null when one does not hold */
function verifySets(suite: Suite, dossier: Dossier, start: Trust | null, findings: Findings): Trust | null {
  let trust: Trust | Reject | null = start;
  for (const change of dossier.setChanges) {
    const { height } = change.certified.header;
    if (trust === null || isReject(trust)) return null;
    if (height < trust.header.height) continue;
    trust = advanceTrust(suite, trust, { setChanges: [change], head: change.certified });
    const name = `validator set at height ${height}`;
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
  // The verifier trusts this very head, whoever certified it.
  if (trust.proof === undefined && trust.header.height > 0) return null;
  if (trust.proof === undefined) return reject('no_certificate', 'genesis is not a head');
  return checkCertificate(suite, trust.header.chainId, dossier.head, trust.proof.set);
}

/** A header between the anchor and the head, under the set changes that the file shows below it. */
function trustAt(suite: Suite, dossier: Dossier, start: Trust | null) {
  return (certified: CertifiedHeader): Trust | Reject => {
    if (start === null) return reject('not_checked', 'the anchor is not verified');
    const passed = dossier.setChanges.filter(({ certified: { header } }) => {
      return header.height >= start.header.height && header.height <= certified.header.height;
    });
    return advanceTrust(suite, start, { setChanges: passed, head: certified });
  };
}

function verifyMembers({ members }: Dossier, findings: Findings): Member[] {
  const found: Member[] = [];
  for (const entry of members?.members ?? []) {
    const member = readMember(entry);
    const name = isReject(member) ? `keys of member ${entry.index}` : `keys of ${member.id}`;
    findings.add(name, isReject(member) ? member : null, 'as in the state of the members');
    if (!isReject(member)) found.push(member);
  }
  return found.sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** The head certifies everything that was read of the logs and of the members, all of it or nothing. */
function verifyMap(
  suite: Suite,
  dossier: Dossier,
  ranges: readonly VerifiedRange[],
  findings: Findings,
): boolean {
  const { logs, members, head, map } = dossier;
  const { sha256 } = suite;
  const { height } = head.header;
  const entries = new Map(ranges.map(range => [range.logId, range.entry]));
  const names = logs.map(logName);
  let fault = ranges.length < logs.length ? reject('not_checked', 'a log does not verify') : null;
  if (members !== null) {
    const entry = membersEntry(sha256, members);
    findings.add('state of the members', isReject(entry) ? entry : null, `${members.sections - 1} members`);
    fault ??= isReject(entry) ? entry : addMembersEntry(suite, head.header, entries, entry);
    names.unshift('state of the members');
  }
  if (names.length === 0) return true;
  fault ??= checkMap(sha256, head.header, map, entries);
  return findings.add(`map of ${names.join(', ')}`, fault, `certified at height ${height}`);
}

function extentOf(range: VerifiedRange): string {
  const { from, items, entry } = range;
  if (items.length === 0) return `size (${entry.size} leaves)`;
  if (from === 0 && reachesEnd(range)) return `complete (${entry.size} leaves)`;
  return `leaves ${from} to ${from + items.length - 1} of ${entry.size}`;
}

/** @returns null when the log does not verify */
function verifyLog(
  suite: Suite,
  dossier: Dossier,
  log: DossierLog,
  findings: Findings,
): VerifiedRange | null {
  const { sha256 } = suite;
  const { header } = dossier.head;
  const name = logName(log);
  const range = checkRange(suite, header, log);
  const extent = isReject(range) ? 'leaves' : extentOf(range);
  findings.add(`${name}: ${extent}`, isReject(range) ? range : null, `as of height ${header.height}`);
  const stateFault = checkProvenState(sha256, log);
  if (log.state !== null) findings.add(`${name}: state`, stateFault, 'certified');
  return isReject(range) || stateFault !== null ? null : range;
}

/** One line when all hold; each author that does not is named. */
function verifyAuthors(
  suite: Suite,
  members: Evidence['members'],
  range: VerifiedRange,
  findings: Findings,
): void {
  if (range.items.length === 0) return;
  const verify = createTransactionVerifier(suite, REMEMBERED_SIGNATURES_MAX);
  const name = logName(range.ref);
  let failed = 0;
  for (const { leaf, transaction } of range.items) {
    const fault = checkAuthorship(suite, members, leaf, transaction, verify);
    if (fault === null) continue;
    failed += 1;
    findings.add(`${name}: author of leaf ${leaf.position}`, fault, '');
  }
  if (failed > 0) return;
  findings.add(`${name}: authors (${range.items.length} leaves)`, null, 'every signature holds');
}

const placeKey = ({ logId, position, item }: RecordPlace) => `${logId}/${position}/${item}`;

/** What the file shows of records; each is named by its place, and shown once. */
class Shown {
  private readonly records = new Map<string, ShownRecord>();

  constructor(
    private readonly evidence: Evidence,
    private readonly dossier: Dossier,
    private readonly findings: Findings,
  ) {}

  all(): ShownRecord[] {
    return [...this.records.values()];
  }

  nameOf({ logId, position, item }: RecordPlace): string {
    const log = this.evidence.logs.get(logId);
    const name = log === undefined ? `log ${short(logId)}` : logName(log.ref);
    return `${name}: record ${placeName({ logId, position, item })}`;
  }

  opening(opening: Opening, how: string): void {
    const text = checkOpening(this.evidence, opening);
    const detail = isReject(text) ? '' : `${text.length} characters`;
    this.findings.add(`${this.nameOf(opening)} ${how}`, isReject(text) ? text : null, detail);
    if (!isReject(text)) this.show(opening, { text });
  }

  private show(place: RecordPlace, change: Partial<Pick<ShownRecord, 'text' | 'fields'>>): void {
    const found = findRecord(this.evidence, place);
    if (isReject(found)) return;
    const { leaf, transaction } = found.source;
    const { height, timeMs } = leaf;
    const fresh = { id: found.id, author: transaction.body.sender, height, timeMs, text: null, fields: [] };
    const before = this.records.get(placeKey(place)) ?? fresh;
    const fields = [...before.fields, ...(change.fields ?? [])];
    this.records.set(placeKey(place), { ...before, text: change.text ?? before.text, fields });
  }

  rest(): void {
    for (const shown of this.dossier.fields) {
      const { name, value } = shown.field;
      const fault = checkShownField(this.evidence, shown);
      this.findings.add(`${this.nameOf(shown)} field ${name}`, fault, value);
      if (fault === null) this.show(shown, { fields: [{ name, value }] });
    }
    for (const sealed of this.dossier.sealed) {
      const record = findRecord(this.evidence, sealed);
      const detail = 'only its recipient can open it';
      this.findings.add(`${this.nameOf(sealed)} sealed`, isReject(record) ? record : null, detail);
    }
    for (const file of this.dossier.files) {
      const fault = checkFileListed(this.evidence, file);
      this.findings.add(`${this.nameOf(file)} file ${file.cid}`, fault, `${file.ciphertextBytes} bytes`);
    }
  }
}

function verifyContent(
  suite: Suite,
  dossier: Dossier,
  start: Trust | null,
  options: VerifyDossierOptions,
  findings: Findings,
): ShownRecord[] {
  const members = { members: verifyMembers(dossier, findings) };
  const ranges = dossier.logs
    .map(log => verifyLog(suite, dossier, log, findings))
    .filter(range => range !== null);
  for (const range of ranges) verifyAuthors(suite, members, range, findings);
  const isCertified = verifyMap(suite, dossier, ranges, findings);
  const logs = new Map(isCertified ? ranges.map(range => [range.logId, range]) : []);
  const evidence: Evidence = {
    ...{ suite, header: dossier.head.header, logs },
    members: isCertified ? members : { members: [] },
    trustAt: trustAt(suite, dossier, start),
    openPayload: options.openPayload ?? null,
  };
  const nameOf = (logId: LogId) => {
    const range = logs.get(logId);
    return range === undefined ? `log ${short(logId)}` : logName(range.ref);
  };
  for (const claim of dossier.claims) {
    const said = checkClaim(evidence, claim);
    findings.add(
      `proven: ${claimName(claim, nameOf)}`,
      isReject(said) ? said : null,
      isReject(said) ? '' : said,
    );
  }
  const shown = new Shown(evidence, dossier, findings);
  for (const opening of dossier.openings) shown.opening(opening, 'opened');
  for (const opening of options.unsealed ?? []) shown.opening(opening, 'unsealed');
  shown.rest();
  return shown.all();
}

function summarise(suite: Suite, dossier: Dossier): DossierSummary {
  const { header } = dossier.head;
  return {
    chainId: header.chainId,
    height: header.height,
    timeMs: header.timeMs,
    headHash: headerHash(suite.sha256, header),
    setChanges: dossier.setChanges.length,
    logs: dossier.logs.map(({ scope, id, frontier, items, size }) => {
      return { scope, id, from: frontier.size, to: frontier.size + items.length, size };
    }),
    claims: dossier.claims.map(claim => claimName(claim)),
    openedRecords: dossier.openings.length,
    sealedRecords: dossier.sealed.length,
    fields: dossier.fields.length,
    files: dossier.files.length,
  };
}

/**
 * Verifies a dossier or a proof offline, from its anchor alone. Goes on after a fault, so that everything that fails is named
 * [80]. Never throws on a file.
 */
export function verifyDossier(
  suite: Suite,
  bytes: Uint8Array,
  anchor: DossierAnchor,
  options: VerifyDossierOptions = {},
): DossierVerdict {
  const findings = new Findings();
  const intact = verifyDossierChecksum(suite.sha256, bytes);
  const checksumFault = intact ? null : reject('bytes_changed', 'the file is not as it was written');
  findings.add('file checksum', checksumFault, `${bytes.length} bytes`);
  const dossier = decodeDossier(suite.sha256, bytes);
  findings.add('file format', isReject(dossier) ? dossier : null, 'version 1');
  if (isReject(dossier)) return { ok: false, checks: findings.checks, summary: null, records: [] };
  const start = verifyAnchor(suite, dossier, anchor, findings);
  const trust = verifySets(suite, dossier, start, findings);
  const { header } = dossier.head;
  const at = `height ${header.height}, ${isoTime(header.timeMs)}`;
  findings.add('head certificate', checkHead(suite, trust, dossier), at);
  const records = verifyContent(suite, dossier, start, options, findings);
  const ok = findings.checks.every(check => check.ok);
  return { ok, checks: findings.checks, summary: summarise(suite, dossier), records };
}
