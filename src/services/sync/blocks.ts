import { type Reject, reject } from '../../core/base/reject.ts';
import type { ChainStore } from '../../ports/chain-store.ts';
import { type BlocksAnswer, type BlocksQuery, SYNC_WIRE_LIMITS, type SyncBlock } from '../../wire/sync.ts';
import type { SyncLimits } from './limits.ts';

/** A peer that says it has the block must send it, and from the height that was asked (SCENARIOS 53). */
export function checkBlocksAnswer(answer: BlocksAnswer, fromHeight: number): Reject | null {
  const { blocks, headHeight, bodiesFrom } = answer;
  if (blocks.length === 0 && headHeight >= fromHeight && bodiesFrom <= fromHeight) {
    return reject('withheld', `head ${headHeight}, but no block ${fromHeight}`);
  }
  for (const [index, { block }] of blocks.entries()) {
    if (block.header.height !== fromHeight + index)
      return reject('wrong_height', `block ${fromHeight + index}`);
  }
  return null;
}

export function readBlocks(
  store: ChainStore,
  headHeight: number,
  query: BlocksQuery,
  limits: SyncLimits,
): SyncBlock[] {
  const blocksMax = Math.min(query.blocksMax, limits.blocksPerRequest, SYNC_WIRE_LIMITS.blocksPerAnswer);
  const bytesMax = Math.min(query.bytesMax, limits.answerBytesTarget);
  const blocks: SyncBlock[] = [];
  let bytes = 0;
  // Genesis has no certificate and is in every node's configuration.
  for (let height = Math.max(1, query.fromHeight); height <= headHeight; height += 1) {
    if (blocks.length >= blocksMax || bytes >= bytesMax) break;
    const block = readBlock(store, height);
    if (block === null) break;
    const size = block.transactions.reduce((sum, body) => sum + body.length, 0);
    if (blocks.length > 0 && bytes + size > bytesMax) break;
    blocks.push(block);
    bytes += size;
  }
  return blocks;
}

/** Null when the block or one of its bodies is no longer here. */
export function readBlock(store: ChainStore, height: number): SyncBlock | null {
  const stored = store.block(height);
  if (stored === null || stored.certificate === null) return null;
  const transactions: Uint8Array[] = [];
  for (const { id } of stored.block.entries) {
    const bytes = store.transaction(id);
    if (bytes === null) return null;
    transactions.push(bytes);
  }
  return { block: stored.block, certificate: stored.certificate, transactions };
}
