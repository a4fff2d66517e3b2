import * as dagPb from '@ipld/dag-pb';
import { UnixFS } from 'ipfs-unixfs';
import type { CID } from 'multiformats/cid';
import * as raw from 'multiformats/codecs/raw';
import type { BlobStore } from '../ports/blob-store.ts';
import type { ByteRange, DagNode, FileDag, ImportedFile } from '../ports/file-dag.ts';
import { OperatingError } from '../ports/lifecycle.ts';
import { parseCid, verifyCid } from './cid.ts';
import { FileImport, LINKS_MAX } from './unixfs-import.ts';

/** 1,024 links a node and 1 MiB leaves: five levels are beyond 2^53 bytes, so more is malice. */
const DEPTH_MAX = 6;

interface ParsedNode extends DagNode {
  /** Content that stands in the block itself. */
  readonly data: Uint8Array;
}

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
    return new FileImport(store).run(source);
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

function isLeaf(cid: string): boolean {
  return parseCid(cid)?.code === raw.code;
}

function malformed(cid: string): OperatingError {
  return new OperatingError('file_malformed', `block ${cid} is not part of a UnixFS file`);
}
