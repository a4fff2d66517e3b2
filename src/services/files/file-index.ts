import type { Hash, PhaseId } from '../../core/base/ids.ts';
import { isReject } from '../../core/base/reject.ts';
import { Reader } from '../../core/codec/reader.ts';
import { Writer } from '../../core/codec/writer.ts';
import type { KeyValueStore, KvOperation } from '../../ports/kv.ts';
import { OperatingError } from '../../ports/lifecycle.ts';

/**
 * Which blocks belong to which file. A peer is served a block as part of a file only (SCENARIOS 82), and a block that belongs
 * to no file is waste.
 *
 * `files/root/<root>`         → what is known of the file
 * `files/tree/<root>/<cid>`   → the blocks of a file: 1 for those that came as part of it, empty for those that are only named
 * `files/block/<cid>/<root>`  → the files of a block
 * `files/pin/<root>`          → the phase for which it is kept whatever the placement says
 * `files/unclean`             → there while blocks may be on disk that no file has
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
  /** The phase whose quota it counts against; null for none. */
  readonly charge: PhaseId | null;
}

/** A file whose blocks are all stored. */
export interface WholeFile {
  readonly root: string;
  readonly record: Omit<RootRecord, 'whole'>;
  /** Every block, the root included. */
  readonly cids: Iterable<string>;
}

const WRITES_PER_BATCH = 1024;
const EMPTY = new Uint8Array(0);
const HELD = Uint8Array.of(1);
const UNCLEAN = 'files/unclean';
const rootKey = (root: string) => `files/root/${root}`;
const treeKey = (root: string, cid: string) => `files/tree/${root}/${cid}`;
const blockKey = (cid: string, root: string) => `files/block/${cid}/${root}`;
const pinKey = (root: string) => `files/pin/${root}`;
/** The keys under `prefix/`; `0` follows `/`. */
const under = (prefix: string) => ({ from: `${prefix}/`, to: `${prefix}0` });
const lastPart = (key: string) => key.slice(key.lastIndexOf('/') + 1);

function encodeRoot(record: RootRecord): Uint8Array {
  const { whole, phase, keyCommitment, ciphertextBytes, sinceMs, charge } = record;
  const writer = new Writer().bool(whole).bool(phase !== null);
  if (phase !== null) writer.hash(phase);
  writer
    .hash(keyCommitment)
    .u64(ciphertextBytes)
    .u64(sinceMs)
    .bool(charge !== null);
  if (charge !== null) writer.hash(charge);
  return writer.finish();
}

function decodeRoot(key: string, bytes: Uint8Array): RootRecord {
  const reader = new Reader(bytes);
  const record = {
    whole: reader.bool(),
    phase: reader.bool() ? reader.hash() : null,
    keyCommitment: reader.hash(),
    ciphertextBytes: reader.u64(),
    sinceMs: reader.u64(),
    charge: reader.bool() ? reader.hash() : null,
  };
  const value = reader.finish(record, 'file record');
  if (isReject(value)) throw new OperatingError('corrupt', `the stored value of ${key} does not decode`);
  return value;
}

export class FileIndex {
  private unclean: Promise<void> | null = null;

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

  /** Names blocks of a partial file before they are stored, so that none is without an owner. */
  async add(root: string, cids: readonly string[]): Promise<void> {
    const fresh = cids.filter(cid => !this.belongs(root, cid));
    await this.write(entriesOf(root, fresh, EMPTY), false);
  }

  /** The same for files of which nothing is named yet: their root blocks. */
  async nameRoots(roots: readonly string[]): Promise<void> {
    await this.write(
      roots.flatMap(root => entriesOf(root, [root], EMPTY)),
      false,
    );
  }

  /** After the blocks are stored. What a crash takes of it is found again by reading the blocks. */
  async hold(root: string, cids: readonly string[]): Promise<void> {
    await this.write(entriesOf(root, cids, HELD), false);
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
    await this.write([{ type: 'put', key: rootKey(root), value: encodeRoot(record) }], true);
  }

  /** What is known of files that are about to be fetched; a crash may take it, and then the blocks have no owner. */
  async claim(claims: readonly (readonly [string, RootRecord])[]): Promise<void> {
    await this.write(
      claims.map(([root, record]) => ({ type: 'put', key: rootKey(root), value: encodeRoot(record) })),
      false,
    );
  }

  /** Enters files whose blocks are all stored; many small ones share one durable write. */
  async addWhole(files: readonly WholeFile[]): Promise<void> {
    const operations = files.flatMap(({ root, cids }) => entriesOf(root, [...cids], HELD));
    await this.write(operations, false);
    const roots = files.map(({ root, record }): KvOperation => {
      return { type: 'put', key: rootKey(root), value: encodeRoot({ ...record, whole: true }) };
    });
    // the store writes in order: what came before is on disk when this is
    await this.write(roots, true);
  }

