/**
 * Blocks of off-chain files by CID text (ciphertext only). `put` is durable when it resolves (write, fsync, rename);
 * `get` hashes again and answers null for bytes that do not match (house rule 7).
 */
export interface BlobStore {
  open(): Promise<void>;
  close(): Promise<void>;
  put(cid: string, bytes: Uint8Array): Promise<void>;
  get(cid: string): Promise<Uint8Array | null>;
  has(cid: string): Promise<boolean>;
  delete(cid: string): Promise<void>;
  list(): AsyncIterable<string>;
}
