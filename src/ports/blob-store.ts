export interface Blob {
  /** CIDv1 text. */
  readonly cid: string;
  readonly bytes: Uint8Array;
}

/**
 * Blocks of off-chain files by CID text (ciphertext only). A put is durable when it resolves (write, fsync, rename), whole or not
 * at all; `get` hashes again and answers null for bytes that do not match (house rule 7) or that the disk cannot read any more, so
 * whoever puts has checked them against the CID or made it from them. A full disk is OperatingError `disk_full`, any other failure `blob_store_failed`.
 */
export interface BlobStore {
  open(): Promise<void>;
  close(): Promise<void>;
  put(cid: string, bytes: Uint8Array): Promise<void>;
  /** As many puts that share what makes them durable. */
  putMany(blobs: readonly Blob[]): Promise<void>;
  get(cid: string): Promise<Uint8Array | null>;
  has(cid: string): Promise<boolean>;
  delete(cid: string): Promise<void>;
  list(): AsyncIterable<string>;
  /** Bytes that the disk below has left; null where there is no such limit. */
  freeBytes(): Promise<number | null>;
}
