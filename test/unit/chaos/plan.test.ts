import { describe, expect, it } from 'vitest';
import { NEMESES } from '../../chaos/nemeses/index.ts';
import { shapeOf } from '../../chaos/nemeses/stage.ts';
import { drawPlan, findNemeses } from '../../chaos/plan.ts';

const SHAPE = shapeOf(4, ['alice', 'bob']);
const wordsOf = (seed: number, count: number) =>
  drawPlan(seed, SHAPE, NEMESES, count).map(
    step => `${step.nemesis.name} ${step.quietMs} ${step.fault.words}`,
  );

describe('plan of a chaos run', () => {
  it('is decided by its seed', () => {
    expect(wordsOf(7, 60)).toEqual(wordsOf(7, 60));
    expect(wordsOf(7, 60)).not.toEqual(wordsOf(8, 60));
  });

  it('has every nemesis once before any comes twice', () => {
    const plan = drawPlan(3, SHAPE, NEMESES, NEMESES.length);
    expect(new Set(plan.map(step => step.nemesis))).toEqual(new Set(NEMESES));
    expect(drawPlan(3, SHAPE, NEMESES, 2).length).toBe(2);
  });

  it('names every nemesis differently, and tells the names to who asks for another', () => {
    expect(new Set(NEMESES.map(nemesis => nemesis.name)).size).toBe(NEMESES.length);
    expect(() => findNemeses(['kill', 'rain'])).toThrow(/no nemesis "rain".*kill/s);
  });
});
