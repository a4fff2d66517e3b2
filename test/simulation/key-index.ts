import type { KvRange } from '../../src/ports/kv.ts';

/** Sorted keys of those keyspaces (`<name>/…`) that are read in order; the others cost nothing. */
export class KeyIndex {
  private readonly spaces = new Map<string, string[]>();

  constructor(private readonly values: ReadonlyMap<string, Uint8Array>) {}

  forget(): void {
    this.spaces.clear();
  }

  add(key: string): void {
    const sorted = this.spaces.get(spaceOf(key));
    if (sorted === undefined) return;
    const last = sorted.at(-1);
    if (last === undefined || last < key) sorted.push(key);
    else sorted.splice(position(sorted, key), 0, key);
  }

  remove(key: string): void {
    const sorted = this.spaces.get(spaceOf(key));
    if (sorted !== undefined) sorted.splice(position(sorted, key), 1);
  }

  /** The keys of a range; its bounds are in one keyspace, or it is read the slow way. */
  between({ from, to, reverse, limit }: KvRange): string[] {
    const space = spaceOf(from);
    const sorted = space === spaceOf(to) ? this.sorted(space) : [...this.values.keys()].sort();
    const first = position(sorted, from);
    const keys = sorted.slice(first, Math.max(first, position(sorted, to)));
    if (reverse === true) keys.reverse();
    return limit === undefined ? keys : keys.slice(0, limit);
  }

  private sorted(space: string): string[] {
    let sorted = this.spaces.get(space);
    if (sorted === undefined) {
      sorted = [...this.values.keys()].filter(key => spaceOf(key) === space).sort();
      this.spaces.set(space, sorted);
    }
    return sorted;
  }
}

/** A bound that names no keyspace, as that of a look at everything, is in one of its own. */
export function spaceOf(key: string): string {
  const end = key.indexOf('/');
  return end < 0 ? key : key.slice(0, end);
}

/** Index of the first key that is not below `key`. Keys are ASCII here, so that this is the order of their bytes. */
function position(sorted: readonly string[], key: string): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] as string) < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
