import * as dagPb from '@ipld/dag-pb';
import { UnixFS } from 'ipfs-unixfs';
import type { CID } from 'multiformats/cid';
import type { ImportedFile } from '../ports/file-dag.ts';
import { blockCid } from './cid.ts';

/** Content of a leaf of the profile `unixfs-v1-2025` (IPIP-499). */
export const LEAF_BYTES_MAX = 1024 * 1024;
/** Width of its trees: a node with more links was not made by it, and costs its readers dearly. */
export const LINKS_MAX = 1024;

interface Branch {
  readonly cid: CID;
  readonly contentBytes: number;
  /** Bytes of all blocks below and of this one: what a link says beside the CID. */
  readonly totalBytes: number;
}

/** One piece of memory that nobody else writes to; a part that stands alone is taken as it is. */
function joined(parts: readonly Uint8Array[], bytes: number): Uint8Array {
  if (parts.length === 1) return parts[0]!;
  // every byte of it is written
  const whole = new Uint8Array(Buffer.allocUnsafeSlow(bytes).buffer);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Cuts the content into leaves; only the last may be shorter, and content without bytes is one leaf without bytes. */
async function* leavesOf(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let parts: Uint8Array[] = [];
  let filled = 0;
  let isFirst = true;
  for await (const chunk of source) {
    for (let at = 0; at < chunk.length; ) {
      const part = chunk.subarray(at, at + LEAF_BYTES_MAX - filled);
      parts.push(part);
      filled += part.length;
      at += part.length;
      if (filled < LEAF_BYTES_MAX) continue;
      yield joined(parts, filled);
      [parts, filled, isFirst] = [[], 0, false];
    }
  }
  if (filled > 0 || isFirst) yield joined(parts, filled);
}

/**
 * One file on its way into a store, as the profile says: raw leaves, and above more than one of them a balanced tree. The importer
 * of the IPFS project makes the same blocks, and copies what it is given several times.
 */
export class FileImport {
  private readonly distinct = new Set<string>();

  constructor(private readonly store: (cid: string, bytes: Uint8Array) => Promise<void>) {}

  async run(source: AsyncIterable<Uint8Array>): Promise<ImportedFile> {
    let level: Branch[] = [];
    for await (const leaf of leavesOf(source)) {
      const { length } = leaf;
      level.push({ cid: await this.keep('raw', leaf), contentBytes: length, totalBytes: length });
    }
    while (level.length > 1) {
      const above: Branch[] = [];
      for (let start = 0; start < level.length; start += LINKS_MAX)
        above.push(await this.join(level.slice(start, start + LINKS_MAX)));
      level = above;
    }
    const [{ cid, contentBytes }] = level as [Branch];
    return { cid: cid.toString(), bytes: contentBytes, blocks: this.distinct.size };
  }

  private async join(children: readonly Branch[]): Promise<Branch> {
    const file = new UnixFS({ type: 'file' });
    for (const { contentBytes } of children) file.addBlockSize(BigInt(contentBytes));
    const links = children.map(({ cid, totalBytes }) => ({ Name: '', Hash: cid, Tsize: totalBytes }));
    const bytes = dagPb.encode(dagPb.prepare({ Data: file.marshal(), Links: links }));
    const sum = (of: 'contentBytes' | 'totalBytes') =>
      children.reduce((total, child) => total + child[of], 0);
    const cid = await this.keep('dag-pb', bytes);
    return { cid, contentBytes: sum('contentBytes'), totalBytes: sum('totalBytes') + bytes.length };
  }

  private async keep(codec: 'raw' | 'dag-pb', bytes: Uint8Array): Promise<CID> {
    const cid = blockCid(codec, bytes);
    const text = cid.toString();
    this.distinct.add(text);
    await this.store(text, bytes);
    return cid;
  }
}
