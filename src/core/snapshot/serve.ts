import { assert } from '../base/assert.ts';
import type { Hash, LogId, Sha256 } from '../base/ids.ts';
import { isReject } from '../base/reject.ts';
import { decodeLeaf } from '../codec/transaction.ts';
import { type SubtreeMemory, Subtrees } from '../merkle/subtrees.ts';
import type { CertifiedBlock, LeavesPart, LeavesSegment, SnapshotLeaf } from './chunks.ts';

/** The committed chain, as far as serving needs it. */
export interface ServedLogs {
  logSize(logId: LogId): number;
  leaves(
    logId: LogId,
    from: number,
    to: number,
    limit: number,
  ): readonly { readonly leaf: Uint8Array; readonly transactionId: Hash }[];
  leafHashes(logId: LogId, from: number, to: number): readonly Hash[];
  /** Encoded wrapper; null when it is not here. */
  transaction(id: Hash): Uint8Array | null;
}

/** Bytes of a leaf on the wire. */
const LEAF_BYTES = 50;

/**
 * Cuts leaves out of logs, as many as fit, at least one.
 * @param systemLog the log whose transactions go along
 * @param memory subtree roots of a log that are remembered
 * @returns null when something asked for is not here
 */
export function cutLeaves(
  sha256: Sha256,
  logs: ServedLogs,
  systemLog: LogId,
  segments: readonly LeavesSegment[],
  bytesMax: number,
  memory: (logId: LogId) => SubtreeMemory,
): LeavesPart[] | null {
  const parts: LeavesPart[] = [];
  let left = bytesMax;
  for (const { logId, from, to, size } of segments) {
    if (left <= 0 && parts.length > 0) break;
    if (size > logs.logSize(logId)) return null;
    const leaves: SnapshotLeaf[] = [];
    const transactions: Uint8Array[] = [];
    for (const { leaf, transactionId } of logs.leaves(logId, from, to, to - from)) {
      if (left <= 0 && leaves.length > 0) break;
      const decoded = decodeLeaf(leaf);
      assert(!isReject(decoded), 'a stored leaf decodes');
      const { height, timeMs, outcome } = decoded;
      if (logId === systemLog) {
        const body = logs.transaction(transactionId);
        if (body === null) return null;
        transactions.push(body);
        left -= body.length;
      }
      leaves.push({ height, timeMs, transactionId, outcome });
      left -= LEAF_BYTES;
    }
    const tree = new Subtrees(sha256, (first, end) => logs.leafHashes(logId, first, end), memory(logId));
    const consistency = tree.consistencyProof(from + leaves.length, size);
    parts.push({ logId, frontier: tree.frontier(from), leaves, consistency, transactions });
  }
  return parts;
}

/** Bytes of a block's header and certificate on the wire, about; and of an entry. */
const BLOCK_BYTES = 1024;
const ENTRY_BYTES = 66;

/** Blocks [from, to) without their transactions, as many as fit; empty when the first is not here. */
export function cutBlocks(
  block: (height: number) => CertifiedBlock | null,
  from: number,
  to: number,
  bytesMax: number,
): CertifiedBlock[] {
  const blocks: CertifiedBlock[] = [];
  let left = bytesMax;
  for (let height = from; height < to && (left > 0 || blocks.length === 0); height += 1) {
    const found = block(height);
    if (found === null) break;
    blocks.push(found);
    left -= BLOCK_BYTES + ENTRY_BYTES * found.block.entries.length;
  }
  return blocks;
}
