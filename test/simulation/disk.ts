import type { KeyValueStore, KvOperation, KvRange } from '../../src/ports/kv.ts';
import { OperatingError } from '../../src/ports/lifecycle.ts';
import { sealValue, unsealValue } from '../../src/store/checksum.ts';
import type { DiskFile, FileOperations } from '../../src/store/file-operations.ts';
import type { Coverage } from './coverage.ts';
import { KeyIndex, spaceOf } from './key-index.ts';
import type { Random } from './random.ts';
import { ownError } from './rejections.ts';

/** What a disk asks of the machine it is in. */
export interface DiskHost {
  readonly random: Random;
  readonly coverage: Coverage;
  /** Resolves after the disk's time, when the machine goes on; never when it crashes before. */
  afterIo(): Promise<void>;
  /** Bytes of the log are durable from here on. */
  logDurable(bytes: Uint8Array): void;
  /** Within the time that a flush takes. */
  losePowerSoon(): void;
  /** The program dies of an error that it does not handle. */
  unhandled(error: unknown): void;
  /** Renames are durable from here on. */
  namesDurable(): void;
  /** These operations are durable from here on. */
  batchDurable(operations: readonly KvOperation[]): void;
}

export class DiskFault extends Error {
  override readonly name = 'DiskFault';
  constructor(readonly code: 'ENOSPC' | 'EIO') {
    super(code === 'ENOSPC' ? 'no space left on device' : 'input/output error');
  }
}

/** Name of the consensus log. */
export const LOG = 'wal';

const SECTOR_BYTES = 512;

/** A file: what programs see, and how much of it a crash leaves. */
interface Inode {
  bytes: Uint8Array;
  length: number;
  durable: number;
}

type DirectoryChange =
  | { readonly type: 'put'; readonly path: string; readonly inode: Inode }
  | { readonly type: 'remove'; readonly path: string };

function apply(names: Map<string, Inode>, change: DirectoryChange): void {
  if (change.type === 'put') names.set(change.path, change.inode);
  else names.delete(change.path);
}

/**
 * The disk of one machine: files with a page cache, and a database that writes batches whole. A crash loses what was not
 * flushed, or keeps a torn part of it; reads can be corrupt or misdirected, writes can fail, space can run out.
 */
export class SimulatedDisk implements FileOperations, KeyValueStore {
  /** Writes and flushes fail until space is made. */
  isFull = false;
  /** The power goes while the next flush is under way. */
  losesPowerNext = false;
  /** The next flush fails. */
  failsNext = false;
  /** So many reads of the database from now on, one is wrong; null for never. */
  wrongReadIn: number | null = null;
  /** The next log that is opened reads with a flipped bit, or with a sector of another place. */
  readsLogWrong = false;
  /** Blocks, bodies, leaves and their hashes beyond so many are dropped, the oldest first: on a real disk they would cost no memory. */
  coldKeysMax = Number.POSITIVE_INFINITY;
  private readonly coldKeys = new Set<string>();
  /** Faults that were met so far. */
  faults = 0;
  readonly values = new Map<string, Uint8Array>();
  /** Keys whose values read wrong until they are written again. */
  readonly rotten = new Set<string>();
  private readonly index = new KeyIndex(this.values);
  private names = new Map<string, Inode>();
  private durableNames = new Map<string, Inode>();
  private changes: DirectoryChange[] = [];
  private writing: readonly KvOperation[] | null = null;

  constructor(
    private readonly host: DiskHost,
    image: ReadonlyMap<string, Uint8Array>,
  ) {
    for (const [key, value] of image) this.values.set(key, value);
  }

  get logBytes(): number {
    return this.durableNames.get(LOG)?.durable ?? 0;
  }

  /** Written to the log and not flushed. */
  get unsyncedLogBytes(): number {
    const inode = this.names.get(LOG);
    return inode === undefined ? 0 : inode.length - inode.durable;
  }

  /** What was to go wrong does not; what has rotted stays so. */
  heal(): void {
    this.isFull = false;
    this.failsNext = false;
    this.losesPowerNext = false;
    this.wrongReadIn = null;
    this.readsLogWrong = false;
  }

  /** Everything is gone: another disk was put in, or an operator deleted the directory. */
  wipe(image: ReadonlyMap<string, Uint8Array>): void {
    this.values.clear();
    this.rotten.clear();
    this.index.forget();
    for (const [key, value] of image) this.values.set(key, value);
    this.names.clear();
    this.durableNames.clear();
    this.changes = [];
  }

