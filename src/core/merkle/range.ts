import type { Hash, Sha256 } from '../base/ids.ts';
import { type Frontier, frontierRoot, nodeHash, splitPoint } from './log.ts';

/**
 * Roots of the subtrees right of the first `end` leaves that a path to the root of `size` leaves passes, deepest first. With
 * the frontier of those leaves they give the root: so a range of leaves is proven by the frontier before it and what this
 * gives for its end. For one leaf both together are its RFC 9162 inclusion path.
 *
 * @param rootOf root over the leaves [from, to) of a subtree
 */
export function hashesRightOf(rootOf: (from: number, to: number) => Hash, end: number, size: number): Hash[] {
  if (end === 0) return size === 0 ? [] : [rootOf(0, size)];
  const right: Hash[] = [];
  let from = 0;
  let to = size;
  while (end < to) {
    const middle = from + splitPoint(to - from);
    if (end <= middle) {
      right.push(rootOf(middle, to));
      to = middle;
    } else {
      from = middle;
    }
  }
  return right.reverse();
}

/**
 * Root of the tree of `size` leaves whose first ones have this frontier; null when the number of hashes does not fit.
 * @param right as `hashesRightOf` gives them
 */
export function rootWithRight(
  sha256: Sha256,
  frontier: Frontier,
  right: readonly Hash[],
  size: number,
): Hash | null {
  const end = frontier.size;
  if (end > size) return null;
  if (end === size) return right.length === 0 ? frontierRoot(sha256, frontier) : null;
  const lefts = frontier.hashes.values();
  const rights = right.values();
  const rootOf = (from: number, to: number): Hash | null => {
    if (from >= end) return rights.next().value ?? null;
    if (to <= end) return lefts.next().value ?? null;
    const middle = from + splitPoint(to - from);
    const left = rootOf(from, middle);
    const rest = left === null ? null : rootOf(middle, to);
    return left === null || rest === null ? null : nodeHash(sha256, left, rest);
  };
  const root = rootOf(0, size);
  return lefts.next().done === true && rights.next().done === true ? root : null;
}

/** The right hashes that an RFC 9162 consistency path from `first` to `second` leaves holds. */
export function rightOfConsistency(path: readonly Hash[], first: number, second: number): Hash[] {
  const spans: boolean[] = [];
  let from = 0;
  let to = second;
  while (first !== to) {
    const middle = from + splitPoint(to - from);
    spans.push(first <= middle);
    if (first <= middle) to = middle;
    else from = middle;
  }
  const climbed = from === 0 ? path : path.slice(1);
  return climbed.filter((_, index) => spans[spans.length - 1 - index] === true);
}

/**
 * What is needed beside some leaves for the root of them all: from the root down, the left side first, the root of each subtree
 * that has none of them.
 *
 * @param rootOf root over the leaves [from, to) of a subtree
 * @param shown positions, ascending
 */
export function hashesBeside(
  rootOf: (from: number, to: number) => Hash,
  shown: readonly number[],
  size: number,
): Hash[] {
  const hashes: Hash[] = [];
  const walk = (from: number, to: number, inside: readonly number[]): void => {
    if (inside.length === 0) {
      hashes.push(rootOf(from, to));
    } else if (to - from > 1) {
      const middle = from + splitPoint(to - from);
      const right = inside.findIndex(position => position >= middle);
      const cut = right < 0 ? inside.length : right;
      walk(from, middle, inside.slice(0, cut));
      walk(middle, to, inside.slice(cut));
    }
  };
  if (size > 0) walk(0, size, shown);
  return hashes;
}

/**
 * Root of the tree of `size` leaves of which these are shown; null when the hashes, or the positions, do not fit.
 * @param beside as `hashesBeside` gives them
 */
export function rootWithBeside(
  sha256: Sha256,
  shown: readonly { readonly position: number; readonly hash: Hash }[],
  beside: readonly Hash[],
  size: number,
): Hash | null {
  const positions = shown.map(({ position }) => position);
  const isAscending = positions.every((position, at) => at === 0 || positions[at - 1]! < position);
  if (size === 0 || !isAscending || (positions.at(-1) ?? 0) >= size) return null;
  const given = beside.values();
  const walk = (from: number, to: number, inside: typeof shown): Hash | null => {
    if (inside.length === 0) return given.next().value ?? null;
    if (to - from === 1) return inside[0]!.hash;
    const middle = from + splitPoint(to - from);
    const right = inside.findIndex(({ position }) => position >= middle);
    const cut = right < 0 ? inside.length : right;
    const left = walk(from, middle, inside.slice(0, cut));
    const rest = left === null ? null : walk(middle, to, inside.slice(cut));
    return left === null || rest === null ? null : nodeHash(sha256, left, rest);
  };
  const root = walk(0, size, shown);
  return given.next().done === true ? root : null;
}
