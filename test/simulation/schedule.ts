interface Entry {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
}

/** Simulated time: a heap of events, ties in the order of scheduling. */
export class Schedule {
  nowMs = 0;
  private order = 0;
  private readonly heap: Entry[] = [];

  constructor(private readonly trace: { nowMs: number }) {}

  after(delayMs: number, run: () => void): void {
    this.order += 1;
    this.heap.push({ atMs: this.nowMs + delayMs, order: this.order, run });
    this.up(this.heap.length - 1);
  }

  get size(): number {
    return this.heap.length;
  }

  /** Runs the next event; false when there is none up to `untilMs`. */
  runNext(untilMs: number): boolean {
    const next = this.heap[0];
    if (next === undefined || next.atMs > untilMs) {
      this.nowMs = Math.max(this.nowMs, untilMs);
      this.trace.nowMs = this.nowMs;
      return false;
    }
    const last = this.heap.pop() as Entry;
    if (this.heap.length > 0) {
      this.heap[0] = last;
      this.down(0);
    }
    this.nowMs = next.atMs;
    this.trace.nowMs = next.atMs;
    next.run();
    return true;
  }

  private before(a: number, b: number): boolean {
    const first = this.heap[a] as Entry;
    const second = this.heap[b] as Entry;
    return first.atMs < second.atMs || (first.atMs === second.atMs && first.order < second.order);
  }

  private swap(a: number, b: number): void {
    [this.heap[a], this.heap[b]] = [this.heap[b] as Entry, this.heap[a] as Entry];
  }

  private up(start: number): void {
    for (let index = start; index > 0; ) {
      const parent = (index - 1) >> 1;
      if (!this.before(index, parent)) return;
      this.swap(index, parent);
      index = parent;
    }
  }

  private down(start: number): void {
    for (let index = start; ; ) {
      let least = index;
      for (const child of [2 * index + 1, 2 * index + 2])
        if (child < this.heap.length && this.before(child, least)) least = child;
      if (least === index) return;
      this.swap(index, least);
      index = least;
    }
  }
}
