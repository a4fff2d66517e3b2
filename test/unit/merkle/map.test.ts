import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toHex } from '../../../src/core/base/bytes.ts';
import { type Hash, ZERO_HASH } from '../../../src/core/base/ids.ts';
import { isReject } from '../../../src/core/base/reject.ts';
import {
  decodeMapProof,
  encodeMapProof,
  mapGet,
  mapProve,
  mapUpdate,
  verifyMapProof,
} from '../../../src/core/merkle/map.ts';

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex') as Hash;
const seed = Number(process.env.PHASELINE_SEED ?? Date.now() % 1_000_000);
console.log(`map.test seed ${seed} (PHASELINE_SEED repeats it)`);

/** The definition, recursive over the whole content, on bit strings: no code shared with the module. */
function naiveRoot(entries: readonly (readonly [string, string])[]): string {
  if (entries.length === 0) return ZERO_HASH;
  const build = (list: readonly (readonly [string, string])[], depth: number): string => {
    if (list.length === 0) return ZERO_HASH;
    if (list.length === 1) return tagDigest('map-leaf', list[0]![0], list[0]![1]);
    const bit = (key: string) =>
      Number.parseInt(key[depth >> 2]!, 16)
        .toString(2)
        .padStart(4, '0')[depth % 4];
    const left = build(
      list.filter(([key]) => bit(key) === '0'),
      depth + 1,
    );
    return tagDigest(
      'map-branch',
      left,
      build(
        list.filter(([key]) => bit(key) === '1'),
        depth + 1,
      ),
    );
  };
  return build(entries, 0);
}

function tagDigest(tag: string, a: string, b: string): string {
  return createHash('sha256').update(`phaseline/1/${tag}\0`).update(a, 'hex').update(b, 'hex').digest('hex');
}

/** A store that keeps exactly what updates add and do not drop. */
class NodeStore {
  readonly nodes = new Map<Hash, Uint8Array>();
  root: Hash = ZERO_HASH;
  readonly get = (hash: Hash) => this.nodes.get(hash) ?? null;

  update(changes: ReadonlyMap<Hash, Hash>): void {
    const { root, added, stale } = mapUpdate(sha256, this.get, this.root, changes);
    for (const hash of stale) {
      expect(added.has(hash)).toBe(false);
      expect(this.nodes.delete(hash)).toBe(true);
    }
    for (const [hash, node] of added) {
      expect(this.nodes.has(hash)).toBe(false);
      this.nodes.set(hash, node);
    }
    this.root = root;
  }
}

/** Keys that share long prefixes often, so that deep and lopsided trees occur. */
const key = fc.oneof(
  fc.uint8Array({ minLength: 32, maxLength: 32 }).map(bytes => toHex(bytes) as Hash),
  fc.integer({ min: 0, max: 15 }).map(tail => `${'0'.repeat(63)}${tail.toString(16)}` as Hash),
  fc.integer({ min: 0, max: 15 }).map(head => `${head.toString(16)}${'f'.repeat(63)}` as Hash),
);
const value = fc.integer({ min: 1, max: 9 }).map(number => sha256(new Uint8Array([number])));
const batches = fc.array(fc.array(fc.tuple(key, value), { maxLength: 10 }), { maxLength: 6 });

