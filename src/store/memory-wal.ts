import { assert } from '../core/base/assert.ts';
import type { WriteAheadLog } from '../ports/wal.ts';

/** The log in memory; opening it again gives what was appended, as a disk would. */
export class MemoryWal implements WriteAheadLog {
  private records: Uint8Array[] = [];
  private opened = false;

  async open(): Promise<readonly Uint8Array[]> {
    assert(!this.opened, 'the log is opened once');
    this.opened = true;
    return this.records.map(record => record.slice());
  }

  async append(records: readonly Uint8Array[]): Promise<void> {
    assert(this.opened, 'the log is open');
    this.records.push(...records.map(record => record.slice()));
  }

  async rewrite(records: readonly Uint8Array[]): Promise<void> {
    assert(this.opened, 'the log is open');
    this.records = records.map(record => record.slice());
  }

  async close(): Promise<void> {
    this.opened = false;
  }
}
