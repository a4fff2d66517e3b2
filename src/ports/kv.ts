export type KvOperation =
  | { readonly type: 'put'; readonly key: string; readonly value: Uint8Array }
  | { readonly type: 'delete'; readonly key: string };

export interface KvRange {
  /** Inclusive. */
  readonly from: string;
  /** Exclusive. */
  readonly to: string;
  readonly reverse?: boolean;
  readonly limit?: number;
}

/** An ordered key-value store; keys sort by their UTF-8 bytes. One contract suite: `test/contracts/kv.ts`. */
export interface KeyValueStore {
  open(): Promise<void>;
  close(): Promise<void>;
  get(key: string): Uint8Array | null;
  /** Atomic; with `sync` it is on disk when the promise resolves. */
  batch(operations: readonly KvOperation[], options: { readonly sync: boolean }): Promise<void>;
  /** Entries of one consistent snapshot, in key order. */
  entries(range: KvRange): AsyncIterable<readonly [string, Uint8Array]>;
}
