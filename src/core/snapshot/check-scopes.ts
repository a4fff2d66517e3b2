import { type Hash, type Sha256, ZERO_HASH } from '../base/ids.ts';
import { type Reject, reject } from '../base/reject.ts';
import { mapKeyOf, scopeDigest } from '../codec/state.ts';
import { logIdOf } from '../codec/transaction.ts';
import { checkLogEntry } from '../light/log-update.ts';
import { keyBit, type MapProof } from '../merkle/map.ts';
import type { Header } from '../types/chain.ts';
import type { ScopesChunk } from './chunks.ts';

/** A place in the map: a key that is in it, with its proof. */
export interface MapPlace {
  readonly key: Hash;
  readonly proof: MapProof;
}

/** Depth of the first bit in which two keys differ. */
function divergence(a: Hash, b: Hash): number {
  let depth = 0;
  while (keyBit(a, depth) === keyBit(b, depth)) depth += 1;
  return depth;
}

/** Below `depth`, nothing of the map lies on that side of the place's path. */
function isEmptyBeside({ key, proof }: MapPlace, side: 0 | 1, depth: number): boolean {
  return proof.siblings.every((hash, at) => at < depth || keyBit(key, at) === side || hash === ZERO_HASH);
}

/**
 * The map has no key between two of its keys: the siblings that would hold one are empty. So an omitted scope is noticed on
 * arrival, and who left it out is known.
 * @param a null for the beginning of the map
 * @param b null for its end
 */
function verifyAdjacent(a: MapPlace | null, b: MapPlace | null): boolean {
  if (a !== null && b !== null && a.key >= b.key) return false;
  const depth = a !== null && b !== null ? divergence(a.key, b.key) + 1 : 0;
  return (a === null || isEmptyBeside(a, 1, depth)) && (b === null || isEmptyBeside(b, 0, depth));
}

/**
 * Checks scopes against the certified header: each entry by its map proof, each state by its digest, and that no scope is
 * left out between `after` and the last one here.
 * @param after the last scope of the chunk before; null for the first chunk
 * @returns the last place, from which the next chunk goes on
 */
export function checkScopes(
  sha256: Sha256,
  header: Header,
  after: MapPlace | null,
  chunk: ScopesChunk,
): MapPlace | Reject {
  let place = after;
  for (const { ref, entry, proof, state } of chunk.scopes) {
    const logId = logIdOf(sha256, header.chainId, ref.scope, ref.id);
    const fault = checkLogEntry(sha256, header, logId, entry, proof);
    if (fault !== null) return fault;
    if (scopeDigest(sha256, state) !== entry.digest) return reject('wrong_state', `${ref.scope} ${ref.id}`);
    const next = { key: mapKeyOf(sha256, logId), proof };
    if (!verifyAdjacent(place, next)) return reject('scope_withheld', `before ${ref.scope} ${ref.id}`);
    place = next;
  }
  // every chain has its system scope, so a map is never empty
  if (place === null || place === after) return reject('empty_chunk', 'no scope');
  if (chunk.last && !verifyAdjacent(place, null)) return reject('scope_withheld', 'at the end of the map');
  return place;
}
