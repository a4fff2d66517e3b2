// npm test: sets up what is missing, then lint, types and the unit, contract and scenario tests.
import { generateWire, install, root, tool, vitest } from './lib.mjs';

install();
await generateWire();
process.chdir(root);
tool('@biomejs/biome/bin/biome', ['ci', '--colors=off']);
tool('typescript/bin/tsc', ['-p', 'tsconfig.core.json']);
tool('typescript/bin/tsc', ['-p', 'tsconfig.test.json']);
vitest('PHASELINE_TEST_RESULTS', ['run', ...process.argv.slice(2)]);
