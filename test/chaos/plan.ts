import { NEMESES } from './nemeses/index.ts';
import type { Fault, Nemesis, Shape } from './nemeses/stage.ts';
import { Draws } from './random.ts';

/** One step of a run: a quiet time, then a fault, then recovery. */
export interface Step {
  readonly nemesis: Nemesis;
  readonly fault: Fault;
  readonly quietMs: number;
}

/** A fault that a run does without. */
export interface LeftOut {
  readonly name: string;
  readonly reason: string;
}

export interface Plan {
  readonly steps: readonly Step[];
  readonly leftOut: readonly LeftOut[];
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
  if (nemeses.length === 0) throw new Error('there is no fault to draw');
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

/** A plan of the faults that this machine can do; those that do not come in it are named. */
export async function makePlan(
  seed: number,
  shape: Shape,
  nemeses: readonly Nemesis[],
  count: number,
): Promise<Plan> {
  const able: Nemesis[] = [];
  const leftOut: LeftOut[] = [];
  for (const nemesis of nemeses) {
    const reason = (await nemesis.unavailable?.()) ?? null;
    if (reason === null) able.push(nemesis);
    else leftOut.push({ name: nemesis.name, reason });
  }
  const steps = drawPlan(seed, shape, able, count);
  for (const nemesis of able)
    if (!steps.some(step => step.nemesis === nemesis))
      leftOut.push({ name: nemesis.name, reason: 'the run is too short' });
  return { steps, leftOut };
}
