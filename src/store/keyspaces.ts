import type { Hash, LogId, TransactionId } from '../core/base/ids.ts';

/**
 * Every key that the chain store writes, in one place. Numbers are decimal and padded to the 16 digits of 2^53 − 1, so that
 * keys sort as numbers do.
 */
const DIGITS = 16;

export function ordered(number: number): string {
  return String(number).padStart(DIGITS, '0');
}

/** Entries of the leaf-hash page that stand under one key: one read serves a stretch of a proof. */
export const LEAF_HASHES_PER_PAGE = 64;

export const keys = {
  /** Height of the last committed block. */
  head: 'meta/head',
  /** The generation of the state, and what is held of the past. */
  history: 'meta/history',
  /** Lowest height whose transactions are all here. */
  bodiesFrom: 'meta/bodies',
  /** The consensus key and the log that belong to this database. */
  signing: 'meta/signing',
  /** The state is damaged or suspected to be, and the height that it must have again. */
  rebuild: 'meta/rebuild',
  block: (height: number) => `block/${ordered(height)}`,
  /** A certified header that changed the validator set, with the set that it brought in. */
  setChange: (height: number) => `set/${ordered(height)}`,
  /** Encoded `SignedTransaction`, by wrapper hash. */
  wrapper: (wrapperHash: Hash) => `tx/${wrapperHash}`,
  /** Encoded `SignedTransaction` by id, where its block is not here. */
  body: (id: TransactionId) => `body/${id}`,
  /** Height, index, outcome, wrapper hash. Tells too whether an id was used within the replay window. */
  location: (id: TransactionId) => `at/${id}`,
  leaf: (logId: LogId, position: number) => `leaf/${logId}/${ordered(position)}`,
  leafHashPage: (logId: LogId, page: number) => `hashes/${logId}/${ordered(page)}`,
  // What a snapshot replaces as a whole stands in a generation of its own.
  logSize: (generation: number, logId: LogId) => `size/${generation}/${logId}`,
  state: (generation: number, key: string) => `state/${generation}/${key}`,
  /** Height at which the node was added last, and the node. */
  mapNode: (generation: number, hash: Hash) => `node/${generation}/${hash}`,
  /** Nodes that a height made unreachable. */
  staleNodes: (generation: number, height: number) => `stale/${generation}/${ordered(height)}`,
  /** Ids and wrapper hashes that were stored ahead of their block in one write while `height` was the head. */
  ahead: (height: number, write: string) => `ahead/${ordered(height)}/${write}`,
  /** Leaves of a log that are here ahead of a snapshot that is being fetched. */
  staged: (logId: LogId) => `staged/${logId}`,
  /** A snapshot that this node serves, complete. */
  served: (height: number) => `served/${ordered(height)}`,
  servedEntry: (height: number, mapKey: Hash) => `snapshot/${ordered(height)}/${mapKey}/entry`,
  servedState: (height: number, mapKey: Hash) => `snapshot/${ordered(height)}/${mapKey}/state`,
} as const;

export interface KeyRange {
  readonly from: string;
  readonly to: string;
}

/** All keys that begin with this; keys are ASCII. */
export function startingWith(prefix: string): KeyRange {
  return { from: prefix, to: `${prefix}~` };
}

/** All that stands in a generation. */
export function generationRanges(generation: number): KeyRange[] {
  return ['size', 'state', 'node', 'stale'].map(room => startingWith(`${room}/${generation}/`));
}

/** [from, to) of the heights below `height`. */
export function staleBelow(generation: number, height: number): KeyRange {
  return { from: `stale/${generation}/`, to: `stale/${generation}/${ordered(Math.max(0, height))}` };
}

export function aheadBelow(height: number): KeyRange {
  return { from: 'ahead/', to: `ahead/${ordered(Math.max(0, height))}` };
}
