import { concatBytes } from '../base/bytes.ts';
import type { Hash, Sha256, Suite } from '../base/ids.ts';
import { batchLeaf } from '../codec/build.ts';
import { transactionSigningBytes } from '../codec/transaction.ts';
import { nodeHash } from '../merkle/log.ts';
import { LIMITS } from '../types/limits.ts';
import type { BatchPath, Transaction } from '../types/transaction.ts';
import { BatchTrees } from './batch-trees.ts';

/** Signature trees that are remembered with their nodes: some 20 KiB each. */
const TREES_MAX = 256;

/** The verdict on a transaction's signature; shells bring one that remembers what the pool has verified. */
export type VerifyTransaction = (transaction: Transaction, publicKey: Uint8Array) => boolean;

/** RFC 9162 section 2.1.1, from the top: the last hash of a path is the sibling below the root. */
function climb(sha256: Sha256, leaf: Hash, index: number, size: number, path: readonly Hash[]): Hash | null {
  if (size === 1) return path.length === 0 ? leaf : null;
  const sibling = path.at(-1);
  if (sibling === undefined) return null;
  let split = 1;
  while (split * 2 < size) split *= 2;
  const below = path.slice(0, -1);
  if (index < split) {
    const left = climb(sha256, leaf, index, split, below);
    return left === null ? null : nodeHash(sha256, left, sibling);
  }
  const right = climb(sha256, leaf, index - split, size - split, below);
  return right === null ? null : nodeHash(sha256, sibling, right);
}

/** The root that the signature must cover; null when the path does not have the one length that index and size allow. */
export function batchRoot(sha256: Sha256, id: Hash, batch: BatchPath): Hash | null {
  const { treeSize, index, path } = batch;
  if (treeSize < 1 || treeSize > LIMITS.batchTreeSize || index >= treeSize) return null;
  return climb(sha256, batchLeaf(sha256, id), index, treeSize, path);
}

function verifyRoot(suite: Suite, { body, signed }: Transaction, publicKey: Uint8Array, root: Hash): boolean {
  const bytes = transactionSigningBytes(body.chainId, body.keyId, signed.batch.treeSize, root);
  return suite.verify(publicKey, bytes, signed.signature);
}

/** One rule on every node [92]: exact batch path, then ECDSA over (tag, chain id, key id, tree size, root). */
export function verifyTransactionSignature(
  suite: Suite,
  transaction: Transaction,
  publicKey: Uint8Array,
): boolean {
  const root = batchRoot(suite.sha256, transaction.id, transaction.signed.batch);
  return root !== null && verifyRoot(suite, transaction, publicKey, root);
}

/**
 * The same verdict with less work for transactions that were signed together (`BatchTrees`).
 * @param suite one that remembers signatures spares more
 */
export function createTreeVerifier(suite: Suite): VerifyTransaction {
  const trees = new BatchTrees(suite.sha256, TREES_MAX);
  return (transaction, publicKey) => {
    if (trees.knows(transaction, publicKey)) return true;
    const root = batchRoot(suite.sha256, transaction.id, transaction.signed.batch);
    if (root === null || !verifyRoot(suite, transaction, publicKey, root)) return false;
    trees.add(transaction, publicKey, root);
    return true;
  };
}

/**
 * A verdict function that checks the signature of each batch once: transactions signed together share root and signature.
 * Only valid signatures are remembered, so a flood of bad ones cannot push them out.
 * @param entriesMax signatures that are remembered; the oldest leaves first
 */
export function createTransactionVerifier(suite: Suite, entriesMax: number): VerifyTransaction {
  const valid = new Set<Hash>();
  const remembering: Suite = {
    ...suite,
    verify: (publicKey, bytes, signature) => {
      const key = suite.sha256(concatBytes(publicKey, signature, bytes));
      if (valid.has(key)) return true;
      if (!suite.verify(publicKey, bytes, signature)) return false;
      if (valid.size >= entriesMax) for (const oldest of valid.keys()) if (valid.delete(oldest)) break;
      valid.add(key);
      return true;
    },
  };
  return createTreeVerifier(remembering);
}
