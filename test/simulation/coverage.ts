/**
 * How often each kind of fault and each transition happened. Names are `<area>: <what>`; `requirements.ts` lists
 * those that a run over many seeds must show.
 */
export class Coverage {
  readonly counts = new Map<string, number>();

  hit(name: string, times = 1): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + times);
  }

  add(other: Iterable<readonly [string, number]>): void {
    for (const [name, times] of other) this.hit(name, times);
  }

  /** The names in order, each with its count. */
  sorted(): [string, number][] {
    return [...this.counts].sort(([a], [b]) => (a < b ? -1 : 1));
  }
}
