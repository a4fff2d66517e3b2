import { writeFileSync } from 'node:fs';
import { drawDense } from '../simulation/draw.ts';
import { runFiles } from '../simulation/files/run.ts';
import { runWith } from '../simulation/run.ts';

/** Committed in each run before it ends: many short runs find more than few long ones. */
const BLOCKS = 30;

/** Bundled and run by `scripts/mutants.mjs`: seeds one after the other until a property is broken. */
const [report = '', kind = 'simulation', budget = '1', faultsMs = '5000'] = process.argv.slice(2);

const run = (seed: number): Promise<unknown> =>
  kind === 'holders' ? runFiles(seed) : runWith({ ...drawDense(seed, Number(faultsMs)), blocks: BLOCKS });

async function hunt(): Promise<{ readonly seeds: number; readonly message: string | null }> {
  for (let seed = 1; seed <= Number(budget); seed += 1) {
    try {
      await run(seed);
    } catch (error) {
      return { seeds: seed, message: (error as Error).message.split('\n')[0] ?? '' };
    }
  }
  return { seeds: Number(budget), message: null };
}

writeFileSync(report, JSON.stringify(await hunt()));
