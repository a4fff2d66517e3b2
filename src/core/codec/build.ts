import { assert } from '../base/assert.ts';
import { hashBytes } from '../base/bytes.ts';
import type { Hash, LogId, MemberId, Sha256, TransactionId } from '../base/ids.ts';
import { inclusionProof, leafHash, treeRoot } from '../merkle/log.ts';
import { LIMITS, VERSIONS } from '../types/limits.ts';
import { KINDS, type KindName } from '../types/operation.ts';
import type { Part, SignedTransaction, TransactionBody } from '../types/transaction.ts';
import { bodyId, encodeBody, partHash, transactionSigningBytes } from './transaction.ts';

/** What a sender decides; `parts[i].scope` is an index in `scopes`. */
export interface TransactionDraft {
  readonly chainId: Hash;
  readonly sender: MemberId;
  /** Index of the sender's current key in its key history. */
  readonly keyId: number;
  readonly kind: KindName;
  readonly lastValidHeight: number;
  readonly scopes: readonly LogId[];
  /** Salts are 32 random bytes, given by the caller because core has no randomness. */
  readonly parts: readonly (Part & { readonly scope: number })[];
}

export interface BuiltTransaction {
  readonly id: TransactionId;
  readonly body: Uint8Array;
  readonly chainId: Hash;
  readonly keyId: number;
  readonly parts: readonly Part[];
}

export function buildTransaction(sha256: Sha256, draft: TransactionDraft): BuiltTransaction {
  const body: TransactionBody = {
    version: VERSIONS.transaction,
    chainId: draft.chainId,
    sender: draft.sender,
    keyId: draft.keyId,
    kind: KINDS[draft.kind],
    lastValidHeight: draft.lastValidHeight,
    scopes: draft.scopes,
    parts: draft.parts.map(part => ({ scope: part.scope, hash: partHash(sha256, part) })),
  };
  const bytes = encodeBody(body);
  return {
    id: bodyId(sha256, bytes),
    body: bytes,
    chainId: draft.chainId,
    keyId: draft.keyId,
    parts: draft.parts.map(({ salt, content }) => ({ salt, content })),
  };
}

/** The leaf of a batch tree: the id, with the RFC 9162 leaf prefix; a tree of one is hashed the same way. */
export function batchLeaf(sha256: Sha256, id: TransactionId): Hash {
  return leafHash(sha256, hashBytes(id));
}

/**
 * Signs up to 64 transactions of one sender and key with one signature (DESIGN.md section 4).
 * @param signer the sender's signing key: ECDSA P-256 over SHA-256, 64 bytes, low s
 */
export function signTransactions(
  sha256: Sha256,
  signer: { sign(bytes: Uint8Array): Uint8Array },
  batch: readonly BuiltTransaction[],
): SignedTransaction[] {
  const first = batch[0];
  if (first === undefined) return [];
  const treeSize = batch.length;
  assert(treeSize <= LIMITS.batchTreeSize, 'a signature covers at most 64 transactions');
  assert(
    batch.every(built => built.chainId === first.chainId && built.keyId === first.keyId),
    'transactions of a batch share chain and key',
  );
  const leaves = batch.map(built => batchLeaf(sha256, built.id));
  const root = treeRoot(sha256, leaves);
  const signature = signer.sign(transactionSigningBytes(first.chainId, first.keyId, treeSize, root));
  return batch.map((built, index) => ({
    body: built.body,
    parts: built.parts,
    signature,
    batch: { treeSize, index, path: inclusionProof(sha256, at => leaves[at]!, index, treeSize) },
  }));
}
