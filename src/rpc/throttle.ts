/** Token buckets, one a key, with a bounded number of keys; no timers. */
export class Throttle {
  /** Insertion order is order of last use. */
  private readonly buckets = new Map<string, { tokens: number; atMs: number }>();

  /** @param monotonicMs monotonic milliseconds */
  constructor(
    private readonly options: {
      readonly perSecond: number;
      readonly burst: number;
      readonly keysMax: number;
      readonly monotonicMs: () => number;
    },
  ) {}

  /** True when the key may do one more now. */
  take(key: string): boolean {
    const { perSecond, burst, keysMax, monotonicMs } = this.options;
    const nowMs = monotonicMs();
    const bucket = this.buckets.get(key) ?? { tokens: burst, atMs: nowMs };
    this.buckets.delete(key);
    bucket.tokens = Math.min(burst, bucket.tokens + ((nowMs - bucket.atMs) / 1000) * perSecond);
    bucket.atMs = nowMs;
    this.buckets.set(key, bucket);
    if (this.buckets.size > keysMax) this.buckets.delete(this.buckets.keys().next().value as string);
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
  }

  get size(): number {
    return this.buckets.size;
  }
}
