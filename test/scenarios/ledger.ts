import { utf8 } from '../../src/core/base/bytes.ts';
import type { TransactionId } from '../../src/core/base/ids.ts';
import type { Validator, ValidatorSet } from '../../src/core/types/chain.ts';
import { simulatedKey, simulatedSuite } from '../simulation/suite.ts';
import { type MadeBlock, makeBlock as makeToyBlock, type Parent } from '../support/toy-ledger.ts';

export const suite = simulatedSuite;
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

/** `n3`; `n3~1` is the same node by another key. */
export function validatorNamed(key: string): Validator {
  const name = key.replace(/~.*/, '');
  return { name, publicKey: simulatedKey(key), peerId: `peer-${name}` };
}

/** `set(n0,n1)` brings in these validators. */
function validatorsOf(name: string): Validator[] | null {
  const listed = /^set\((.*)\)$/.exec(name)?.[1];
  return listed === undefined ? null : listed.split(',').map(validatorNamed);
}

/** Execution: the result is the chain of names. */
export function makeBlock(
  parent: Parent,
  set: ValidatorSet,
  startHeight: number,
  transactions: readonly string[],
  timeMs = parent.header.timeMs + BLOCK_STEP_MS,
): MadeBlock {
  const change = transactions.map(validatorsOf).find(found => found !== null) ?? null;
  return makeToyBlock(parent, set, startHeight, timeMs, transactions.map(transactionId), change);
}
