import { NEMESES } from './nemeses/index.ts';
import type { Fault, Nemesis, Shape } from './nemeses/stage.ts';
import { Draws } from './random.ts';

/** One step of a run: a quiet time, then a fault, then recovery. */
export interface Step {
  readonly nemesis: Nemesis;
  readonly fault: Fault;
  readonly quietMs: number;
}

const QUIET_MS = [300, 2_500] as const;

/** @throws for a name that is none of a nemesis */
export function findNemeses(names: readonly string[]): readonly Nemesis[] {
  return names.map(name => {
    const found = NEMESES.find(nemesis => nemesis.name === name);
    if (found !== undefined) return found;
    throw new Error(
      `there is no nemesis "${name}"; there are ${NEMESES.map(nemesis => nemesis.name).join(', ')}`,
    );
  });
}

/** Every nemesis once before any comes twice, in an order and with details that the seed decides. */
export function drawPlan(
  seed: number,
  shape: Shape,
  nemeses: readonly Nemesis[],
  count: number,
): readonly Step[] {
  const draws = new Draws(seed);
  const steps: Step[] = [];
  while (steps.length < count) {
    for (const nemesis of draws.shuffled(nemeses)) {
      if (steps.length === count) break;
      steps.push({ nemesis, fault: nemesis.draw(draws, shape), quietMs: draws.between(...QUIET_MS) });
    }
  }
  return steps;
}
