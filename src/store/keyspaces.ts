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
  /** The consensus key and the log that belong to this database. */
  signing: 'meta/signing',
  block: (height: number) => `block/${ordered(height)}`,
  /** Encoded `SignedTransaction`, by wrapper hash. */
  wrapper: (wrapperHash: Hash) => `tx/${wrapperHash}`,
  /** Height, index, outcome, wrapper hash. Tells too whether an id was used within the replay window. */
  location: (id: TransactionId) => `at/${id}`,
  logSize: (logId: LogId) => `size/${logId}`,
  leaf: (logId: LogId, position: number) => `leaf/${logId}/${ordered(position)}`,
  leafHashPage: (logId: LogId, page: number) => `hashes/${logId}/${ordered(page)}`,
  state: (key: string) => `state/${key}`,
  /** Height at which the node was added last, and the node. */
  mapNode: (hash: Hash) => `node/${hash}`,
  /** Nodes that a height made unreachable. */
  staleNodes: (height: number) => `stale/${ordered(height)}`,
  /** Ids and wrapper hashes that were stored ahead of their block in one write while `height` was the head. */
  ahead: (height: number, write: string) => `ahead/${ordered(height)}/${write}`,
} as const;

/** [from, to) of the heights below `height`. */
export function below(prefix: 'stale' | 'ahead', height: number): { from: string; to: string } {
  return { from: `${prefix}/`, to: `${prefix}/${ordered(Math.max(0, height))}` };
}
