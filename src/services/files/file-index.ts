import type { Hash, PhaseId } from '../../core/base/ids.ts';
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
 * `files/tree/<root>/<cid>`   → the blocks of a file: 1 for those that came as part of it, empty for those that are only named
 * `files/block/<cid>/<root>`  → the files of a block
 * `files/unclean/<name>`      → there while blocks may be on disk that no file has
 */
export interface RootRecord {
  /** True when every block was stored and verified. */
  readonly whole: boolean;
  /** The phase through which the file came; null for one that this node made. */
  readonly phase: PhaseId | null;
  /** As the record says it through which the file came: `access.ts` compares other records with it. */
  readonly keyCommitment: Hash;
  readonly ciphertextBytes: number;
  /** When this node first had to do with it, Unix milliseconds. */
  readonly sinceMs: number;
}

const WRITES_PER_BATCH = 1024;
const EMPTY = new Uint8Array(0);
const HELD = Uint8Array.of(1);
const rootKey = (root: string) => `files/root/${root}`;
const treeKey = (root: string, cid: string) => `files/tree/${root}/${cid}`;
const blockKey = (cid: string, root: string) => `files/block/${cid}/${root}`;
/** The keys under `prefix/`; `0` follows `/`. */
const under = (prefix: string) => ({ from: `${prefix}/`, to: `${prefix}0` });

function encodeRoot(record: RootRecord): Uint8Array {
  const { whole, phase, keyCommitment, ciphertextBytes, sinceMs } = record;
  const writer = new Writer().bool(whole).bool(phase !== null);
  if (phase !== null) writer.hash(phase);
  return writer.hash(keyCommitment).u64(ciphertextBytes).u64(sinceMs).finish();
}

function decodeRoot(key: string, bytes: Uint8Array): RootRecord {
  const reader = new Reader(bytes);
  const record = {
    whole: reader.bool(),
    phase: reader.bool() ? reader.hash() : null,
    keyCommitment: reader.hash(),
    ciphertextBytes: reader.u64(),
    sinceMs: reader.u64(),
  };
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

  /** True when the block came as part of this file: only then is it served as such. */
  holds(root: string, cid: string): boolean {
    return (this.kv.get(treeKey(root, cid))?.length ?? 0) > 0;
  }

  /** Names blocks of a partial file, before they are stored, so that none is ever without an owner. */
  async add(root: string, cids: readonly string[]): Promise<void> {
    await this.write(
      root,
      cids.filter(cid => !this.belongs(root, cid)),
      EMPTY,
      true,
    );
  }

  /** After the blocks are stored. What a crash takes of it is found again by reading the blocks. */
  async hold(root: string, cids: readonly string[]): Promise<void> {
    await this.write(root, cids, HELD, false);
  }

  /**
   * True for a block on disk that came with other files only. A record may name any block as its file's, and a tree any
   * block as its part: this node has it for those who may read that other file (SCENARIOS 82).
   */
  async isForeign(root: string, cid: string): Promise<boolean> {
    if (this.holds(root, cid)) return false;
    for await (const other of this.rootsOf(cid)) if (other !== root) return true;
    return false;
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
      await this.write(root, batch, HELD, true);
      batch = [];
    }
    await this.write(root, batch, HELD, true);
    await this.setRoot(root, { ...record, whole: true });
  }

  async isOwned(cid: string): Promise<boolean> {
    for await (const _ of this.rootsOf(cid)) return true;
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

  /** Forgets a file. @returns its blocks that came with no other file */
  async *remove(root: string): AsyncIterable<string> {
    await this.kv.batch([{ type: 'delete', key: rootKey(root) }], { sync: true });
    for await (const [key] of this.kv.entries(under(`files/tree/${root}`))) {
      const cid = key.slice(key.lastIndexOf('/') + 1);
      const operations: KvOperation[] = [
        { type: 'delete', key },
        { type: 'delete', key: blockKey(cid, root) },
      ];
      await this.kv.batch(operations, { sync: false });
      if (!(await this.isHeld(cid))) yield cid;
    }
  }

  private async isHeld(cid: string): Promise<boolean> {
    for await (const root of this.rootsOf(cid)) if (this.holds(root, cid)) return true;
    return false;
  }

  private async *rootsOf(cid: string): AsyncIterable<string> {
    for await (const [key] of this.kv.entries(under(`files/block/${cid}`))) {
      yield key.slice(key.lastIndexOf('/') + 1);
    }
  }

  private async write(
    root: string,
    cids: readonly string[],
    value: Uint8Array,
    sync: boolean,
  ): Promise<void> {
    for (let start = 0; start < cids.length; start += WRITES_PER_BATCH) {
      const operations = cids.slice(start, start + WRITES_PER_BATCH).flatMap((cid): KvOperation[] => [
        { type: 'put', key: treeKey(root, cid), value },
        { type: 'put', key: blockKey(cid, root), value: EMPTY },
      ]);
      await this.kv.batch(operations, { sync });
    }
  }
}
