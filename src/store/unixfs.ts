import * as dagPb from '@ipld/dag-pb';
import { UnixFS } from 'ipfs-unixfs';
import { importByteStream, type WritableStorage } from 'ipfs-unixfs-importer';
import type { CID } from 'multiformats/cid';
import * as raw from 'multiformats/codecs/raw';
import { assert } from '../core/base/assert.ts';
import { concatBytes } from '../core/base/bytes.ts';
import type { BlobStore } from '../ports/blob-store.ts';
import type { ByteRange, DagNode, FileDag, ImportedFile } from '../ports/file-dag.ts';
import { OperatingError } from '../ports/lifecycle.ts';
import { leafCid, parseCid, verifyCid } from './cid.ts';

/** Blocks that are hashed and written at the same time: 1 MiB each. */
const WRITES_IN_FLIGHT = 4;
/** 1,024 links a node and 1 MiB leaves: five levels are beyond 2^53 bytes, so more is malice. */
const DEPTH_MAX = 6;
/** Width of the profile's trees: a node with more links was not made by it, and costs its readers dearly. */
const LINKS_MAX = 1024;

interface ParsedNode extends DagNode {
  /** Content that stands in the block itself. */
  readonly data: Uint8Array;
}

/** A leaf of the profile. */
const LEAF_BYTES_MAX = 1024 * 1024;

const NOTHING = new Uint8Array(0);

function parseFileNode(bytes: Uint8Array): ParsedNode | null {
  try {
    const node = dagPb.decode(bytes);
    if (node.Data === undefined) return null;
    const file = UnixFS.unmarshal(node.Data);
    if (file.type !== 'file' && file.type !== 'raw') return null;
    if (node.Links.length > LINKS_MAX || file.blockSizes.length !== node.Links.length) return null;
    const data = file.data ?? NOTHING;
    const children = node.Links.map((link, index) => ({
      cid: link.Hash.toString(),
      contentBytes: Number(file.blockSizes[index]),
    }));
    const contentBytes = children.reduce((sum, child) => sum + child.contentBytes, data.length);
    // a child without content could stand in the tree without end
    const sound = children.every(child => child.contentBytes > 0 && parseCid(child.cid) !== null);
    return sound && Number.isSafeInteger(contentBytes) ? { data, children, contentBytes } : null;
  } catch {
    return null;
  }
}

function parseNode(cid: CID, bytes: Uint8Array): ParsedNode | null {
  if (cid.code !== raw.code) return parseFileNode(bytes);
  return { data: bytes, children: [], contentBytes: bytes.length };
}

/** `FileDag` over a blob store. Reads walk the tree themselves: one block at a time, whatever the tree claims. */
export class UnixFsDag implements FileDag {
  constructor(private readonly blobs: BlobStore) {}

  async importFile(
    source: AsyncIterable<Uint8Array>,
    store: (cid: string, bytes: Uint8Array) => Promise<void> = (cid, bytes) => this.blobs.put(cid, bytes),
  ): Promise<ImportedFile> {
    const distinct = new Set<string>();
    const storage: Pick<WritableStorage, 'put'> = {
      put: async (cid, bytes) => {
        assert(bytes instanceof Uint8Array, 'the importer stores whole blocks');
        const text = cid.toString();
        distinct.add(text);
        await store(text, bytes);
        return cid;
      },
    };
    let bytes = 0;
    const counted = async function* () {
      for await (const chunk of source) {
        bytes += chunk.length;
        yield chunk;
      }
    };
    const { head, rest } = await leafOf(counted());
    if (rest === null) {
      const leaf = leafCid(head);
      await store(leaf, head);
      return { cid: leaf, bytes, blocks: 1 };
    }
    const root = await importByteStream(rest, storage, {
      profile: 'unixfs-v1-2025',
      blockWriteConcurrency: WRITES_IN_FLIGHT,
    });
    return { cid: root.cid.toString(), bytes, blocks: distinct.size };
  }

  async *exportFile(cid: string, range?: ByteRange): AsyncIterable<Uint8Array> {
    const from = range?.offset ?? 0;
    const to = range === undefined ? Number.POSITIVE_INFINITY : from + range.length;
    yield* this.read(cid, null, 0, { from, to }, 0);
  }

