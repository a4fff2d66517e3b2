import { writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { runSeed } from '../simulation/run.ts';

/** Run by `scripts/mutants.mjs` on a changed source: seeds one after the other until the checker throws. */
const budget = Number(process.env.PHASELINE_SEEDS ?? 1);
const first = Number(process.env.PHASELINE_FIRST_SEED ?? 1);
const faultsMs = Number(process.env.PHASELINE_FAULTS_MS ?? 6000);
const report = process.env.PHASELINE_HUNT_REPORT;

describe('the hunt', () => {
  it('ends at the first seed that breaks a property', { timeout: 24 * 3_600_000 }, () => {
    let seeds = 0;
    try {
      for (; seeds < budget; seeds += 1) runSeed(first + seeds, faultsMs);
    } catch (error) {
      const [message] = (error as Error).message.split('\n');
      if (report !== undefined) writeFileSync(report, JSON.stringify({ seeds: seeds + 1, message }));
      throw error;
    }
    if (report !== undefined) writeFileSync(report, JSON.stringify({ seeds, message: null }));
    expect(seeds).toBe(budget);
  });
});
