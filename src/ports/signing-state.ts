/** What a validator's database says of its consensus key; the votes themselves are in the write-ahead log. */
export interface SigningRecord {
  /** The key, compressed. */
  readonly publicKey: Uint8Array;
  /** Of the one log that holds everything that this key has signed and may still be held to. */
  readonly logIdentity: string;
  /** The key was seen to have signed what the log does not hold: it never signs again. */
  readonly lost: boolean;
}

export interface SigningRecords {
  /** Null before the first start of this database as a validator. */
  read(): SigningRecord | null;
  /** Durable when it resolves. */
  write(record: SigningRecord): Promise<void>;
}

/** The mark that is made with a key and is there until the key may sign for the first time. */
export interface FirstStart {
  isMarked(publicKey: Uint8Array): Promise<boolean>;
  /** The mark is gone for good when it resolves; nothing happens when it was gone before. */
  consume(): Promise<void>;
}
