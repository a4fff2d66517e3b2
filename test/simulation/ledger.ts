import { utf8 } from '../../src/core/base/bytes.ts';
import { type BlockHash, type Hash, type TransactionId, ZERO_HASH } from '../../src/core/base/ids.ts';
import { type Reject, reject } from '../../src/core/base/reject.ts';
import { encodeBlockEntryLeaf, headerHash, validatorSetHash } from '../../src/core/codec/chain.ts';
import { leafHash, treeRoot } from '../../src/core/merkle/log.ts';
import type { Block, Header, ValidatorSet } from '../../src/core/types/chain.ts';
import { simulatedSuite as suite } from './suite.ts';

export const CHAIN_ID = suite.sha256(utf8('simulated chain'));
export const CLOCK_DRIFT_MS = 250;
const TRANSACTIONS_PER_BLOCK = 4;

/** A transaction of the simulation: an id, and for a change of the validator set its new members. */
export interface SimulatedTransaction {
  readonly id: TransactionId;
  readonly validators: ValidatorSet['validators'] | null;
}

/** All transactions that were ever submitted: bodies are always at hand, their transport is not simulated. */
export type Submitted = Map<TransactionId, SimulatedTransaction>;

export function genesisHeader(set: ValidatorSet): Header {
  const setHash = validatorSetHash(suite.sha256, set);
  return {
    version: 1,
    chainId: CHAIN_ID,
    height: 0,
    parentHash: ZERO_HASH,
    timeMs: 0,
    transactionsRoot: treeRoot(suite.sha256, []),
    mapRoot: ZERO_HASH,
    validatorSetId: set.id,
    validatorSetHash: setHash,
    nextValidatorSetHash: setHash,
    previousSetChangeHeight: 0,
  };
}

export interface Executed {
  readonly block: Block;
  readonly hash: BlockHash;
  readonly nextSet: ValidatorSet | null;
}

/** The whole of execution: fold the ids into a root; a block that changes the set holds that transaction alone. */
export function makeBlock(
  submitted: Submitted,
  parent: { readonly header: Header; readonly hash: BlockHash },
  set: ValidatorSet,
  startHeight: number,
  timeMs: number,
  ids: readonly TransactionId[],
): Executed | Reject {
  const { sha256 } = suite;
  const change = ids.map(id => submitted.get(id)?.validators ?? null).find(found => found !== null) ?? null;
  if (ids.length === 0 || ids.length > TRANSACTIONS_PER_BLOCK) return reject('size', 'block size');
  if (change !== null && ids.length > 1) return reject('mixed', 'a change of the set stands alone');
  if (ids.some(id => !submitted.has(id))) return reject('unknown', 'a transaction that nobody submitted');
  const entries = ids.map(id => ({ id, wrapperHash: id, outcome: 0 }));
  const setHash = validatorSetHash(sha256, set);
  const nextSet = change === null ? null : { id: set.id + 1, validators: change };
  const header: Header = {
    version: 1,
    chainId: CHAIN_ID,
    height: parent.header.height + 1,
    parentHash: parent.hash,
    timeMs,
    transactionsRoot: treeRoot(
      sha256,
      entries.map(entry => leafHash(sha256, encodeBlockEntryLeaf(entry))),
    ),
    mapRoot: ids.reduce<Hash>((root, id) => sha256(utf8(root + id)), parent.header.mapRoot),
    validatorSetId: set.id,
    validatorSetHash: setHash,
    nextValidatorSetHash: nextSet === null ? setHash : validatorSetHash(sha256, nextSet),
    previousSetChangeHeight: startHeight,
  };
  return { block: { header, entries }, hash: headerHash(sha256, header), nextSet };
}

/** The first transactions of the pool that fit into one block. */
export function pickTransactions(
  pool: Iterable<SimulatedTransaction>,
  excluded: ReadonlySet<TransactionId>,
): TransactionId[] {
  const picked: TransactionId[] = [];
  for (const { id, validators } of pool) {
    if (excluded.has(id)) continue;
    if (validators !== null && picked.length > 0) continue;
    picked.push(id);
    if (validators !== null || picked.length === TRANSACTIONS_PER_BLOCK) break;
  }
  return picked;
}
