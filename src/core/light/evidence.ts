import type { LogId, Sha256, Suite } from '../base/ids.ts';
import { isReject, type Reject, reject } from '../base/reject.ts';
import {
  decodeMember,
  mapKeyOf,
  mapValueOf,
  type ScopeRef,
  scopeDigest,
  systemDigest,
} from '../codec/state.ts';
import { logIdOf } from '../codec/transaction.ts';
import { appendLeaves, leafHash } from '../merkle/log.ts';
import { verifyMapProof } from '../merkle/map.ts';
import { type MapOpening, siblingsIn, viewOfOpening } from '../merkle/map-opening.ts';
import type { MapView } from '../merkle/map-view.ts';
import { rootWithBeside, rootWithRight } from '../merkle/range.ts';
import type { CertifiedHeader, Header } from '../types/chain.ts';
import type { LogEntry, Member } from '../types/state.ts';
import {
  type Dossier,
  type DossierLog,
  logItemOf,
  type ProvenEntry,
  type ProvenMember,
  type ProvenMembers,
} from './dossier.ts';
import { readLogItem, type VerifiedItem } from './log-update.ts';
import type { OpenPayload } from './record.ts';
import type { Trust } from './trust.ts';

/** Leaves of a log that the head certifies, without a gap. */
export interface VerifiedRange {
  readonly ref: ScopeRef;
  readonly logId: LogId;
  readonly entry: LogEntry;
  /** Of the head. */
  readonly state: Uint8Array | null;
  /** Position of the first item. */
  readonly from: number;
  readonly items: readonly VerifiedItem[];
}

/** What of a dossier has been proven; everything that it says is looked up in this. */
export interface Evidence {
  readonly suite: Suite;
  /** Of the head. */
  readonly header: Header;
  readonly members: { readonly members: readonly Member[] };
  readonly logs: ReadonlyMap<LogId, VerifiedRange>;
  /** A certified header below the head, under the set of its height. */
  readonly trustAt: (certified: CertifiedHeader) => Trust | Reject;
  readonly openPayload: OpenPayload | null;
}

export function reachesEnd(range: VerifiedRange): boolean {
  return range.from + range.items.length === range.entry.size;
}

/** The header's map says exactly this about the log. */
export function checkProvenEntry(
  sha256: Sha256,
  header: Header,
  logId: LogId,
  { entry, siblings }: ProvenEntry,
): Reject | null {
  const key = mapKeyOf(sha256, logId);
  const value = mapValueOf(sha256, entry);
  if (verifyMapProof(sha256, header.mapRoot, key, value, { siblings, leaf: { key, value } })) return null;
  return reject('bad_map_proof', `the head of height ${header.height} says something else of log ${logId}`);
}

/** The head's map as a dossier opens it; null when that does not fit the logs. @param entries of the logs that are opened */
export function openedView(
  sha256: Sha256,
  map: MapOpening,
  entries: ReadonlyMap<LogId, LogEntry>,
): MapView | null {
  const leaves = [...entries].map(([logId, entry]) => {
    return { key: mapKeyOf(sha256, logId), value: mapValueOf(sha256, entry) };
  });
  leaves.sort((a, b) => (a.key < b.key ? -1 : 1));
  return viewOfOpening(sha256, map, leaves);
}

/** The header's map says exactly this about all these logs. */
export function checkMap(
  sha256: Sha256,
  header: Header,
  map: MapOpening,
  entries: ReadonlyMap<LogId, LogEntry>,
): Reject | null {
  if (openedView(sha256, map, entries)?.hash === header.mapRoot) return null;
  return reject('bad_map_proof', `the head of height ${header.height} says something else of one of them`);
}

export function checkProvenState(sha256: Sha256, log: DossierLog): Reject | null {
  if (log.state === null || scopeDigest(sha256, log.state) === log.digest) return null;
  return reject('wrong_state', 'not the certified state');
}

