import { expect, it } from 'vitest';
import { checkFlow, type FlowNode, rewired } from '../../../src/core/access/flow.ts';
import type { PhaseId } from '../../../src/core/base/ids.ts';
import { OUTCOMES } from '../../../src/core/types/outcome.ts';
import { hashOf } from '../../support/ledger-kit.ts';

/** Mulberry32: small, and the same everywhere. */
function randomOf(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return below => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

/** Written in another way than the ledger's: from each phase, can one walk back to it? */
function modelHasCycle(phases: readonly FlowNode[]): boolean {
  const before = new Map(phases.map(phase => [phase.id, phase.predecessors]));
  return phases.some(({ id }) => {
    const seen = new Set<PhaseId>();
    const open = [...(before.get(id) ?? [])];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      if (next === id) return true;
      if (seen.has(next)) continue;
      seen.add(next);
      open.push(...(before.get(next) ?? []));
    }
    return false;
  });
}

it('takes exactly the changes of a flow after which nothing comes before itself; a failure prints its seed', () => {
  const seed = Number(process.env.PHASELINE_SEED ?? Math.floor(Math.random() * 2 ** 32));
  const random = randomOf(seed);
  const ids = Array.from({ length: 9 }, (_, index) => hashOf(`phase ${index}`) as PhaseId);
  let phases: FlowNode[] = ids.map(id => ({ id, predecessors: [] }));
  const seen = { taken: 0, refused: 0 };
  for (let round = 0; round < 5_000; round += 1) {
    const changes = Array.from({ length: 1 + random(3) }, () => ids[random(ids.length)]!)
      .filter((id, index, all) => all.indexOf(id) === index)
      .map(phase => {
        const before = phases.find(({ id }) => id === phase)!.predecessors;
        return { phase, before, after: ids.filter(() => random(6) === 0) };
      });
    const next = rewired(phases, changes);
    const outcome = checkFlow(next);
    expect(outcome, `seed ${seed}, round ${round}`).toBe(
      modelHasCycle(next) ? OUTCOMES.cycle : OUTCOMES.committed,
    );
    if (outcome !== OUTCOMES.committed) seen.refused += 1;
    else {
      phases = next;
      seen.taken += 1;
    }
  }
  expect(Math.min(seen.taken, seen.refused), `seed ${seed}`).toBeGreaterThan(100);
});
