import type { Signer } from './signer.ts';

/** What a validator's database says of a consensus key; the votes themselves are in the write-ahead log. */
export interface SigningRecord {
  /** The key, compressed. */
  readonly publicKey: Uint8Array;
  /** Of the one log that holds everything that this key has signed and may still be held to. */
  readonly logIdentity: string;
  /** The key was seen to have signed what the log does not hold: it never signs again. */
  readonly lost: boolean;
}

export interface SigningRecords {
  /** One for each key that may sign, or could once; empty before the first start of this database as a validator. */
  read(): readonly SigningRecord[];
  /** All of them, in place of those before; durable when it resolves. */
  write(records: readonly SigningRecord[]): Promise<void>;
}

/** The mark that is made with a key and is there until the key may sign for the first time. */
export interface FirstStart {
  isMarked(publicKey: Uint8Array): Promise<boolean>;
  /** The key's mark is gone for good when it resolves; nothing happens when it was gone before. */
  consume(publicKey: Uint8Array): Promise<void>;
}

/** A node's consensus keys: the one in use and, between its making and the set change that names it, the next one. */
export interface ConsensusKeys {
  /** The one in use first. */
  signers(): readonly Signer[];
  /** Makes the next key, in place of one that was made before; it is kept and marked as never used when it resolves. */
  prepare(): Promise<Signer>;
  /** The next key is the one in use from now on; the other is erased when it resolves. */
  adopt(): Promise<void>;
}
