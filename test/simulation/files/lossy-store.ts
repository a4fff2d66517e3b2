import type { KeyValueStore, KvOperation, KvRange } from '../../../src/ports/kv.ts';
import { MemoryStore } from '../../../src/store/memory-store.ts';
import type { Random } from '../random.ts';

export interface StoreHost {
  readonly random: Random;
  afterIo(): Promise<void>;
  isFull(): boolean;
  hit(name: string): void;
}

/**
 * A database as LevelDB writes it: batches whole and in order, there for readers at once, on disk only after a synced one. A loss
 * of power keeps some of the batches behind the last flush, the earliest first.
 */
export class LossyStore implements KeyValueStore {
  private visible = new MemoryStore();
  readonly durable = new Map<string, Uint8Array>();
  private unsynced: (readonly KvOperation[])[] = [];
  private tail: Promise<void> = Promise.resolve();

  constructor(private readonly host: StoreHost) {}

  async open(): Promise<void> {
    await this.visible.open();
  }

  async close(): Promise<void> {}

  get(key: string): Uint8Array | null {
    return this.visible.get(key);
  }

  entries(range: KvRange): AsyncIterable<readonly [string, Uint8Array]> {
    return this.visible.entries(range);
  }

  batch(operations: readonly KvOperation[], { sync }: { readonly sync: boolean }): Promise<void> {
    const done = this.tail.then(() => this.write(operations, sync));
    this.tail = done.catch(() => {});
    return done;
  }

  private async write(operations: readonly KvOperation[], sync: boolean): Promise<void> {
    if (sync) await this.host.afterIo();
    if (this.host.isFull() && operations.some(({ type }) => type === 'put')) {
      this.host.hit('files: disk full');
      throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
    }
    await this.visible.batch(operations, { sync });
    this.unsynced.push(operations);
    if (!sync) return;
    for (const batch of this.unsynced.splice(0)) this.keep(batch);
  }

  private keep(batch: readonly KvOperation[]): void {
    for (const operation of batch) {
      if (operation.type === 'put') this.durable.set(operation.key, operation.value.slice());
      else this.durable.delete(operation.key);
    }
  }

  /** The program ends; `losesPower` takes what was not flushed with it. */
  async end(losesPower: boolean): Promise<void> {
    const kept = losesPower ? this.host.random.between(0, this.unsynced.length) : this.unsynced.length;
    if (kept < this.unsynced.length) this.host.hit('files: unsynced write lost');
    for (const batch of this.unsynced.splice(0).slice(0, kept)) this.keep(batch);
    this.tail = Promise.resolve();
    this.visible = new MemoryStore();
    await this.visible.open();
    await this.visible.batch(
      [...this.durable].map(([key, value]) => ({ type: 'put', key, value })),
      { sync: true },
    );
  }

  /** Turns one bit of a value, where it lies. @returns its key, null when there is none under the prefix */
  async rot(prefix: string): Promise<string | null> {
    const keys = [...this.durable.keys()].filter(key => key.startsWith(prefix));
    if (keys.length === 0) return null;
    const key = this.host.random.pick(keys);
    const value = (this.durable.get(key) as Uint8Array).slice();
    const at = this.host.random.between(0, value.length - 1);
    value[at] = (value[at] as number) ^ (1 << this.host.random.between(0, 7));
    this.durable.set(key, value);
    if (this.visible.get(key) !== null)
      await this.visible.batch([{ type: 'put', key, value }], { sync: true });
    return key;
  }
}
