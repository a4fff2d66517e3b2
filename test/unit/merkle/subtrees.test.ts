import { describe, expect, it } from 'vitest';
import type { Hash } from '../../../src/core/base/ids.ts';
import { appendLeaves, consistencyProof, EMPTY_FRONTIER } from '../../../src/core/merkle/log.ts';
import { Subtrees } from '../../../src/core/merkle/subtrees.ts';
import { nodeSuite } from '../../../src/crypto/suite.ts';
import { hashOf } from '../../support/ledger-kit.ts';

const { sha256 } = nodeSuite;
const leaves = Array.from({ length: 1100 }, (_, index) => hashOf(`leaf ${index}`));

/** Subtrees over the test's leaves, with the number of leaves that were read. */
function subtrees() {
  const known = new Map<string, Hash>();
  const reads = { leaves: 0 };
  const tree = new Subtrees(
    sha256,
    (from, to) => {
      reads.leaves += to - from;
      return leaves.slice(from, to);
    },
    {
      get: (from, count) => known.get(`${from}/${count}`),
      set: (from, count, root) => known.set(`${from}/${count}`, root),
    },
  );
  return { tree, reads };
}

describe('remembered subtrees', () => {
  const sizes = [0, 1, 2, 31, 32, 33, 63, 64, 65, 100, 127, 128, 500, 511, 512, 513, 1000, 1024, 1099, 1100];

  it('give the frontier and the proofs that the leaves give', () => {
    const { tree } = subtrees();
    for (const second of sizes) {
      const frontier = appendLeaves(sha256, EMPTY_FRONTIER, leaves.slice(0, second));
      expect(tree.frontier(second)).toEqual(frontier);
      for (const first of sizes.filter(size => size <= second)) {
        const path = consistencyProof(sha256, position => leaves[position]!, first, second);
        expect(tree.consistencyProof(first, second)).toEqual(path);
      }
    }
  });

  it('read few leaves once they are known, also after the log has grown', () => {
    const { tree, reads } = subtrees();
    tree.consistencyProof(700, 1050);
    reads.leaves = 0;
    tree.consistencyProof(700, 1050);
    tree.frontier(1050);
    tree.consistencyProof(1050, 1100);
    expect(reads.leaves).toBeLessThan(5 * 64);
  });
});
