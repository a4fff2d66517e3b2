import { describe, expect, it } from 'vitest';
import { drawOptions } from './draw.ts';
import { runWith } from './run.ts';

/** `PHASELINE_SEEDS=50 PHASELINE_FIRST_SEED=1 vitest run test/simulation` searches further; `npm run simulate` does so faster. */
const count = Number(process.env.PHASELINE_SEEDS ?? 4);
const first = Number(process.env.PHASELINE_FIRST_SEED ?? 1);

/** A run that is over in a second or two. */
const short = (seed: number) => ({ ...drawOptions(seed, 2500), blocks: 40 });

/** What more than f who collude must have done in one of so many runs. */
const FORKS = ['collusion: convicted of a fork in one view', 'collusion: convicted of a fork across views'];
const COLLUSIONS_MAX = 20;
/** What a NEW-VIEW must have met with in one of so many runs beside two who keep proofs to themselves. */
const PUZZLES = ['chooses between two', 'cuts above a hole', 'cuts at a parent'].map(
  puzzle => `transition: NEW-VIEW ${puzzle}`,
);
const HOARDS_MAX = 10;
/** What light nodes must have gone through in one of so many runs with a faulty source. */
const LIGHT_TROUBLE = ['light: caught up', 'light: noticed a lie', 'light: was removed from a phase'];
const LIGHT_RUNS_MAX = 40;

describe('the simulated consortium', () => {
  it('[1][9][10][14][19][23][29][35][38][44][46][61][63] keeps its promises under random faults', {
    timeout: 24 * 3_600_000,
  }, async () => {
    for (let seed = first; seed < first + count; seed += 1) {
      const report = await runWith(short(seed));
      expect(report.height).toBeGreaterThanOrEqual(40);
    }
  });

  it('[36] convicts more than f who collude of the fork that they make, and nobody else', async () => {
    const colluders = {
      validators: 4,
      byzantine: ['conspirator', 'conspirator'],
      observers: 0,
      lights: 0,
      governanceMs: 0,
      pruned: false,
    } as const;
    const seen = new Set<string>();
    for (let seed = 1; seed <= COLLUSIONS_MAX && !FORKS.every(name => seen.has(name)); seed += 1) {
      const drawn = short(seed);
      const parameters = { ...drawn.parameters, rotationBlocks: 4 };
      const { coverage } = await runWith({ ...drawn, ...colluders, parameters });
      for (const [name] of coverage) seen.add(name);
    }
    expect([...seen]).toEqual(expect.arrayContaining(FORKS));
  });

  it('opens views on proofs that some have kept to themselves, and on those of which some are missing', async () => {
    const seen = new Set<string>();
    for (let run = 0; run < HOARDS_MAX && !PUZZLES.every(name => seen.has(name)); run += 1) {
      const { coverage } = await runWith(short(100 * run + 87));
      for (const [name] of coverage) seen.add(name);
    }
    expect([...seen]).toEqual(expect.arrayContaining(PUZZLES));
  });

  it('[75][76][77][81][82] gives light nodes their logs and nothing else, whatever a source says', async () => {
    const seen = new Set<string>();
    for (let seed = 1; seed <= LIGHT_RUNS_MAX && !LIGHT_TROUBLE.every(name => seen.has(name)); seed += 1) {
      const drawn = { ...drawOptions(seed, 4000), blocks: 50, validators: 4, byzantine: ['liar'] as const };
      const report = await runWith({ ...drawn, observers: 0, governanceMs: 0, pruned: false, lights: 2 });
      for (const [name] of report.coverage) seen.add(name);
    }
    expect([...seen]).toEqual(expect.arrayContaining(LIGHT_TROUBLE));
  });

  it('gives the same trace for the same seed, and another for another', async () => {
    const [one, again, other] = [await runWith(short(6)), await runWith(short(6)), await runWith(short(8))];
    expect(again.traceHash).toBe(one.traceHash);
    expect(other.traceHash).not.toBe(one.traceHash);
  });
});
