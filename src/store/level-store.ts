import { mkdir } from 'node:fs/promises';
import { ClassicLevel } from 'classic-level';
import type { KeyValueStore, KvOperation, KvRange } from '../ports/kv.ts';
import { OperatingError } from '../ports/lifecycle.ts';
import { corrupt, sealValue, unsealValue } from './checksum.ts';

const MIB = 1024 * 1024;

function codeOf(error: unknown): string | null {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : null;
}

/** `KeyValueStore` on LevelDB. Every value carries a checksum, because LevelDB does not verify its own on point reads. */
export class LevelStore implements KeyValueStore {
  private readonly level: ClassicLevel<string, Uint8Array>;

  /**
   * @param cacheBytes LevelDB's block cache
   * @param writeBufferBytes of memory, twice at most: what is sorted before it is written to a table. The larger it is, the less is
   * written again by compaction
   */
  constructor(
    private readonly directory: string,
    cacheBytes = 32 * MIB,
    writeBufferBytes = 4 * MIB,
  ) {
    this.level = new ClassicLevel(directory, {
      keyEncoding: 'utf8',
      valueEncoding: 'view',
      cacheSize: cacheBytes,
      writeBufferSize: writeBufferBytes,
    });
    // abstract-level opens by itself on the next tick; `open` reports the outcome, so the event must not crash the process
    this.level.on('error', () => {});
  }

  /**
   * Makes a closed database readable again that has lost parts of its files; what stood there is gone, or has an older value.
   * @throws OperatingError `repair_failed`
   */
  static async repair(directory: string): Promise<void> {
    try {
      await ClassicLevel.repair(directory);
    } catch (error) {
      throw new OperatingError(
        'repair_failed',
        `cannot repair the database in ${directory}`,
        'Restore the data directory from a backup.',
        error,
      );
    }
  }

  async open(): Promise<void> {
    try {
      await mkdir(this.directory, { recursive: true });
      await this.level.open();
    } catch (error) {
      throw this.openFailure(error);
    }
  }

  async close(): Promise<void> {
    await this.level.close();
  }

  get(key: string): Uint8Array | null {
    const sealed = this.reading(key, () => this.level.getSync(key));
    return sealed === undefined ? null : unsealValue(key, sealed);
  }

  async batch(operations: readonly KvOperation[], options: { readonly sync: boolean }): Promise<void> {
    // Chained: an array of operations costs the library almost three times as much (an object and a look-up of each field).
    let batch: ReturnType<typeof this.level.batch> | null = null;
    try {
      batch = this.level.batch();
      for (const operation of operations) {
        if (operation.type === 'put') batch.put(operation.key, sealValue(operation.key, operation.value));
        else batch.del(operation.key);
      }
      await batch.write({ sync: options.sync });
    } catch (error) {
      await batch?.close();
      throw new OperatingError(
        'write_failed',
        `cannot write to the database in ${this.directory}`,
        'Check free space and the health of the disk, then start again.',
        error,
      );
    }
  }

  async *entries(range: KvRange): AsyncIterable<readonly [string, Uint8Array]> {
    const iterator = this.level.iterator({
      gte: range.from,
      lt: range.to,
      reverse: range.reverse ?? false,
      limit: range.limit ?? -1,
    });
    try {
      for (;;) {
        const entry = await this.step(range.from, () => iterator.next());
        if (entry === undefined) return;
        yield [entry[0], unsealValue(entry[0], entry[1])];
      }
    } finally {
      await iterator.close();
    }
  }

  /** Gives the room of deleted values back to the disk; takes as long as rewriting the database. */
  async compact(): Promise<void> {
    await this.level.compactRange('', '~');
  }

  private async step<T>(key: string, read: () => Promise<T>): Promise<T> {
    try {
      return await read();
    } catch (error) {
      throw this.readFailure(key, error);
    }
  }

  private reading<T>(key: string, read: () => T): T {
    try {
      return read();
    } catch (error) {
      throw this.readFailure(key, error);
    }
  }

  private readFailure(key: string, error: unknown): OperatingError {
    const code = codeOf(error);
    if (code === 'LEVEL_CORRUPTION' || code === 'LEVEL_DECODE_ERROR')
      return corrupt(key === '' ? this.directory : key, error);
    return new OperatingError('read_failed', `cannot read the database in ${this.directory}`, null, error);
  }

  private openFailure(error: unknown): OperatingError {
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
    const code = codeOf(cause);
    if (code === 'LEVEL_LOCKED') {
      return new OperatingError(
        'directory_in_use',
        `the database in ${this.directory} is open in another process`,
        'Stop the other process, or give this one a data directory of its own.',
        error,
      );
    }
    if (code === 'LEVEL_CORRUPTION') return corrupt(this.directory, error);
    return new OperatingError('open_failed', `cannot open the database in ${this.directory}`, null, error);
  }
}
