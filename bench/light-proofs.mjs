// What a consistency proof and a frontier of a long log cost a light server, from its leaves and from remembered subtrees; and
// what the proof of one record takes.
// Needs a build. Usage: node bench/light-proofs.mjs [leaves]
import { randomBytes } from 'node:crypto';
import { appendLeaves, consistencyProof, EMPTY_FRONTIER } from '../dist/core/merkle/log.js';
import { Subtrees } from '../dist/core/merkle/subtrees.js';
import { nodeSuite } from '../dist/crypto/suite.js';
import { LIGHT_SERVER_LIMITS } from '../dist/services/light-server/limits.js';
import { SubtreeCache } from '../dist/services/light-server/subtree-cache.js';
import { recordProof } from './record-proof.mjs';

const size = Number(process.argv[2] ?? 100_000);
const requests = 200;
const { sha256 } = nodeSuite;
const leaves = Array.from({ length: size }, () => randomBytes(32).toString('hex'));
const cache = new SubtreeCache(LIGHT_SERVER_LIMITS.subtreesKept);
const tree = new Subtrees(sha256, (from, to) => leaves.slice(from, to), cache.of('0'.repeat(64)));

/** Milliseconds of one call, on average over requests from random positions. */
function cost(count, work) {
  const startMs = performance.now();
  for (let call = 0; call < count; call += 1) work(1 + Math.floor(Math.random() * (size - 1)));
  return (performance.now() - startMs) / count;
}

function compare(name, fromLeaves, fromSubtrees) {
  const before = cost(5, fromLeaves);
  const after = cost(requests, fromSubtrees);
  const factor = Math.round(before / after);
  console.log(
    `${name}: ${before.toFixed(2)} ms from leaves, ${after.toFixed(3)} ms from subtrees: ${factor} times less`,
  );
}

const warmUpMs = cost(1, () => tree.consistencyProof(size - 1, size));
console.log(`${size} leaves; the first request, which fills the memory: ${warmUpMs.toFixed(1)} ms`);
compare(
  'consistency proof',
  first => consistencyProof(sha256, position => leaves[position], first, size),
  first => tree.consistencyProof(first, size),
);
compare(
  'frontier',
  first => appendLeaves(sha256, EMPTY_FRONTIER, leaves.slice(0, first)),
  first => tree.frontier(first),
);
recordProof({ leaves: 1_000, logs: 1_000, members: 50, validators: 4 });
recordProof({ leaves: 100_000, logs: 100_000, members: 1_000, validators: 16 });