  async *listBlocks(cid: string): AsyncIterable<string> {
    const listed = new Set<string>([cid]);
    yield cid;
    const waiting = [{ cid, contentBytes: null as number | null, depth: 0 }];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const { children } = await this.load(next.cid, next.contentBytes, next.depth);
      for (const child of children) {
        if (listed.has(child.cid)) continue;
        listed.add(child.cid);
        yield child.cid;
        if (!isLeaf(child.cid)) waiting.push({ ...child, depth: next.depth + 1 });
      }
    }
  }

  parseBlock(cid: string, bytes: Uint8Array): DagNode | null {
    const parsed = parseCid(cid);
    if (parsed === null || !verifyCid(parsed, bytes)) return null;
    const node = parseNode(parsed, bytes);
    return node === null ? null : { contentBytes: node.contentBytes, children: node.children };
  }

  isCid(text: string): boolean {
    return parseCid(text) !== null;
  }

  /** @param start where this node's content begins in the file */
  private async *read(
    cid: string,
    contentBytes: number | null,
    start: number,
    range: { readonly from: number; readonly to: number },
    depth: number,
  ): AsyncIterable<Uint8Array> {
    const node = await this.load(cid, contentBytes, depth);
    const own = node.data.subarray(Math.max(0, range.from - start), Math.max(0, range.to - start));
    if (own.length > 0) yield own;
    let offset = start + node.data.length;
    for (const child of node.children) {
      if (offset >= range.to) return;
      const end = offset + child.contentBytes;
      if (end > range.from) yield* this.read(child.cid, child.contentBytes, offset, range, depth + 1);
      offset = end;
    }
  }

  /** @param contentBytes what the parent says of this node; null for the root */
  private async load(cid: string, contentBytes: number | null, depth: number): Promise<ParsedNode> {
    const parsed = parseCid(cid);
    if (parsed === null || depth > DEPTH_MAX) throw malformed(cid);
    const bytes = await this.blobs.get(cid);
    if (bytes === null) {
      throw new OperatingError(
        'block_missing',
        `block ${cid} is missing or damaged`,
        'Repair the file from its holders.',
      );
    }
    const node = parseNode(parsed, bytes);
    if (node === null || (contentBytes !== null && node.contentBytes !== contentBytes)) throw malformed(cid);
    return node;
  }
}

/**
 * A file of one leaf is that leaf, and needs no tree: the importer costs many small files more than all the rest.
 * @returns the whole content, or with `rest` all of it again
 */
async function leafOf(
  source: AsyncIterable<Uint8Array>,
): Promise<{ readonly head: Uint8Array; readonly rest: AsyncIterable<Uint8Array> | null }> {
  const iterator = source[Symbol.asyncIterator]();
  const chunks: Uint8Array[] = [];
  for (let bytes = 0; bytes <= LEAF_BYTES_MAX; ) {
    const { done, value } = await iterator.next();
    if (done === true) return { head: chunks.length === 1 ? chunks[0]! : concatBytes(...chunks), rest: null };
    chunks.push(value);
    bytes += value.length;
  }
  const rest = async function* () {
    try {
      for (let chunk = chunks.shift(); chunk !== undefined; chunk = chunks.shift()) yield chunk;
      yield* { [Symbol.asyncIterator]: () => iterator };
    } finally {
      await iterator.return?.();
    }
  };
  return { head: NOTHING, rest: rest() };
}

function isLeaf(cid: string): boolean {
  return parseCid(cid)?.code === raw.code;
}

function malformed(cid: string): OperatingError {
  return new OperatingError('file_malformed', `block ${cid} is not part of a UnixFS file`);
}

export function importFile(blobs: BlobStore, source: AsyncIterable<Uint8Array>): Promise<ImportedFile> {
  return new UnixFsDag(blobs).importFile(source);
}

export function exportFile(blobs: BlobStore, cid: string, range?: ByteRange): AsyncIterable<Uint8Array> {
  return new UnixFsDag(blobs).exportFile(cid, range);
}

export function listBlocks(blobs: BlobStore, cid: string): AsyncIterable<string> {
  return new UnixFsDag(blobs).listBlocks(cid);
}
