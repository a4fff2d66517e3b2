import { assert } from '../core/base/assert.ts';
import type { KeyValueStore, KvOperation, KvRange } from '../ports/kv.ts';

/** Order of the UTF-8 forms, which is code point order; JavaScript's own order differs above U+FFFF. */
function compareKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index += 1) {
    const x = a.charCodeAt(index);
    const y = b.charCodeAt(index);
    if (x === y) continue;
    const surrogates = Number((x & 0xf800) === 0xd800) - Number((y & 0xf800) === 0xd800);
    return surrogates !== 0 ? surrogates : x - y;
  }
  return a.length - b.length;
}

/** The key-value contract in memory, for tests and the simulator; survives `close` and `open` as a disk would. */
export class MemoryStore implements KeyValueStore {
  private readonly values = new Map<string, Uint8Array>();
  private sorted: string[] | null = null;
  private opened = false;

  async open(): Promise<void> {
    this.opened = true;
  }

  async close(): Promise<void> {
    this.opened = false;
  }

  get(key: string): Uint8Array | null {
    assert(this.opened, 'the store is open');
    return this.values.get(key)?.slice() ?? null;
  }

  async batch(operations: readonly KvOperation[], _options: { readonly sync: boolean }): Promise<void> {
    assert(this.opened, 'the store is open');
    for (const operation of operations) {
      const known = this.values.has(operation.key);
      if (operation.type === 'put') this.values.set(operation.key, operation.value.slice());
      else this.values.delete(operation.key);
      if (known !== (operation.type === 'put')) this.sorted = null;
    }
  }

  async *entries(range: KvRange): AsyncIterable<readonly [string, Uint8Array]> {
    assert(this.opened, 'the store is open');
    this.sorted ??= [...this.values.keys()].sort(compareKeys);
    const from = this.position(range.from);
    const keys = this.sorted.slice(from, Math.max(from, this.position(range.to)));
    if (range.reverse === true) keys.reverse();
    const limited = keys.slice(0, range.limit ?? keys.length);
    const snapshot = limited.map(key => [key, this.values.get(key)!.slice()] as const);
    yield* snapshot;
  }

  /** Index of the first sorted key that is not below `key`. */
  private position(key: string): number {
    const sorted = this.sorted!;
    let low = 0;
    let high = sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareKeys(sorted[middle]!, key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