  /** A copy of what is there now. @returns what puts it back, with the log or without it */
  backup(): (withLog: boolean) => void {
    const values = new Map(this.values);
    const files = [...this.durableNames].map(
      ([path, { bytes, durable }]) => [path, bytes.slice(0, durable)] as const,
    );
    return withLog => {
      this.wipe(values);
      for (const [path, bytes] of withLog ? files : []) {
        const { length } = bytes;
        this.durableNames.set(path, { bytes: bytes.slice(), length, durable: length });
      }
      this.names = new Map(this.durableNames);
    };
  }

  /** The machine lost its power: what was not flushed is lost, or part of it is there. */
  crash(): void {
    const { random, coverage } = this.host;
    if (this.writing !== null && random.chance(0.5)) {
      coverage.hit('disk: crash in a batch, kept');
      this.commit(this.writing);
    } else if (this.writing !== null) coverage.hit('disk: crash in a batch, lost');
    this.writing = null;
    const kept = random.between(0, this.changes.length);
    for (const change of this.changes.slice(0, kept)) apply(this.durableNames, change);
    if (kept < this.changes.length) coverage.hit('disk: rename lost in a crash');
    this.changes = [];
    for (const inode of this.durableNames.values()) this.tear(inode);
    this.names = new Map(this.durableNames);
  }

  /** The program ended and the machine goes on: what was written is there, but for a batch that was under way. */
  exit(): void {
    if (this.writing !== null && this.host.random.chance(0.5)) this.commit(this.writing);
    this.writing = null;
  }

  /** A prefix of the unsynced bytes is there, or the file is longer and holds zeros from some sector on. */
  private tear(inode: Inode): void {
    if (inode.length <= inode.durable) return;
    const { random, coverage } = this.host;
    const unsynced = inode.length - inode.durable;
    const kept = random.chance(0.2) ? 0 : random.between(0, unsynced);
    coverage.hit(kept === 0 ? 'disk: unsynced write lost' : 'disk: unsynced write torn');
    const end = inode.durable + kept;
    if (random.chance(0.3)) {
      coverage.hit('disk: zeros after a torn write');
      inode.bytes.fill(0, Math.ceil(end / SECTOR_BYTES) * SECTOR_BYTES, inode.length);
      if (Math.ceil(end / SECTOR_BYTES) * SECTOR_BYTES >= inode.length) inode.length = end;
    } else inode.length = end;
    inode.durable = inode.length;
  }

  private async flush(): Promise<void> {
    if (this.losesPowerNext) {
      this.losesPowerNext = false;
      this.host.losePowerSoon();
    }
    await this.host.afterIo();
    if (this.isFull) {
      this.faults += 1;
      this.host.coverage.hit('disk: full');
      throw this.own(new DiskFault('ENOSPC'));
    }
    if (!this.failsNext) return;
    this.failsNext = false;
    this.faults += 1;
    this.host.coverage.hit('disk: flush failed');
    throw this.own(new DiskFault('EIO'));
  }

  // Files.

  async ensureDirectory(): Promise<void> {}

  async openExisting(path: string): Promise<DiskFile | null> {
    const inode = this.names.get(path);
    return inode === undefined ? null : this.file(inode);
  }

  async create(path: string): Promise<DiskFile> {
    const inode: Inode = { bytes: new Uint8Array(512), length: 0, durable: 0 };
    this.change({ type: 'put', path, inode });
    return this.file(inode);
  }

  async rename(from: string, to: string): Promise<void> {
    const inode = this.names.get(from);
    if (inode === undefined) throw new Error(`there is no ${from}`);
    this.change({ type: 'put', path: to, inode });
    this.change({ type: 'remove', path: from });
  }

  async remove(path: string): Promise<void> {
    if (this.names.has(path)) this.change({ type: 'remove', path });
  }

  async syncDirectory(): Promise<void> {
    const { changes } = this;
    await this.flush();
    for (const change of changes) apply(this.durableNames, change);
    this.changes = this.changes.slice(changes.length);
    if (changes.some(({ path }) => path === LOG)) this.host.namesDurable();
  }

  private change(change: DirectoryChange): void {
    apply(this.names, change);
    this.changes = [...this.changes, change];
  }

  private file(inode: Inode): DiskFile {
    return {
      readAll: async () => {
        const bytes = inode.bytes.slice(0, inode.length);
        if (this.readsLogWrong && bytes.length > 0) this.spoil(bytes);
        return bytes;
      },
      write: async (bytes, position) => {
        const end = position + bytes.length;
        if (end > inode.bytes.length) {
          const grown = new Uint8Array(2 * end);
          grown.set(inode.bytes.subarray(0, inode.length));
          inode.bytes = grown;
        }
        inode.bytes.set(bytes, position);
        inode.length = end;
      },
      sync: async () => {
        const { length } = inode;
        await this.flush();
        const fresh = inode.bytes.subarray(Math.min(inode.durable, length), length);
        inode.durable = length;
        this.host.logDurable(fresh);
      },
      truncate: async length => {
        inode.length = length;
        inode.durable = Math.min(inode.durable, length);
      },
      close: async () => {},
    };
  }

