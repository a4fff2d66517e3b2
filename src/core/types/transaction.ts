import type { Hash, LogId, MemberId, TransactionId } from '../base/ids.ts';

/** The hash of one salted part, and who receives the part: the scope at `scopes[scope]`. */
export interface PartHash {
  readonly scope: number;
  readonly hash: Hash;
}

/**
 * What is hashed into the id and signed. Each scope receives the body and only its own parts, so the body holds nothing
 * that one scope may not know of another but opaque log ids.
 */
export interface TransactionBody {
  readonly version: number;
  readonly chainId: Hash;
  readonly sender: MemberId;
  /** Index of the sender's signing key in its key history. */
  readonly keyId: number;
  readonly kind: number;
  /** The last height that may contain the transaction. */
  readonly lastValidHeight: number;
  readonly scopes: readonly LogId[];
  readonly parts: readonly PartHash[];
}

/** `hash = SHA-256(tag ‖ salt ‖ content)`: content of low entropy cannot be guessed from the chain (SCENARIOS 86). */
export interface Part {
  /** 32 random bytes. */
  readonly salt: Uint8Array;
  readonly content: Uint8Array;
}

/** RFC 9162 inclusion path of the id in the tree whose root is signed; a tree of one has an empty path. */
export interface BatchPath {
  readonly treeSize: number;
  readonly index: number;
  readonly path: readonly Hash[];
}

/**
 * A transaction as it travels. `body` is kept as bytes and never encoded again to be verified. `parts[i]` belongs to
 * `body.parts[i]`, null where a scope does not receive it or where it was deleted.
 */
export interface SignedTransaction {
  readonly body: Uint8Array;
  readonly parts: readonly (Part | null)[];
  readonly signature: Uint8Array;
  readonly batch: BatchPath;
}

/** A decoded transaction with its id, as the pool and the ledger handle it. */
export interface Transaction {
  readonly id: TransactionId;
  readonly wrapperHash: Hash;
  readonly body: TransactionBody;
  readonly signed: SignedTransaction;
  /** Bytes of the encoded wrapper, for quotas and block limits. */
  readonly bytes: number;
}

/** A leaf of a scope's RFC 9162 log. */
export interface Leaf {
  readonly logId: LogId;
  readonly position: number;
  readonly height: number;
  /** The block's time, so that whoever holds the leaf knows it without the header. */
  readonly timeMs: number;
  readonly transactionId: TransactionId;
  readonly outcome: number;
}