describe('sparse map against a naive model', () => {
  it('has the model root and values after every batch, and keeps exactly the nodes that are reached', () => {
    fc.assert(
      fc.property(batches, list => {
        const store = new NodeStore();
        const model = new Map<Hash, Hash>();
        for (const batch of list) {
          for (const [k, v] of batch) model.set(k, v);
          store.update(new Map(batch));
          expect(store.root).toBe(naiveRoot([...model]));
        }
        const rebuilt = mapUpdate(sha256, () => null, ZERO_HASH, model);
        expect(new Set(rebuilt.added.keys())).toEqual(new Set(store.nodes.keys()));
        for (const [k, v] of model) expect(mapGet(store.get, store.root, k)).toBe(v);
      }),
      { seed, numRuns: 30 },
    );
  });

  it('does not depend on the order or the batching of changes', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(key, value), { maxLength: 20 }), fc.integer(), (pairs, salt) => {
        const content = [...new Map(pairs)];
        const one = new NodeStore();
        one.update(new Map(content));
        const many = new NodeStore();
        const shuffled = [...content].sort((a, b) =>
          tagDigest(String(salt), a[0], a[1]) < tagDigest(String(salt), b[0], b[1]) ? -1 : 1,
        );
        for (const pair of shuffled) many.update(new Map([pair]));
        expect(many.root).toBe(one.root);
        expect(new Set(many.nodes.keys())).toEqual(new Set(one.nodes.keys()));
      }),
      { seed, numRuns: 100 },
    );
  });

  it('proves presence and absence, and nothing else', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(key, value), { maxLength: 20 }), key, value, (pairs, k, v) => {
        const model = new Map(pairs);
        const store = new NodeStore();
        store.update(model);
        const proof = mapProve(sha256, store.get, store.root, k);
        const held = model.get(k) ?? null;
        expect(verifyMapProof(sha256, store.root, k, held, proof)).toBe(true);
        if (held !== v) expect(verifyMapProof(sha256, store.root, k, v, proof)).toBe(false);
        if (held !== null) expect(verifyMapProof(sha256, store.root, k, null, proof)).toBe(false);
        expect(decodeMapProof(encodeMapProof(proof))).toEqual(proof);
      }),
      { seed, numRuns: 200 },
    );
  });
});

describe('map update cost', () => {
  it('touches each shared branch once and leaves both sets empty when nothing changes', () => {
    const store = new NodeStore();
    const content = new Map(
      Array.from(
        { length: 500 },
        (_, index) =>
          [sha256(new Uint8Array([index >> 8, index])), sha256(new Uint8Array([index & 7]))] as const,
      ),
    );
    store.update(content);
    const loads = new Map<Hash, number>();
    const counted = (hash: Hash) => {
      loads.set(hash, (loads.get(hash) ?? 0) + 1);
      return store.get(hash);
    };
    const same = mapUpdate(sha256, counted, store.root, content);
    expect([...loads.values()].every(count => count === 1)).toBe(true);
    expect(same).toMatchObject({ root: store.root, stale: [] });
    expect(same.added.size).toBe(0);
  });
});

describe('map proofs that are not exactly right', () => {
  const store = new NodeStore();
  const keys = Array.from({ length: 64 }, (_, index) => sha256(new Uint8Array([index])));
  store.update(new Map(keys.map(k => [k, sha256(new Uint8Array([9]))])));

  it('refuses every flipped byte of a proof of presence and of a proof of absence', () => {
    for (const k of [keys[3]!, sha256(new Uint8Array([200])), sha256(new Uint8Array([201]))]) {
      const held = mapGet(store.get, store.root, k);
      const bytes = encodeMapProof(mapProve(sha256, store.get, store.root, k));
      for (let offset = 0; offset < bytes.length; offset += 1) {
        const forged = bytes.slice();
        forged[offset]! ^= 1 << (offset & 7);
        const proof = decodeMapProof(forged);
        expect(isReject(proof) || !verifyMapProof(sha256, store.root, k, held, proof)).toBe(true);
      }
    }
  });

  it('[78] refuses the proof of another key and a leaf from another place', () => {
    const other = mapProve(sha256, store.get, store.root, keys[4]!);
    expect(verifyMapProof(sha256, store.root, keys[3]!, sha256(new Uint8Array([9])), other)).toBe(false);
    expect(verifyMapProof(sha256, store.root, keys[3]!, null, other)).toBe(false);
  });

  it('refuses bytes that spell an empty sibling out, or more than 256 siblings', () => {
    expect(isReject(decodeMapProof(new Uint8Array([0, 1, 0x80, ...new Uint8Array(33)])))).toBe(true);
    expect(isReject(decodeMapProof(new Uint8Array([1, 1, ...new Uint8Array(34)])))).toBe(true);
    const deep = { siblings: Array.from({ length: 257 }, () => keys[0]!), leaf: null };
    expect(verifyMapProof(sha256, store.root, keys[0]!, null, deep)).toBe(false);
  });

  it('stops on a store that lost a node', () => {
    expect(() => mapProve(sha256, () => null, store.root, keys[0]!)).toThrow('broken invariant');
  });
});
