import type { Hash, Sha256, Suite } from '../base/ids.ts';
import { isReject, type Reject, reject } from '../base/reject.ts';
import { decodeTransaction, encodeLeaf } from '../codec/transaction.ts';
import type { VerifyTransaction } from '../ledger/signature.ts';
import { checkAuthorship } from '../light/authorship.ts';
import { appendLeaves, type Frontier, frontierRoot, leafHash, verifyConsistency } from '../merkle/log.ts';
import type { NewLeaf, SystemState } from '../types/state.ts';
import type { LeavesPart, LeavesSegment } from './chunks.ts';

export interface CheckedLeaves {
  readonly leaves: readonly NewLeaf[];
  /** Of the leaves up to the last one here. */
  readonly end: Frontier;
}

/**
 * The leaves stand at these places of the log whose root the snapshot's header certifies. A segment is verified by itself, so
 * that segments of one log come from several sources at once.
 * @param root of the first `segment.size` leaves
 */
export function checkLeaves(
  sha256: Sha256,
  segment: LeavesSegment,
  root: Hash,
  part: LeavesPart,
): CheckedLeaves | Reject {
  const { logId, from, to, size } = segment;
  const { frontier, consistency } = part;
  if (part.logId !== logId || frontier.size !== from) return reject('wrong_answer', `log ${part.logId}`);
  const count = part.leaves.length;
  if (count === 0 || count > to - from) return reject('wrong_answer', `${count} leaves of ${to - from}`);
  const leaves = part.leaves.map((sent, index): NewLeaf => {
    const position = from + index;
    const leaf = encodeLeaf({ ...sent, logId, position });
    return { logId, position, leaf, leafHash: leafHash(sha256, leaf), transactionId: sent.transactionId };
  });
  const end = appendLeaves(
    sha256,
    frontier,
    leaves.map(leaf => leaf.leafHash),
  );
  const claim = { first: end.size, firstRoot: frontierRoot(sha256, end), second: size, secondRoot: root };
  if (!verifyConsistency(sha256, { ...claim, path: consistency })) {
    return reject('wrong_root', `leaves ${from} to ${end.size} of log ${logId}`);
  }
  return { leaves, end };
}

/**
 * The transactions of system leaves: the right ones, whole, and signed by their senders, so that whoever takes them over can
 * serve them to light nodes.
 */
export function checkSystemBodies(
  suite: Suite,
  system: SystemState,
  part: LeavesPart,
  leaves: readonly NewLeaf[],
  verify: VerifyTransaction,
): Reject | null {
  if (part.transactions.length !== leaves.length) return reject('wrong_answer', 'a transaction is missing');
  for (const [index, { logId, position }] of leaves.entries()) {
    const transaction = decodeTransaction(suite.sha256, part.transactions[index]!);
    if (isReject(transaction)) return transaction;
    if (transaction.signed.parts.includes(null)) return reject('parts_missing', transaction.id);
    const leaf = { ...part.leaves[index]!, logId, position };
    const fault = checkAuthorship(suite, system, leaf, transaction, verify);
    if (fault !== null) return fault;
  }
  return null;
}
