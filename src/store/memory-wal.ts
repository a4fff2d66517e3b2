import { randomUUID } from 'node:crypto';
import { assert } from '../core/base/assert.ts';
import type { WalContent, WriteAheadLog } from '../ports/wal.ts';

/** The log in memory; opening it again gives what was appended, as a disk would. */
export class MemoryWal implements WriteAheadLog {
  private records: Uint8Array[] = [];
  private identity: string | null = null;
  private opened = false;

  async open(): Promise<WalContent | null> {
    assert(!this.opened, 'the log is opened once');
    if (this.identity === null) return null;
    this.opened = true;
    return { identity: this.identity, records: this.records.map(record => record.slice()) };
  }

  async create(): Promise<string> {
    this.identity = randomUUID();
    this.records = [];
    this.opened = true;
    return this.identity;
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