  /** True for a block of a file that is known. Entries alone are what a crash or a full disk left of a file on its way in. */
  async isOwned(cid: string): Promise<boolean> {
    for await (const root of this.rootsOf(cid)) if (this.root(root) !== null) return true;
    return false;
  }

  /** Before the first block is stored: from here on a start after a crash looks for blocks without a file. */
  markUnclean(): Promise<void> {
    this.unclean ??= this.kv.batch([{ type: 'put', key: UNCLEAN, value: EMPTY }], { sync: true });
    return this.unclean;
  }

  wasUnclean(): boolean {
    return this.kv.get(UNCLEAN) !== null;
  }

  /** When no block is without a file: after a search, or at a stop with nothing under way. */
  async clearUnclean(): Promise<void> {
    if (!this.wasUnclean()) return;
    this.unclean = null;
    await this.kv.batch([{ type: 'delete', key: UNCLEAN }], { sync: true });
  }

  /** @param after the root to go on behind; null from the first */
  async *roots(after: string | null = null): AsyncIterable<readonly [string, RootRecord]> {
    const { from, to } = under('files/root');
    for await (const [key, value] of this.kv.entries({
      from: after === null ? from : `${rootKey(after)}\0`,
      to,
    })) {
      yield [lastPart(key), decodeRoot(key, value)];
    }
  }

  /** The blocks that came as part of the file. */
  async *blocksOf(root: string): AsyncIterable<string> {
    for await (const [key, value] of this.kv.entries(under(`files/tree/${root}`))) {
      if (value.length > 0) yield lastPart(key);
    }
  }

  async pin(root: string, phase: PhaseId): Promise<void> {
    await this.write([{ type: 'put', key: pinKey(root), value: new Writer().hash(phase).finish() }], true);
  }

  async unpin(root: string): Promise<void> {
    await this.write([{ type: 'delete', key: pinKey(root) }], true);
  }

  isPinned(root: string): boolean {
    return this.kv.get(pinKey(root)) !== null;
  }

  /** Pinned files, each with the phase for which it was pinned. */
  async *pins(): AsyncIterable<readonly [string, PhaseId]> {
    for await (const [key, value] of this.kv.entries(under('files/pin'))) {
      yield [lastPart(key), new Reader(value).hash() as PhaseId];
    }
  }

  /**
   * Forgets a file while its blocks are deleted. Its record goes last, so that what fails or crashes half-way is not forgotten
   * with blocks left: the next `remove` goes on.
   * @returns its blocks that came with no other file, each to be deleted before the next is asked for
   */
  async *remove(root: string): AsyncIterable<string> {
    const record = this.root(root);
    if (record?.whole) await this.setRoot(root, { ...record, whole: false });
    yield* this.removeBlocks(root);
    const forgotten: KvOperation[] = [rootKey(root), pinKey(root)].map(key => ({ type: 'delete', key }));
    await this.kv.batch(forgotten, { sync: true });
  }

  /** The same, of a file that is not here whole and stays known. */
  async *removeBlocks(root: string): AsyncIterable<string> {
    for await (const [key] of this.kv.entries(under(`files/tree/${root}`))) {
      const cid = lastPart(key);
      await this.write([{ type: 'put', key, value: EMPTY }], false);
      if (!(await this.isHeld(cid))) yield cid;
      const forgotten = [key, blockKey(cid, root)];
      await this.write(
        forgotten.map(name => ({ type: 'delete', key: name })),
        false,
      );
    }
  }

  async *rootsOf(cid: string): AsyncIterable<string> {
    for await (const [key] of this.kv.entries(under(`files/block/${cid}`))) yield lastPart(key);
  }

  private async isHeld(cid: string): Promise<boolean> {
    for await (const root of this.rootsOf(cid)) if (this.holds(root, cid)) return true;
    return false;
  }

  private async write(operations: readonly KvOperation[], sync: boolean): Promise<void> {
    for (let start = 0; start < operations.length; start += WRITES_PER_BATCH) {
      await this.kv.batch(operations.slice(start, start + WRITES_PER_BATCH), { sync });
    }
  }
}

function entriesOf(root: string, cids: readonly string[], value: Uint8Array): KvOperation[] {
  return cids.flatMap((cid): KvOperation[] => [
    { type: 'put', key: treeKey(root, cid), value },
    { type: 'put', key: blockKey(cid, root), value: EMPTY },
  ]);
}
