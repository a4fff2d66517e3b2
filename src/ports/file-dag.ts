export interface ImportedFile {
  /** CIDv1 text of the root. */
  readonly cid: string;
  /** Length of the content, in bytes. */
  readonly bytes: number;
  /** Distinct blocks, the root included. */
  readonly blocks: number;
}

export interface ByteRange {
  /** First byte. */
  readonly offset: number;
  /** Bytes from `offset` on; the range ends with the file. */
  readonly length: number;
}

/** What one verified block says about the tree below it. */
export interface DagNode {
  /** Bytes of file content under this block. */
  readonly contentBytes: number;
  /** In file order; empty for a leaf. A child may stand in the list more than once. */
  readonly children: readonly { readonly cid: string; readonly contentBytes: number }[];
}

/** Files as UnixFS trees of content-addressed blocks, profile `unixfs-v1-2025`: the CIDs that `ipfs add` gives. */
export interface FileDag {
  /** Cuts the content into blocks, the root last. @param store takes each; without it they go to the blob store one by one */
  importFile(
    source: AsyncIterable<Uint8Array>,
    store?: (cid: string, bytes: Uint8Array) => Promise<void>,
  ): Promise<ImportedFile>;
  /** Streams the content in order, one block in memory. Throws OperatingError `block_missing` or `file_malformed`. */
  exportFile(cid: string, range?: ByteRange): AsyncIterable<Uint8Array>;
  /** Every distinct block of the file, the root first. Throws as `exportFile` does. */
  listBlocks(cid: string): AsyncIterable<string>;
  /** Null when `bytes` are not the block that `cid` names, or are not part of a UnixFS file. */
  parseBlock(cid: string, bytes: Uint8Array): DagNode | null;
  /** True for the one text form of the CIDs that files are made of: CIDv1, SHA-256, raw or dag-pb (SCENARIOS 88). */
  isCid(text: string): boolean;
}
