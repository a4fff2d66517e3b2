import type { Hash, LogId } from '../../core/base/ids.ts';
import type { SubtreeMemory } from '../../core/merkle/subtrees.ts';

/** Roots of subtrees of all logs; the least recently used go first. */
export class SubtreeCache {
  private readonly roots = new Map<string, Hash>();

  constructor(private readonly rootsMax: number) {}

  of(logId: LogId): SubtreeMemory {
    const keyOf = (from: number, leaves: number) => `${logId}/${from}/${leaves}`;
    return {
      get: (from, leaves) => this.get(keyOf(from, leaves)),
      set: (from, leaves, root) => this.set(keyOf(from, leaves), root),
    };
  }

  private get(key: string): Hash | undefined {
    const root = this.roots.get(key);
    if (root === undefined) return undefined;
    this.roots.delete(key);
    this.roots.set(key, root);
    return root;
  }

  private set(key: string, root: Hash): void {
    this.roots.set(key, root);
    if (this.roots.size <= this.rootsMax) return;
    for (const oldest of this.roots.keys()) {
      this.roots.delete(oldest);
      return;
    }
  }
}
