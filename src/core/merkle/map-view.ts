import { type Hash, type Sha256, ZERO_HASH } from '../base/ids.ts';
import { isReject, type Reject, reject } from '../base/reject.ts';
import { Reader } from '../codec/reader.ts';
import { Writer } from '../codec/writer.ts';
import {
  keyBit,
  loadNode,
  type MapNodes,
  type MapProof,
  mapBranchHash,
  mapLeafHash,
  splitKeys,
} from './map.ts';

/**
 * The part of a map on the paths to some keys. Whoever keeps it needs to be told, of a later map, only what has changed on those
 * paths: a step costs nothing for keys whose neighbourhood did not change, however many they are.
 */
export type MapView =
  | { readonly kind: 'stub'; readonly hash: Hash }
  | { readonly kind: 'leaf'; readonly hash: Hash; readonly key: Hash }
  | { readonly kind: 'branch'; readonly hash: Hash; readonly left: MapView; readonly right: MapView };

/** Bytes of a step, one a node: as it was; a subtree without asked keys; an asked leaf; a branch, its children follow; nothing. */
const STEP = { same: 0, hash: 1, leaf: 2, branch: 3, empty: 4 } as const;

const EMPTY: MapView = { kind: 'stub', hash: ZERO_HASH };

/** The view that a proof of presence shows. @param proof verified: it has the leaf of the key */
export function viewOfProof(sha256: Sha256, key: Hash, { siblings, leaf }: MapProof): MapView {
  const value = leaf?.value ?? ZERO_HASH;
  let view: MapView = { kind: 'leaf', hash: mapLeafHash(sha256, key, value), key };
  for (let depth = siblings.length - 1; depth >= 0; depth -= 1) {
    const sibling: MapView = { kind: 'stub', hash: siblings[depth]! };
    const [left, right]: [MapView, MapView] = keyBit(key, depth) === 1 ? [sibling, view] : [view, sibling];
    view = { kind: 'branch', hash: mapBranchHash(sha256, left.hash, right.hash), left, right };
  }
  return view;
}

/** Both are of one map. */
export function mergeViews(a: MapView, b: MapView): MapView {
  if (b.kind !== 'branch' || a === b) return a.kind === 'stub' ? b : a;
  if (a.kind !== 'branch') return b;
  const left = mergeViews(a.left, b.left);
  const right = mergeViews(a.right, b.right);
  return left === a.left && right === a.right ? a : { ...a, left, right };
}

/** The view's leaf of a key; null when the view does not lead to it. */
function leafOf(view: MapView, key: Hash): MapView | null {
  let at = view;
  for (let depth = 0; at.kind === 'branch'; depth += 1) at = keyBit(key, depth) === 1 ? at.right : at.left;
  return at.kind === 'leaf' && at.key === key ? at : null;
}

/** A node of the map that the asker has its view of; null where it is no longer stored. */
function earlierNode(nodes: MapNodes, hash: Hash | null) {
  return hash === null || hash === ZERO_HASH || nodes(hash) === null ? null : loadNode(nodes, hash);
}

/** The asked keys whose value is not that of the earlier map, or whose earlier value is no longer stored. */
export function changedKeys(nodes: MapNodes, before: Hash, root: Hash, keys: readonly Hash[]): Hash[] {
  const found: Hash[] = [];
  const walk = (earlier: Hash | null, hash: Hash, depth: number, asked: readonly Hash[]): void => {
    if (asked.length === 0 || earlier === hash) return;
    const node = earlierNode(nodes, hash);
    const old = earlierNode(nodes, earlier);
    if (node?.kind === 'branch') {
      const [left, right] = splitKeys(asked, depth);
      // a leaf that stood higher before is looked for on its way down
      const below = (bit: 0 | 1) => {
        if (old === null) return null;
        if (old.kind === 'branch') return bit === 1 ? old.right : old.left;
        return keyBit(old.key, depth) === bit ? earlier : null;
      };
      walk(below(0), node.left, depth + 1, left);
      walk(below(1), node.right, depth + 1, right);
      return;
    }
    found.push(...asked);
  };
  walk(before, root, 0, keys);
  return found;
}

/** True when the earlier map has this value, as far as it is stored. */
export function hasValue(nodes: MapNodes, root: Hash, key: Hash, value: Hash): boolean {
  let node = earlierNode(nodes, root);
  for (let depth = 0; node?.kind === 'branch'; depth += 1) {
    node = earlierNode(nodes, keyBit(key, depth) === 1 ? node.right : node.left);
  }
  return node?.key === key && node.value === value;
}

/**
 * What leads from a view of the earlier map to one of the later.
 * @param keys sorted; each is in the asker's view, and has the same value in both maps
 */
export function stepProof(nodes: MapNodes, before: Hash, root: Hash, keys: readonly Hash[]): Uint8Array {
  const writer = new Writer();
  const walk = (earlier: Hash | null, hash: Hash, depth: number, asked: readonly Hash[]): void => {
    if (earlier === hash) writer.u8(STEP.same);
    else if (hash === ZERO_HASH) writer.u8(STEP.empty);
    else if (asked.length === 0) writer.u8(STEP.hash).hash(hash);
    else {
      const node = loadNode(nodes, hash);
      if (node.kind === 'leaf') {
        writer.u8(STEP.leaf);
        return;
      }
      writer.u8(STEP.branch);
      const old = earlierNode(nodes, earlier);
      const [left, right] = splitKeys(asked, depth);
      walk(old?.kind === 'branch' ? old.left : null, node.left, depth + 1, left);
      walk(old?.kind === 'branch' ? old.right : null, node.right, depth + 1, right);
    }
  };
  walk(before, root, 0, keys);
  return writer.finish();
}

const DEPTH_MAX = 256;

/**
 * Follows a step. Who compares the hash of the result with a certified root knows that all asked keys have the values that they
 * had in the view.
 * @param keys sorted; the view leads to each of them
 */
export function followStep(
  sha256: Sha256,
  view: MapView,
  keys: readonly Hash[],
  step: Uint8Array,
): MapView | Reject {
  const reader = new Reader(step);
  const fault = (): MapView => {
    reader.fail('a step that does not fit the view');
    return EMPTY;
  };
  const branch = (old: MapView | null, depth: number, asked: readonly Hash[]): MapView => {
    if (depth === DEPTH_MAX) return fault();
    const [leftKeys, rightKeys] = splitKeys(asked, depth);
    const left = walk(old?.kind === 'branch' ? old.left : null, depth + 1, leftKeys);
    const right = walk(old?.kind === 'branch' ? old.right : null, depth + 1, rightKeys);
    return { kind: 'branch', hash: mapBranchHash(sha256, left.hash, right.hash), left, right };
  };
  const walk = (old: MapView | null, depth: number, asked: readonly Hash[]): MapView => {
    if (reader.failed) return EMPTY;
    const kind = reader.u8();
    if (kind === STEP.same) return old === null || (old.kind === 'stub' && asked.length > 0) ? fault() : old;
    if (kind === STEP.leaf) return (asked.length === 1 ? leafOf(view, asked[0]!) : null) ?? fault();
    if (kind === STEP.branch) return asked.length === 0 ? fault() : branch(old, depth, asked);
    if (asked.length > 0) return fault();
    if (kind === STEP.hash) return { kind: 'stub', hash: reader.hash() };
    return kind === STEP.empty ? EMPTY : fault();
  };
  const next = reader.finish(walk(view, 0, keys), 'map step');
  return isReject(next) ? reject('bad_map_proof', next.detail) : next;
}
