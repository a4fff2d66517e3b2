import type { BlockHash, Hash, Suite } from '../base/ids.ts';
import { isReject, type Reject } from '../base/reject.ts';
import { decodeTransaction } from '../codec/transaction.ts';
import type { Block } from '../types/chain.ts';
import type { Diff, Genesis, StateView } from '../types/state.ts';
import type { Transaction } from '../types/transaction.ts';
import { executeBlock, type ParentBlock } from './execute.ts';
import { genesisBlock } from './genesis.ts';

/** What a stored chain says; every answer is checked. */
export interface StoredChain {
  /** Height of the newest block. */
  readonly height: number;
  block(height: number): { readonly block: Block; readonly hash: BlockHash } | null;
  /** Encoded `SignedTransaction`. */
  transaction(id: Hash): Uint8Array | null;
}

/** Where replay builds its own state; starts empty, and `view` shows what was applied so far. */
export interface ReplayTarget {
  readonly view: StateView;
  apply(diff: Diff): void;
}

/** The first difference between what is stored and what execution gives. */
export interface Difference {
  readonly height: number;
  /** `missing_block`, `missing_transaction`, `bad_transaction`, `wrong_entry`, `wrong_header`, `wrong_hash`, or the code of a block's Reject. */
  readonly code: string;
  readonly detail: string;
}

export type ReplayStep =
  | { readonly height: number; readonly hash: BlockHash; readonly difference: null }
  | { readonly height: number; readonly hash: null; readonly difference: Difference };

function isDifference(value: object): value is Difference {
  return 'code' in value;
}

function transactionsOf(suite: Suite, chain: StoredChain, block: Block): Transaction[] | Difference {
  const { height } = block.header;
  const transactions: Transaction[] = [];
  for (const { id } of block.entries) {
    const bytes = chain.transaction(id);
    if (bytes === null) return { height, code: 'missing_transaction', detail: id };
    const transaction = decodeTransaction(suite.sha256, bytes);
    if (isReject(transaction)) return { height, code: 'bad_transaction', detail: transaction.detail };
    if (transaction.id !== id) return { height, code: 'bad_transaction', detail: `${id} is stored wrongly` };
    transactions.push(transaction);
  }
  return transactions;
}

/** Names the field or entry, so that an operator sees what kind of damage it is. */
function compareBlocks(height: number, stored: Block, computed: Block): Difference | null {
  for (const [index, entry] of computed.entries.entries()) {
    const other = stored.entries[index];
    const same = other?.wrapperHash === entry.wrapperHash && other.outcome === entry.outcome;
    if (!same) return { height, code: 'wrong_entry', detail: `transaction ${entry.id}` };
  }
  for (const field of Object.keys(computed.header) as (keyof Block['header'])[]) {
    const [found, expected] = [stored.header[field], computed.header[field]];
    if (found !== expected) {
      return { height, code: 'wrong_header', detail: `${field} is ${found}, execution gives ${expected}` };
    }
  }
  return null;
}

function executed(
  suite: Suite,
  chain: StoredChain,
  view: StateView,
  parent: ParentBlock,
  stored: Block,
): ReturnType<typeof genesisBlock> | Difference {
  const transactions = transactionsOf(suite, chain, stored);
  if (!Array.isArray(transactions)) return transactions;
  const result: ReturnType<typeof executeBlock> = executeBlock(suite, view, parent, {
    timeMs: stored.header.timeMs,
    transactions,
  });
  return isReject(result) ? rejected(parent.header.height + 1, result) : result;
}

function rejected(height: number, fault: Reject): Difference {
  return { height, code: fault.reject, detail: fault.detail };
}

/**
 * Re-executes a stored chain from genesis with every signature checked [12]: one step a height, the last of which may
 * name the first difference. Certificates are the light verifier's business.
 */
export function* replayChain(
  suite: Suite,
  genesis: Genesis,
  chain: StoredChain,
  target: ReplayTarget,
): Generator<ReplayStep, void> {
  let parent: ParentBlock | null = null;
  for (let height = 0; height <= chain.height; height += 1) {
    const stored = chain.block(height);
    if (stored === null) {
      yield { height, hash: null, difference: { height, code: 'missing_block', detail: `block ${height}` } };
      return;
    }
    const result: ReturnType<typeof executed> =
      parent === null
        ? genesisBlock(suite, genesis)
        : executed(suite, chain, target.view, parent, stored.block);
    const difference = isDifference(result) ? result : differenceOf(height, stored, result);
    if (difference !== null || isDifference(result)) {
      yield { height, hash: null, difference: difference as Difference };
      return;
    }
    target.apply(result.diff);
    parent = { header: result.block.header, hash: result.hash };
    yield { height, hash: result.hash, difference: null };
  }
}

function differenceOf(
  height: number,
  stored: { readonly block: Block; readonly hash: BlockHash },
  result: { readonly block: Block; readonly hash: BlockHash },
): Difference | null {
  const difference = compareBlocks(height, stored.block, result.block);
  if (difference !== null) return difference;
  if (stored.hash === result.hash) return null;
  return { height, code: 'wrong_hash', detail: `stored ${stored.hash}, computed ${result.hash}` };
}
