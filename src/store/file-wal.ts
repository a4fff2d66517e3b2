import { randomBytes } from 'node:crypto';
import { dirname } from 'node:path';
import { assert, assertDefined } from '../core/base/assert.ts';
import { concatBytes, toHex } from '../core/base/bytes.ts';
import { OperatingError } from '../ports/lifecycle.ts';
import type { WalContent, WriteAheadLog } from '../ports/wal.ts';
import { type DiskFile, type FileOperations, nodeFileOperations } from './file-operations.ts';
import {
  encodeWalHead,
  encodeWalRecords,
  scanWal,
  WAL_IDENTITY_BYTES,
  WAL_RECORD_BYTES_MAX,
} from './wal-record.ts';

interface Job {
  readonly kind: 'append' | 'rewrite';
  readonly records: readonly Uint8Array[];
  resolve(): void;
  reject(error: unknown): void;
}

/**
 * The write-ahead log as one file of checksummed records. Appends that arrive while the disk is busy share the next write and
 * flush. After one failure nothing is known about the file, so every later call fails too (SCENARIOS 67).
 */
export class FileWal implements WriteAheadLog {
  private file: DiskFile | null = null;
  private identity: Uint8Array = new Uint8Array(WAL_IDENTITY_BYTES);
  private endBytes = 0;
  private jobs: Job[] = [];
  private running: Promise<void> | null = null;
  private failure: OperatingError | null = null;

  constructor(
    private readonly path: string,
    private readonly disk: FileOperations = nodeFileOperations,
  ) {}

  async open(): Promise<WalContent | null> {
    assert(this.file === null, 'the log is opened once');
    try {
      await this.disk.ensureDirectory(dirname(this.path));
      await this.disk.remove(this.nextPath());
      this.file = await this.disk.openExisting(this.path);
      return this.file === null ? null : await this.recover(this.file);
    } catch (error) {
      await this.file?.close();
      this.file = null;
      throw error instanceof OperatingError ? error : this.diskFailure('open', error);
    }
  }

  async create(): Promise<string> {
    assert(this.running === null && this.failure === null, 'a log is created before anything is written');
    this.identity = new Uint8Array(randomBytes(WAL_IDENTITY_BYTES));
    try {
      await this.replace([]);
    } catch (error) {
      this.failure = this.diskFailure('create', error);
      throw this.failure;
    }
    return toHex(this.identity);
  }

  append(records: readonly Uint8Array[]): Promise<void> {
    return this.enqueue('append', records);
  }

  rewrite(records: readonly Uint8Array[]): Promise<void> {
    return this.enqueue('rewrite', records);
  }

  async close(): Promise<void> {
    while (this.running !== null) await this.running;
    const file = this.file;
    this.file = null;
    await file?.close();
  }

  private async recover(file: DiskFile): Promise<WalContent> {
    const bytes = await file.readAll();
    const scan = scanWal(bytes);
    if (scan.corruptAt !== null || scan.identity === null) {
      throw new OperatingError(
        'wal_corrupt',
        `the write-ahead log ${this.path} is damaged at byte ${scan.corruptAt}`,
        'Do not delete it: a validator that lost its log must get a new key before it votes again.',
      );
    }
    this.identity = scan.identity;
    this.endBytes = scan.validBytes;
    if (scan.validBytes < bytes.length) await file.truncate(scan.validBytes);
    // After a kill the file may hold what was written and never flushed, under a name that was never flushed: the node is about to
    // act on it, so it must not be lost with the power any more.
    await file.sync();
    await this.disk.syncDirectory(dirname(this.path));
    return { identity: toHex(scan.identity), records: scan.records };
  }

  private enqueue(kind: Job['kind'], records: readonly Uint8Array[]): Promise<void> {
    assert(this.file !== null || this.failure !== null, 'the log is open');
    for (const record of records)
      assert(record.length <= WAL_RECORD_BYTES_MAX, 'a record is within its limit');
    if (this.failure !== null) return Promise.reject(this.failure);
    return new Promise<void>((resolve, reject) => {
      this.jobs.push({ kind, records, resolve, reject });
      this.running ??= this.work();
    });
  }

  private async work(): Promise<void> {
    // the calls of this tick go into one flush
    await Promise.resolve();
    while (this.jobs.length > 0) {
      const batch = this.takeBatch();
      try {
        const records = batch.flatMap(job => job.records);
        if (batch[0]!.kind === 'rewrite') await this.replace(records);
        else await this.write(records);
      } catch (error) {
        this.fail(batch, error);
        break;
      }
      for (const job of batch) job.resolve();
    }
    // in the same step as the last look at the queue, so that no job is left without a worker
    this.running = null;
  }

  /** A rewrite alone, or all appends up to the next rewrite. */
  private takeBatch(): readonly Job[] {
    const rewriteAt = this.jobs.findIndex(job => job.kind === 'rewrite');
    const count = rewriteAt === 0 ? 1 : rewriteAt < 0 ? this.jobs.length : rewriteAt;
    return this.jobs.splice(0, count);
  }

  private async write(records: readonly Uint8Array[]): Promise<void> {
    if (records.length === 0) return;
    const bytes = encodeWalRecords(records);
    const file = assertDefined(this.file, 'the log is open');
    await file.write(bytes, this.endBytes);
    await file.sync();
    this.endBytes += bytes.length;
  }

  /** A crash at any point leaves the old file or the new one, whole. */
  private async replace(records: readonly Uint8Array[]): Promise<void> {
    const bytes = concatBytes(encodeWalHead(this.identity), encodeWalRecords(records));
    const next = await this.disk.create(this.nextPath());
    try {
      await next.write(bytes, 0);
      await next.sync();
      await this.disk.rename(this.nextPath(), this.path);
      await this.disk.syncDirectory(dirname(this.path));
    } catch (error) {
      await next.close();
      throw error;
    }
    const previous = this.file;
    this.file = next;
    this.endBytes = bytes.length;
    await previous?.close();
  }

  private fail(batch: readonly Job[], error: unknown): void {
    const failure = this.diskFailure('write', error);
    this.failure = failure;
    const lost = [...batch, ...this.jobs];
    this.jobs = [];
    for (const job of lost) job.reject(failure);
  }

  private diskFailure(what: string, cause: unknown): OperatingError {
    return new OperatingError(
      'wal_failed',
      `cannot ${what} the write-ahead log ${this.path}`,
      'Check free space and the health of the disk, then start again.',
      cause,
    );
  }

  private nextPath(): string {
    return `${this.path}.next`;
  }
}