/** Each leaf at its place and in order; that they were there the root says. */
function readItems(sha256: Sha256, header: Header, logId: LogId, log: DossierLog): VerifiedItem[] | Reject {
  const items: VerifiedItem[] = [];
  for (const [index, item] of log.items.entries()) {
    const position = log.frontier.size + index;
    const raw = logItemOf(sha256, logId, position, item);
    const read = isReject(raw) ? raw : readLogItem(sha256, header, logId, position, raw);
    if (isReject(read)) return reject(read.reject, `leaf ${position}: ${read.detail}`);
    const before = items.at(-1)?.leaf;
    if (before !== undefined && (before.height > read.leaf.height || before.timeMs > read.leaf.timeMs)) {
      return reject('unordered', `leaf ${position} is older than the one before it`);
    }
    items.push(read);
  }
  return items;
}

/**
 * The leaves as a log of some root, which the head's map must have: then they are those of the log from the frontier on, none
 * withheld between them, none invented, none moved [77] [78].
 */
export function checkRange(suite: Suite, header: Header, log: DossierLog): VerifiedRange | Reject {
  const { sha256 } = suite;
  const { scope, id, size, digest, state, frontier } = log;
  const logId = logIdOf(sha256, header.chainId, scope, id);
  const end = frontier.size + log.items.length;
  if (end > size) return reject('invented', `${end - size} leaves too many`);
  const items = readItems(sha256, header, logId, log);
  if (isReject(items)) return items;
  const last = appendLeaves(
    sha256,
    frontier,
    items.map(item => item.leafHash),
  );
  const root = rootWithRight(sha256, last, log.right, size);
  if (root === null) return reject('withheld', `these are not ${size} leaves of height ${header.height}`);
  const entry = { size, root, digest };
  return { ref: { scope, id }, logId, entry, state, from: frontier.size, items };
}

/** What the system log's entry is if its state has these members. */
export function membersEntry(sha256: Sha256, members: ProvenMembers): LogEntry | Reject {
  const { size, root, sections, beside } = members;
  const shown = members.members.map(({ index, member }) => {
    return { position: index, hash: leafHash(sha256, member) };
  });
  const sectionsRoot = rootWithBeside(sha256, shown, beside, sections);
  if (sectionsRoot === null) return reject('wrong_members', `the state has not ${sections} sections`);
  return { size, root, digest: systemDigest(sha256, sections, sectionsRoot) };
}

/** Adds the system log as the members have it; where the file shows its leaves too, both must say the same of it. */
export function addMembersEntry(
  { sha256 }: Suite,
  { chainId }: Header,
  entries: Map<LogId, LogEntry>,
  entry: LogEntry,
): Reject | null {
  const logId = logIdOf(sha256, chainId, 'system', chainId);
  const shown = entries.get(logId) ?? entry;
  entries.set(logId, entry);
  const isSame = mapValueOf(sha256, shown) === mapValueOf(sha256, entry);
  return isSame ? null : reject('wrong_members', 'the system log is not that of the members');
}

/** A section of the system state as a member. */
export function readMember({ index, member }: ProvenMember): Member | Reject {
  // Section 0 is the rest of the state.
  return index > 0 ? decodeMember(member) : reject('wrong_member', 'the first section is no member');
}

/** What the head's map says of each log of a dossier, as a proof of its own; the head is not verified. */
export function provenEntries(suite: Suite, dossier: Dossier): ReadonlyMap<LogId, ProvenEntry> | Reject {
  const { sha256 } = suite;
  const { header } = dossier.head;
  const entries = new Map<LogId, LogEntry>();
  for (const log of dossier.logs) {
    const range = checkRange(suite, header, log);
    if (isReject(range)) return range;
    entries.set(range.logId, range.entry);
  }
  const own = [...entries];
  const system = dossier.members === null ? null : membersEntry(sha256, dossier.members);
  if (isReject(system)) return system;
  const fault = system === null ? null : addMembersEntry(suite, header, entries, system);
  if (fault !== null) return fault;
  const view = openedView(sha256, dossier.map, entries);
  if (view === null) return reject('bad_map_proof', 'the map is not that of the logs');
  return new Map(
    own.map(([logId, entry]) => [logId, { entry, siblings: siblingsIn(view, mapKeyOf(sha256, logId)) }]),
  );
}
