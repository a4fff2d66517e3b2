import { equalBytes, toHex } from '../base/bytes.ts';
import type { Hash, Sha256 } from '../base/ids.ts';
import { batchLeaf } from '../codec/build.ts';
import { nodeHash, splitPoint } from '../merkle/log.ts';
import { LIMITS } from '../types/limits.ts';
import type { Transaction } from '../types/transaction.ts';

/** One step from a leaf to the root: the node that is left, and its sibling. */
interface Step {
  readonly node: number;
  readonly sibling: number;
  readonly isLeft: boolean;
}

/** A subtree by its first leaf and its number of leaves. */
const nodeOf = (first: number, leaves: number) => first * (LIMITS.batchTreeSize + 1) + leaves;

const stepsKnown = new Map<number, readonly Step[]>();

/** RFC 9162 section 2.1.1: from the leaf up. */
function stepsFrom(index: number, size: number): readonly Step[] {
  const known = stepsKnown.get(nodeOf(index, size));
  if (known !== undefined) return known;
  const steps: Step[] = [];
  for (let first = 0, leaves = size; leaves > 1; ) {
    const split = splitPoint(leaves);
    const [left, right] = [nodeOf(first, split), nodeOf(first + split, leaves - split)];
    const isLeft = index < first + split;
    steps.unshift(isLeft ? { node: left, sibling: right, isLeft } : { node: right, sibling: left, isLeft });
    first = isLeft ? first : first + split;
    leaves = isLeft ? split : leaves - split;
  }
  stepsKnown.set(nodeOf(index, size), steps);
  return steps;
}

/** Of one signed root: the nodes that were found below it. */
interface Tree {
  readonly publicKey: Uint8Array;
  readonly root: Hash;
  readonly nodes: Map<number, Hash>;
}

function nameOf({ body, signed }: Transaction): string {
  return `${toHex(signed.signature)}${body.chainId}${body.keyId}.${signed.batch.treeSize}`;
}

/**
 * Trees whose root's signature is good. Transactions that were signed together come together: each of them needs only the nodes
 * that no other one has shown yet, which is one hash for the whole path on average instead of six. What is accepted is
 * the same: every hash of a path is compared, computed or known.
 */
export class BatchTrees {
  private readonly trees = new Map<string, Tree>();

  /** @param treesMax remembered trees, of at most 127 nodes each; the oldest is forgotten */
  constructor(
    private readonly sha256: Sha256,
    private readonly treesMax: number,
  ) {}

  /** True when the path leads to a root that this key is known to have signed; false says nothing. */
  knows(transaction: Transaction, publicKey: Uint8Array): boolean {
    const tree = this.trees.get(nameOf(transaction));
    return tree !== undefined && equalBytes(tree.publicKey, publicKey) && this.follow(tree, transaction);
  }

  /** @param root that the path leads to and that the key has signed */
  add(transaction: Transaction, publicKey: Uint8Array, root: Hash): void {
    if (transaction.signed.batch.treeSize === 1) return;
    const tree: Tree = { publicKey, root, nodes: new Map() };
    if (this.trees.size >= this.treesMax) {
      for (const oldest of this.trees.keys()) if (this.trees.delete(oldest)) break;
    }
    this.trees.set(nameOf(transaction), tree);
    this.follow(tree, transaction);
  }

  /** Hashes upwards as far as the first known node; above it, the path must name the known siblings. */
  private follow(tree: Tree, { id, signed }: Transaction): boolean {
    const { index, treeSize, path } = signed.batch;
    if (index >= treeSize) return false;
    const steps = stepsFrom(index, treeSize);
    if (path.length !== steps.length) return false;
    const { nodes } = tree;
    const found: Hash[] = [];
    let hash = batchLeaf(this.sha256, id);
    let at = 0;
    for (; at < steps.length; at += 1) {
      const { node, isLeft } = steps[at] as Step;
      if (nodes.get(node) === hash) break;
      found.push(hash);
      const sibling = path[at] as Hash;
      hash = isLeft ? nodeHash(this.sha256, hash, sibling) : nodeHash(this.sha256, sibling, hash);
    }
    if (at === steps.length && hash !== tree.root) return false;
    for (let above = at; above < steps.length; above += 1) {
      if (nodes.get((steps[above] as Step).sibling) !== path[above]) return false;
    }
    for (const [below, own] of found.entries()) {
      const { node, sibling } = steps[below] as Step;
      nodes.set(node, own).set(sibling, path[below] as Hash);
    }
    return true;
  }
}
