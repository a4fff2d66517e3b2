import type { Hash, LogId, Sha256, Suite } from '../base/ids.ts';
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
import { appendLeaves, leafHash, verifyInclusion } from '../merkle/log.ts';
import { verifyMapProof } from '../merkle/map.ts';
import { rootWithRight } from '../merkle/range.ts';
import type { CertifiedHeader, Header } from '../types/chain.ts';
import type { LogEntry, Member } from '../types/state.ts';
import {
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

export function checkProvenState(sha256: Sha256, log: DossierLog): Reject | null {
  if (log.state === null || scopeDigest(sha256, log.state) === log.entry.digest) return null;
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

/** The leaves are those of the log from the frontier on: none withheld between them, none invented, none moved [77] [78]. */
export function checkRange(suite: Suite, header: Header, log: DossierLog): VerifiedRange | Reject {
  const { sha256 } = suite;
  const { scope, id, entry, state, frontier } = log;
  const logId = logIdOf(sha256, header.chainId, scope, id);
  const end = frontier.size + log.items.length;
  if (end > entry.size) return reject('invented', `${end - entry.size} leaves too many`);
  const items = readItems(sha256, header, logId, log);
  if (isReject(items)) return items;
  const last = appendLeaves(
    sha256,
    frontier,
    items.map(item => item.leafHash),
  );
  if (rootWithRight(sha256, last, log.right, entry.size) !== entry.root) {
    return reject('wrong_root', `the leaves are not those of height ${header.height}`);
  }
  return { ref: { scope, id }, logId, entry, state, from: frontier.size, items };
}

/** The system log has these sections of its state under the header. */
export function checkMembersEntry(sha256: Sha256, header: Header, members: ProvenMembers): Reject | null {
  const logId = logIdOf(sha256, header.chainId, 'system', header.chainId);
  const { size, root, siblings, sections, sectionsRoot } = members;
  const digest = systemDigest(sha256, sections, sectionsRoot);
  return checkProvenEntry(sha256, header, logId, { entry: { size, root, digest }, siblings });
}

/** One section of the system state is this member. */
export function checkMember(
  sha256: Sha256,
  { sections, sectionsRoot }: ProvenMembers,
  { index, member, path }: ProvenMember,
): Member | Reject {
  const decoded = decodeMember(member);
  if (isReject(decoded)) return decoded;
  const leaf: Hash = leafHash(sha256, member);
  // Section 0 is the rest of the state.
  const proven = verifyInclusion(sha256, { leaf, index, size: sections, path, root: sectionsRoot });
  return index > 0 && proven ? decoded : reject('wrong_member', `the state has another ${decoded.id}`);
}
