import { describe, expect, it } from 'vitest';
import { NEMESES } from '../../chaos/nemeses/index.ts';
import { type Nemesis, shapeOf } from '../../chaos/nemeses/stage.ts';
import { drawPlan, findNemeses, makePlan } from '../../chaos/plan.ts';
import { stepTable } from '../../chaos/report.ts';

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

  it('leaves out what the machine cannot do or the run has no time for, and says so in the table', async () => {
    const nemesis = (name: string, reason: string | null): Nemesis => ({
      ...{ name, title: name, unavailable: async () => reason },
      draw: () => ({ words: name, run: async () => null }),
    });
    const nemeses = [nemesis('rain', 'there is no sky'), nemesis('snow', null)];
    const { steps, leftOut } = await makePlan(3, SHAPE, nemeses, 2);
    expect(steps.map(step => step.nemesis.name)).toEqual(['snow', 'snow']);
    expect(leftOut).toEqual([{ name: 'rain', reason: 'there is no sky' }]);
    expect(stepTable([], leftOut)).toMatch(/rain +0 +left out: there is no sky/);
    const short = await makePlan(3, SHAPE, [...nemeses, nemesis('hail', null)], 1);
    expect(short.leftOut.map(({ reason }) => reason)).toEqual(['there is no sky', 'the run is too short']);
    await expect(makePlan(3, SHAPE, nemeses.slice(0, 1), 1)).rejects.toThrow('there is no fault to draw');
  });

  it('names every nemesis differently, and tells the names to who asks for another', () => {
    expect(new Set(NEMESES.map(nemesis => nemesis.name)).size).toBe(NEMESES.length);
    expect(() => findNemeses(['kill', 'rain'])).toThrow(/no nemesis "rain".*kill/s);
  });
});
