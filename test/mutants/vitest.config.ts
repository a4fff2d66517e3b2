import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { mutants } from './list.ts';
import { testPlugin } from './plugin.ts';

/** `scripts/mutants.mjs` names the mutant; without one the same files run on the source as it is. */
const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const wanted = process.env.PHASELINE_MUTANT;
const mutant = mutants.find(({ name }) => name === wanted);
if (wanted !== undefined && mutant === undefined) throw new Error(`no mutant is called ${wanted}`);

export default defineConfig({
  root,
  plugins: mutant === undefined ? [] : [testPlugin(root, mutant)],
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'threads',
    maxWorkers: 1,
    testTimeout: 60_000,
    bail: 1,
  },
});
