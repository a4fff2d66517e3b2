import type { Hash, TransactionId } from '../base/ids.ts';
import type { Diff, StateView } from '../types/state.ts';

interface DiffIndex {
  /** By `<log id>/<position>`. */
  readonly leaves: ReadonlyMap<string, Hash>;
  readonly ids: ReadonlySet<TransactionId>;
}

const indexes = new WeakMap<Diff, DiffIndex>();

/** A diff never changes, so its index is made once however many overlays stack it. */
function indexOf(diff: Diff): DiffIndex {
  let index = indexes.get(diff);
  if (index === undefined) {
    const leaves = new Map(
      diff.leaves.map(leaf => [`${leaf.logId}/${leaf.position}`, leaf.leafHash] as const),
    );
    index = { leaves, ids: new Set(diff.ids) };
    indexes.set(diff, index);
  }
  return index;
}

/**
 * The state after blocks that are not committed yet.
 * @param diffs of consecutive heights above `base`, newest last
 */
export function overlayView(base: StateView, diffs: readonly Diff[]): StateView {
  const newestFirst = [...diffs].reverse();
  return {
    get: key => {
      for (const diff of newestFirst) {
        const value = diff.state.get(key);
        if (value !== undefined) return value;
      }
      return base.get(key);
    },
    mapNode: hash => {
      for (const diff of newestFirst) {
        const node = diff.mapNodes.get(hash);
        if (node !== undefined) return node;
      }
      return base.mapNode(hash);
    },
    leafHash: (logId, position) => {
      const key = `${logId}/${position}`;
      for (const diff of newestFirst) {
        const hash = indexOf(diff).leaves.get(key);
        if (hash !== undefined) return hash;
      }
      return base.leafHash(logId, position);
    },
    seen: id => {
      for (const diff of newestFirst) if (indexOf(diff).ids.has(id)) return diff.height;
      return base.seen(id);
    },
  };
}
