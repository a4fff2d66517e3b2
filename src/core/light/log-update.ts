import { HOLDER_ENDING_KINDS } from '../access/members.ts';
import type { Hash, LogId, Sha256, Suite } from '../base/ids.ts';
import { isReject, type Reject, reject } from '../base/reject.ts';
import { mapKeyOf, mapValueOf, scopeDigest } from '../codec/state.ts';
import { decodeLeaf, decodeTransaction } from '../codec/transaction.ts';
import { appendLeaves, type Frontier, frontierRoot, leafHash, sameFrontier } from '../merkle/log.ts';
import { type MapProof, verifyMapProof } from '../merkle/map.ts';
import type { Header } from '../types/chain.ts';
import type { LogEntry } from '../types/state.ts';
import type { Leaf, Transaction } from '../types/transaction.ts';

export interface LogItem {
  /** Encoded leaf. */
  readonly leaf: Uint8Array;
  /** Encoded `SignedTransaction` with this scope's parts only; a part may be null where it was deleted. */
  readonly transaction: Uint8Array;
}

/** What a source says of one log at a certified header. */
export interface LogUpdate {
  readonly logId: LogId;
  readonly entry: LogEntry;
  readonly mapProof: MapProof;
  /** Encoded scope state, which hashes to `entry.digest`; null when the source leaves it out. */
  readonly state: Uint8Array | null;
  /** Position of the first item. */
  readonly from: number;
  /** Of the leaves [0, from). */
  readonly frontier: Frontier;
  /** The leaves [from, entry.size), all of them. */
  readonly items: readonly LogItem[];
}

/** What the verifier holds of the log already. */
export interface KnownLog {
  readonly frontier: Frontier;
  /**
   * First position that the verifier may read, when it holds nothing yet; 0 when left out. Whoever takes a source's word
   * for it compares it with its `Participant.startPosition` in the verified state afterwards.
   */
  readonly startPosition?: number;
}

export interface VerifiedItem {
  readonly leaf: Leaf;
  readonly leafHash: Hash;
  readonly transaction: Transaction;
}

/** The verified leaves of the log from `from` on, up to the header. */
export interface VerifiedLog {
  readonly logId: LogId;
  readonly entry: LogEntry;
  readonly state: Uint8Array | null;
  readonly from: number;
  /** Up to the last item: what the next update goes on from. */
  readonly frontier: Frontier;
  readonly items: readonly VerifiedItem[];
}

/** The header's map says exactly this about the log. */
export function checkLogEntry(
  sha256: Sha256,
  header: Header,
  logId: LogId,
  entry: LogEntry,
  proof: MapProof,
): Reject | null {
  const value = mapValueOf(sha256, entry);
  if (verifyMapProof(sha256, header.mapRoot, mapKeyOf(sha256, logId), value, proof)) return null;
  return reject('bad_map_proof', `log ${logId} at height ${header.height}`);
}

/** The header's map has no such log. */
export function checkLogAbsent(sha256: Sha256, header: Header, logId: LogId, proof: MapProof): Reject | null {
  if (verifyMapProof(sha256, header.mapRoot, mapKeyOf(sha256, logId), null, proof)) return null;
  return reject('bad_map_proof', `absence of log ${logId} at height ${header.height}`);
}

/** The transaction belongs to this leaf and this log, and brings no part of another scope. */
function checkItem(header: Header, logId: LogId, leaf: Leaf, transaction: Transaction): Reject | null {
  const { body, signed } = transaction;
  if (transaction.id !== leaf.transactionId) {
    return reject('wrong_transaction', 'the leaf names another transaction');
  }
  if (body.chainId !== header.chainId) return reject('wrong_chain', 'transaction of another chain');
  const scope = body.scopes.indexOf(logId);
  // A revocation stands in the logs of the member's phases too, which its body does not name.
  if (scope < 0 && !HOLDER_ENDING_KINDS.has(body.kind)) {
    return reject('foreign_transaction', 'the transaction does not name this log');
  }
  const foreign = body.parts.some((part, index) => part.scope !== scope && signed.parts[index] !== null);
  return foreign ? reject('foreign_part', 'carries a part of another scope') : null;
}

