import { utf8 } from '../../src/core/base/bytes.ts';
import { type BlockHash, type Hash, type TransactionId, ZERO_HASH } from '../../src/core/base/ids.ts';
import { encodeBlockEntryLeaf, headerHash, validatorSetHash } from '../../src/core/codec/chain.ts';
import { leafHash, treeRoot } from '../../src/core/merkle/log.ts';
import type { Block, Header, ValidatorSet } from '../../src/core/types/chain.ts';
import { simulatedSuite as suite } from '../simulation/suite.ts';

export const CHAIN_ID = suite.sha256(utf8('simulated chain'));

export interface Parent {
  readonly header: Header;
  readonly hash: BlockHash;
}

export interface MadeBlock {
  readonly block: Block;
  readonly hash: BlockHash;
  readonly nextSet: ValidatorSet | null;
}

/** Genesis of a chain on which the engine is tested alone. */
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

/**
 * All there is of execution where the engine is tested alone: the ids, folded into a root.
 *
 * @param startHeight of the block that brought `set` in
 * @param nextValidators members of the set that this block brings in; null for none
 */
export function makeBlock(
  parent: Parent,
  set: ValidatorSet,
  startHeight: number,
  timeMs: number,
  ids: readonly TransactionId[],
  nextValidators: ValidatorSet['validators'] | null,
): MadeBlock {
  const { sha256 } = suite;
  const entries = ids.map(id => ({ id, wrapperHash: id, outcome: 0 }));
  const nextSet = nextValidators === null ? null : { id: set.id + 1, validators: nextValidators };
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
    validatorSetHash: validatorSetHash(sha256, set),
    nextValidatorSetHash: validatorSetHash(sha256, nextSet ?? set),
    previousSetChangeHeight: startHeight,
  };
  return { block: { header, entries }, hash: headerHash(sha256, header), nextSet };
}
