/** Least recently used entries go first; bounded by the sum of weights. */
export class LruCache<K, V> {
  private readonly entries = new Map<K, { readonly value: V; readonly weight: number }>();
  private weight = 0;
  /** The most recently used: reading it again changes no order. */
  private newest: K | undefined;

  /** @param weightMax in the unit of `weigh`; an entry heavier than this is not kept */
  constructor(
    private readonly weightMax: number,
    private readonly weigh: (value: V) => number,
  ) {}

  get(key: K): V | undefined {
    const entry = this.entries.get(key);
    if (entry === undefined) return undefined;
    // Nothing goes soon while much room is left, and order costs more than the lookup.
    if (key !== this.newest && 2 * this.weight > this.weightMax) {
      this.entries.delete(key);
      this.entries.set(key, entry);
      this.newest = key;
    }
    return entry.value;
  }

  set(key: K, value: V): void {
    this.delete(key);
    const weight = this.weigh(value);
    if (weight > this.weightMax) return;
    this.entries.set(key, { value, weight });
    this.newest = key;
    this.weight += weight;
    for (const oldest of this.entries.keys()) {
      if (this.weight <= this.weightMax) return;
      this.delete(oldest);
    }
  }

  delete(key: K): void {
    const entry = this.entries.get(key);
    if (entry === undefined) return;
    this.entries.delete(key);
    this.weight -= entry.weight;
  }
}
