import { utf8 } from '../../src/core/base/bytes.ts';
import { type BlockHash, type Hash, type TransactionId, ZERO_HASH } from '../../src/core/base/ids.ts';
import { encodeBlockEntryLeaf, headerHash, validatorSetHash } from '../../src/core/codec/chain.ts';
import { leafHash, treeRoot } from '../../src/core/merkle/log.ts';
import type { Block, Header, Validator, ValidatorSet } from '../../src/core/types/chain.ts';
import { simulatedKey, simulatedSuite } from '../simulation/suite.ts';

export const suite = simulatedSuite;
export const CHAIN_ID = suite.sha256(utf8('the chain of the transcripts'));
/** A block's time may be this far ahead of a node's clock. */
export const CLOCK_DRIFT_MS = 250;
const BLOCK_STEP_MS = 10;

/** Transactions are names; the names of a whole transcript, by id. */
const names = new Map<TransactionId, string>();

export function transactionId(name: string): TransactionId {
  const id = suite.sha256(utf8(`transaction ${name}`)) as unknown as TransactionId;
  names.set(id, name);
  return id;
}

export function transactionName(id: TransactionId): string {
  return names.get(id) ?? '?';
}

export function validatorNamed(name: string): Validator {
  return { name, publicKey: simulatedKey(name), peerId: `peer-${name}` };
}

/** `set(n0,n1)` brings in these validators. */
function validatorsOf(name: string): Validator[] | null {
  const listed = /^set\((.*)\)$/.exec(name)?.[1];
  return listed === undefined ? null : listed.split(',').map(validatorNamed);
}

export interface Parent {
  readonly header: Header;
  readonly hash: BlockHash;
}

export interface Made {
  readonly block: Block;
  readonly hash: BlockHash;
  readonly nextSet: ValidatorSet | null;
}

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

/** Execution: the result is the chain of names. */
export function makeBlock(
  parent: Parent,
  set: ValidatorSet,
  startHeight: number,
  transactions: readonly string[],
  timeMs = parent.header.timeMs + BLOCK_STEP_MS,
): Made {
  const { sha256 } = suite;
  const entries = transactions.map(name => {
    const id = transactionId(name);
    return { id, wrapperHash: id, outcome: 0 };
  });
  const change = transactions.map(validatorsOf).find(found => found !== null) ?? null;
  const nextSet = change === null ? null : { id: set.id + 1, validators: change };
  const leaves = entries.map(entry => leafHash(sha256, encodeBlockEntryLeaf(entry)));
  const header: Header = {
    version: 1,
    chainId: CHAIN_ID,
    height: parent.header.height + 1,
    parentHash: parent.hash,
    timeMs,
    transactionsRoot: treeRoot(sha256, leaves),
    mapRoot: transactions.reduce<Hash>((root, name) => sha256(utf8(root + name)), parent.header.mapRoot),
    validatorSetId: set.id,
    validatorSetHash: validatorSetHash(sha256, set),
    nextValidatorSetHash: validatorSetHash(sha256, nextSet ?? set),
    previousSetChangeHeight: startHeight,
  };
  return { block: { header, entries }, hash: headerHash(sha256, header), nextSet };
}