  private spoil(log: Uint8Array): void {
    const { random, coverage } = this.host;
    this.readsLogWrong = false;
    this.faults += 1;
    const sectors = Math.floor(log.length / SECTOR_BYTES);
    const [from, to] = [0, 0].map(() => SECTOR_BYTES * random.between(0, Math.max(0, sectors - 1)));
    if (sectors > 1 && from !== to && random.chance(0.5)) {
      coverage.hit('disk: misdirected read of the log');
      log.copyWithin(to as number, from as number, (from as number) + SECTOR_BYTES);
      return;
    }
    coverage.hit('disk: corrupt read of the log');
    const at = random.between(0, log.length - 1);
    log[at] = (log[at] as number) ^ (1 << random.between(0, 7));
  }

  // The database.

  async open(): Promise<void> {}

  async close(): Promise<void> {}

  get(key: string): Uint8Array | null {
    const value = this.values.get(key);
    if (value !== undefined && this.isReadWrong(key)) this.readWrong(key, value);
    return value ?? null;
  }

  private isReadWrong(key: string): boolean {
    if (this.rotten.size > 0 && this.rotten.has(key)) return true;
    if (this.wrongReadIn === null) return false;
    this.wrongReadIn -= 1;
    if (this.wrongReadIn >= 0) return false;
    this.wrongReadIn = null;
    return true;
  }

  private own<T extends object>(error: T): T {
    return ownError(error, unhandled => this.host.unhandled(unhandled));
  }

  /** The real check of a stored value notices what was not written as it is; it throws. */
  private readWrong(key: string, value: Uint8Array): void {
    const { random, coverage } = this.host;
    this.faults += 1;
    const isMisdirected = random.chance(0.5);
    const sealed = sealValue(isMisdirected ? `${key}/elsewhere` : key, value);
    coverage.hit(isMisdirected ? 'disk: misdirected read' : 'disk: corrupt read');
    const at = random.between(0, sealed.length - 1);
    if (!isMisdirected) sealed[at] = (sealed[at] as number) ^ (1 << random.between(0, 7));
    try {
      unsealValue(key, sealed);
    } catch (error) {
      throw this.own(error as Error);
    }
    throw new Error(`a wrong read of ${key} passed its checksum`);
  }

  /** Fails as the real database does. */
  async batch(operations: readonly KvOperation[]): Promise<void> {
    this.writing = operations;
    try {
      await this.flush();
    } catch (error) {
      throw this.own(new OperatingError('write_failed', 'cannot write to the database', null, error));
    } finally {
      this.writing = null;
    }
    this.commit(operations);
  }

  private commit(operations: readonly KvOperation[]): void {
    for (const operation of operations) {
      if (this.rotten.size > 0 && this.rotten.delete(operation.key))
        this.host.coverage.hit('disk: rot written over');
      if (operation.type === 'put') {
        if (!this.values.has(operation.key)) this.index.add(operation.key);
        this.values.set(operation.key, operation.value);
        if (this.coldKeysMax < Number.POSITIVE_INFINITY) this.cool(operation.key);
      } else if (this.values.delete(operation.key)) this.index.remove(operation.key);
    }
    this.host.batchDurable(operations);
  }

  private cool(key: string): void {
    if (!/^(block|tx|leaf|hashes|at)\//.test(key)) return;
    // Again the newest: what is still written to stays.
    this.coldKeys.delete(key);
    this.coldKeys.add(key);
    if (this.coldKeys.size <= this.coldKeysMax) return;
    for (const oldest of this.coldKeys) {
      this.coldKeys.delete(oldest);
      if (this.values.delete(oldest)) this.index.remove(oldest);
      break;
    }
  }

  async *entries(range: KvRange): AsyncIterable<readonly [string, Uint8Array]> {
    const entries = this.index.between(range).map(key => [key, this.values.get(key) as Uint8Array] as const);
    // Who looks at everything deletes what reads wrong: only what has rotted.
    const isOfOneSpace = spaceOf(range.from) === spaceOf(range.to);
    for (const [key, value] of entries) {
      if (this.rotten.has(key) || (isOfOneSpace && this.isReadWrong(key))) {
        this.host.coverage.hit('disk: wrong read of a range');
        this.readWrong(key, value);
      }
      yield [key, value];
    }
  }
}