/** One item at its place. Whether it was there is decided by the root, later. */
export function readLogItem(
  sha256: Sha256,
  header: Header,
  logId: LogId,
  position: number,
  item: LogItem,
): VerifiedItem | Reject {
  const leaf = decodeLeaf(item.leaf);
  if (isReject(leaf)) return leaf;
  // [78] The leaf names its log, so a leaf of another phase fails before any hashing.
  if (leaf.logId !== logId) return reject('foreign_leaf', `leaf of log ${leaf.logId}`);
  if (leaf.position !== position) {
    return reject('reordered', `leaf ${leaf.position} at position ${position}`);
  }
  if (leaf.height > header.height) return reject('future_leaf', `of height ${leaf.height}`);
  const transaction = decodeTransaction(sha256, item.transaction);
  if (isReject(transaction)) return transaction;
  const fault = checkItem(header, logId, leaf, transaction);
  return fault ?? { leaf, leafHash: leafHash(sha256, item.leaf), transaction };
}

/** The update goes on exactly where the verifier stands. */
function checkStart(known: KnownLog, update: LogUpdate): Reject | null {
  const { frontier, startPosition = 0 } = known;
  const start = frontier.size > 0 ? frontier.size : startPosition;
  if (update.from !== start || update.frontier.size !== start) {
    return reject('wrong_start', `update from ${update.from}, expected ${start}`);
  }
  // What is held already is the verifier's own truth: a source that shows another past has forked the log.
  if (frontier.size > 0 && !sameFrontier(frontier, update.frontier)) {
    return reject('log_forked', `another history of ${start} leaves`);
  }
  return null;
}

function checkCount(update: LogUpdate): Reject | null {
  const missing = update.entry.size - update.from - update.items.length;
  if (missing > 0) return reject('withheld', `${missing} leaves are missing`);
  return missing < 0 ? reject('invented', `${-missing} leaves too many`) : null;
}

function checkState(sha256: Sha256, update: LogUpdate): Reject | null {
  if (update.state === null || scopeDigest(sha256, update.state) === update.entry.digest) return null;
  return reject('wrong_state', `state of log ${update.logId} does not match its digest`);
}

function readItems(sha256: Sha256, header: Header, update: LogUpdate): VerifiedItem[] | Reject {
  const items: VerifiedItem[] = [];
  for (const [index, item] of update.items.entries()) {
    const position = update.from + index;
    const checked = readLogItem(sha256, header, update.logId, position, item);
    if (isReject(checked)) return reject(checked.reject, `leaf ${position}: ${checked.detail}`);
    items.push(checked);
  }
  return items;
}

/** The items at their places, and the frontier they lead to; the caller compares it with the certified root. */
function followItems(sha256: Sha256, header: Header, update: LogUpdate): VerifiedLog | Reject {
  const items = readItems(sha256, header, update);
  if (isReject(items)) return items;
  const { logId, entry, state, from } = update;
  const hashes = items.map(item => item.leafHash);
  return { logId, entry, state, from, frontier: appendLeaves(sha256, update.frontier, hashes), items };
}

/**
 * Verifies that an update holds every leaf of a log up to a certified header, and nothing else [77] [78]. Authors are
 * checked apart (`checkAuthorship`), because that needs the system scope.
 */
export function checkLogUpdate(
  suite: Suite,
  header: Header,
  known: KnownLog,
  update: LogUpdate,
): VerifiedLog | Reject {
  const { sha256 } = suite;
  const { logId, entry } = update;
  const fault =
    checkStart(known, update) ??
    checkLogEntry(sha256, header, logId, entry, update.mapProof) ??
    checkCount(update) ??
    checkState(sha256, update);
  if (fault !== null) return fault;
  const log = followItems(sha256, header, update);
  if (isReject(log) || frontierRoot(sha256, log.frontier) === entry.root) return log;
  return reject('wrong_root', `the leaves of log ${logId} are not those of height ${header.height}`);
}
