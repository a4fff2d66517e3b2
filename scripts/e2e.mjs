// npm run e2e: builds what is missing, then runs whole networks of real processes: the demo, files, governance, bad input, import.
import { build, root, vitest } from './lib.mjs';

await build();
process.chdir(root);
vitest('PHASELINE_E2E_RESULTS', ['run', '-c', 'vitest.e2e.config.ts', ...process.argv.slice(2)]);
