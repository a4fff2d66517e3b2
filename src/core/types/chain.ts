import type { BlockHash, Hash, TransactionId } from '../base/ids.ts';

/** One consensus node as the chain knows it; its index is its place in the set's list. */
export interface Validator {
  /** `[a-z][a-z0-9-]{0,31}` */
  readonly name: string;
  /** P-256, 33 bytes compressed: the consensus key, used for votes and nothing else. */
  readonly publicKey: Uint8Array;
  /** libp2p peer id, bound to the validator by this entry. */
  readonly peerId: string;
}

export interface ValidatorSet {
  /** Counts set changes; genesis is 0. */
  readonly id: number;
  readonly validators: readonly Validator[];
}

/** DESIGN.md section 2. No view: a block proposed again in a later view has the same bytes. */
export interface Header {
  readonly version: number;
  readonly chainId: Hash;
  readonly height: number;
  readonly parentHash: BlockHash;
  /** Unix time in milliseconds; above the parent's. */
  readonly timeMs: number;
  /** RFC 9162 tree root over the encoded block entries. */
  readonly transactionsRoot: Hash;
  /** Root of the sparse Merkle map after executing this block. */
  readonly mapRoot: Hash;
  readonly validatorSetId: number;
  readonly validatorSetHash: Hash;
  /** Hash of the set that decides the next height; equal to `validatorSetHash` unless this block changes the set. */
  readonly nextValidatorSetHash: Hash;
  /** Largest height below this one whose block changed the set; 0 when none has. */
  readonly previousSetChangeHeight: number;
}

/** A block's line about one transaction. `outcome` is a code of `Outcome`; refusals after admission are lines too. */
export interface BlockEntry {
  readonly id: TransactionId;
  readonly wrapperHash: Hash;
  readonly outcome: number;
}

export interface Block {
  readonly header: Header;
  readonly entries: readonly BlockEntry[];
}

export interface CertificateSignature {
  /** Index in the validator set. */
  readonly signer: number;
  readonly signature: Uint8Array;
}

/** Proof that a quorum committed `blockHash` at `height`: signatures over the commit vote's bytes, signers strictly ascending. */
export interface Certificate {
  readonly validatorSetId: number;
  readonly view: number;
  /** Digest of the NEW-VIEW that opened `view`; ZERO_HASH for the first view of a set. */
  readonly newViewDigest: Hash;
  readonly height: number;
  readonly blockHash: BlockHash;
  readonly signatures: readonly CertificateSignature[];
}

export interface CertifiedHeader {
  readonly header: Header;
  readonly certificate: Certificate;
}
