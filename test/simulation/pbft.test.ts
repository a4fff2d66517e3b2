import { describe, expect, it } from 'vitest';
import { runSeeds } from './run.ts';

/** `PHASELINE_SEEDS=5000 PHASELINE_FIRST_SEED=1 vitest run test/simulation` searches further, a failure names its seed. */
const count = Number(process.env.PHASELINE_SEEDS ?? 6);
const first = Number(process.env.PHASELINE_FIRST_SEED ?? 1);
/** Simulated time of faults, before the network heals. */
const faultsMs = Number(process.env.PHASELINE_FAULTS_MS ?? 6000);

describe('the simulated consortium', () => {
  it('[1][9][10][14][19][23][29][35][38][44][46][61][63] keeps its promises under random faults', {
    timeout: 24 * 3_600_000,
  }, () => {
    const reports = runSeeds(first, count, faultsMs);
    expect(reports).toHaveLength(count);
    expect(reports.some(({ viewsMax }) => viewsMax > 0)).toBe(true);
  });
});
