import { describe, expect, it } from 'vitest';
import { drawOptions, runWith } from './run.ts';

/** `PHASELINE_SEEDS=50 PHASELINE_FIRST_SEED=1 vitest run test/simulation` searches further; `npm run simulate` does so faster. */
const count = Number(process.env.PHASELINE_SEEDS ?? 4);
const first = Number(process.env.PHASELINE_FIRST_SEED ?? 1);

/** A run that is over in a second or two. */
const short = (seed: number) => ({ ...drawOptions(seed, 2500), blocks: 40 });

describe('the simulated consortium', () => {
  it('[1][9][10][14][19][23][29][35][38][44][46][61][63] keeps its promises under random faults', {
    timeout: 24 * 3_600_000,
  }, async () => {
    for (let seed = first; seed < first + count; seed += 1) {
      const report = await runWith(short(seed));
      expect(report.height).toBeGreaterThanOrEqual(40);
    }
  });

  it('gives the same trace for the same seed, and another for another', async () => {
    const [one, again, other] = [await runWith(short(6)), await runWith(short(6)), await runWith(short(8))];
    expect(again.traceHash).toBe(one.traceHash);
    expect(other.traceHash).not.toBe(one.traceHash);
  });
});
