import type { Hash, Sha256 } from '../base/ids.ts';
import { consistencyPath, type Frontier, frontierRoot, nodeHash, treeRoot } from './log.ts';

/** Subtrees of fewer leaves are not remembered: computing one takes no longer than reading its leaves. */
const REMEMBERED_LEAVES_MIN = 32;

/** Roots of perfect subtrees of one log. A log only grows, so that they never change. */
export interface SubtreeMemory {
  /** @param from first leaf, a multiple of `leaves`, which is a power of two */
  get(from: number, leaves: number): Hash | undefined;
  set(from: number, leaves: number, root: Hash): void;
}

/** Proofs of one log in O(log n) hashes, once the subtrees that they need are remembered. */
export class Subtrees {
  /** @param leafHashes hashes of the leaves [from, to) */
  constructor(
    private readonly sha256: Sha256,
    private readonly leafHashes: (from: number, to: number) => readonly Hash[],
    private readonly memory: SubtreeMemory,
  ) {}

  /** Of the leaves [0, size). */
  frontier(size: number): Frontier {
    return { size, hashes: this.perfectRoots(0, size) };
  }

  /** RFC 9162 section 2.1.4.1. */
  consistencyProof(first: number, second: number): Hash[] {
    return consistencyPath((from, to) => this.root(from, to), first, second);
  }

  /** Of the leaves [from, to) of one subtree. */
  root(from: number, to: number): Hash {
    return frontierRoot(this.sha256, { size: to - from, hashes: this.perfectRoots(from, to) });
  }

  /** Of the perfect subtrees of [from, to), left to right; `from` is a multiple of the largest. */
  private perfectRoots(from: number, to: number): Hash[] {
    const roots: Hash[] = [];
    let leaves = 1;
    while (leaves * 2 <= to - from) leaves *= 2;
    for (let at = from; at < to; leaves /= 2) {
      if (leaves > to - at) continue;
      roots.push(this.perfectRoot(at, leaves));
      at += leaves;
    }
    return roots;
  }

  private perfectRoot(from: number, leaves: number): Hash {
    if (leaves < REMEMBERED_LEAVES_MIN) return treeRoot(this.sha256, this.leafHashes(from, from + leaves));
    const known = this.memory.get(from, leaves);
    if (known !== undefined) return known;
    const half = leaves / 2;
    const root =
      leaves === REMEMBERED_LEAVES_MIN
        ? treeRoot(this.sha256, this.leafHashes(from, from + leaves))
        : nodeHash(this.sha256, this.perfectRoot(from, half), this.perfectRoot(from + half, half));
    this.memory.set(from, leaves, root);
    return root;
  }
}
