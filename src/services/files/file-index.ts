import { isReject } from '../../core/base/reject.ts';
import { Reader } from '../../core/codec/reader.ts';
import { Writer } from '../../core/codec/writer.ts';
import type { FileDag } from '../../ports/file-dag.ts';
import type { KeyValueStore, KvOperation } from '../../ports/kv.ts';
import { OperatingError } from '../../ports/lifecycle.ts';

/**
 * Which blocks belong to which file. A peer is served a block as part of a file only (SCENARIOS 82), and a block that belongs
 * to no file is waste.
 *
 * `files/root/<root>`         → what is known of the file
 * `files/tree/<root>/<cid>`   → the blocks of a file
 * `files/block/<cid>/<root>`  → the files of a block
 * `files/unclean/<name>`      → there while blocks may be on disk that no file has
 */
export interface RootRecord {
  /** True when every block was stored and verified. */
  readonly whole: boolean;
  readonly ciphertextBytes: number;
  /** When this node first had to do with it, Unix milliseconds. */
  readonly sinceMs: number;
}

const WRITES_PER_BATCH = 1024;
const EMPTY = new Uint8Array(0);
const rootKey = (root: string) => `files/root/${root}`;
const treeKey = (root: string, cid: string) => `files/tree/${root}/${cid}`;
const blockKey = (cid: string, root: string) => `files/block/${cid}/${root}`;
/** The keys under `prefix/`; `0` follows `/`. */
const under = (prefix: string) => ({ from: `${prefix}/`, to: `${prefix}0` });

function encodeRoot(record: RootRecord): Uint8Array {
  return new Writer().bool(record.whole).u64(record.ciphertextBytes).u64(record.sinceMs).finish();
}

function decodeRoot(key: string, bytes: Uint8Array): RootRecord {
  const reader = new Reader(bytes);
  const record = { whole: reader.bool(), ciphertextBytes: reader.u64(), sinceMs: reader.u64() };
  const value = reader.finish(record, 'file record');
  if (isReject(value)) throw new OperatingError('corrupt', `the stored value of ${key} does not decode`);
  return value;
}

export class FileIndex {
  constructor(private readonly kv: KeyValueStore) {}

  root(cid: string): RootRecord | null {
    const bytes = this.kv.get(rootKey(cid));
    return bytes === null ? null : decodeRoot(rootKey(cid), bytes);
  }

  belongs(root: string, cid: string): boolean {
    return this.kv.get(treeKey(root, cid)) !== null;
  }

  /** Before the blocks of a partial file are stored, so that none is ever without an owner. */
  async add(root: string, cids: readonly string[]): Promise<void> {
    for (let start = 0; start < cids.length; start += WRITES_PER_BATCH) {
      const operations = cids.slice(start, start + WRITES_PER_BATCH).flatMap((cid): KvOperation[] => [
        { type: 'put', key: treeKey(root, cid), value: EMPTY },
        { type: 'put', key: blockKey(cid, root), value: EMPTY },
      ]);
      await this.kv.batch(operations, { sync: true });
    }
  }

  async setRoot(root: string, record: RootRecord): Promise<void> {
    await this.kv.batch([{ type: 'put', key: rootKey(root), value: encodeRoot(record) }], { sync: true });
  }

  /** Enters a file whose blocks are all stored. */
  async addWhole(dag: FileDag, root: string, record: Omit<RootRecord, 'whole'>): Promise<void> {
    await this.setRoot(root, { ...record, whole: false });
    let batch: string[] = [];
    for await (const cid of dag.listBlocks(root)) {
      batch.push(cid);
      if (batch.length < WRITES_PER_BATCH) continue;
      await this.add(root, batch);
      batch = [];
    }
    await this.add(root, batch);
    await this.setRoot(root, { ...record, whole: true });
  }

  async isOwned(cid: string): Promise<boolean> {
    for await (const _ of this.kv.entries({ ...under(`files/block/${cid}`), limit: 1 })) return true;
    return false;
  }

  /** Marks work that leaves blocks without a file when it is interrupted. @returns how to take the mark away */
  async beginUnclean(name: string): Promise<() => Promise<void>> {
    const key = `files/unclean/${name}`;
    await this.kv.batch([{ type: 'put', key, value: EMPTY }], { sync: true });
    return () => this.kv.batch([{ type: 'delete', key }], { sync: false });
  }

  async uncleanMarks(): Promise<readonly (() => Promise<void>)[]> {
    const marks: (() => Promise<void>)[] = [];
    for await (const [key] of this.kv.entries(under('files/unclean'))) {
      marks.push(() => this.kv.batch([{ type: 'delete', key }], { sync: false }));
    }
    return marks;
  }

  async *roots(): AsyncIterable<readonly [string, RootRecord]> {
    for await (const [key, value] of this.kv.entries(under('files/root'))) {
      yield [key.slice('files/root/'.length), decodeRoot(key, value)];
    }
  }

  /** Forgets a file. @returns its blocks that no other file has */
  async *remove(root: string): AsyncIterable<string> {
    await this.kv.batch([{ type: 'delete', key: rootKey(root) }], { sync: true });
    for await (const [key] of this.kv.entries(under(`files/tree/${root}`))) {
      const cid = key.slice(key.lastIndexOf('/') + 1);
      const operations: KvOperation[] = [
        { type: 'delete', key },
        { type: 'delete', key: blockKey(cid, root) },
      ];
      await this.kv.batch(operations, { sync: false });
      if (!(await this.isOwned(cid))) yield cid;
    }
  }
}
