// npm run check: lint and the three type checks (all, core without Node, tests).
import { generateWire, install, tool } from './lib.mjs';

install();
await generateWire();
tool('@biomejs/biome/bin/biome', ['ci', '--colors=off']);
tool('typescript/bin/tsc', ['-p', 'tsconfig.core.json']);
tool('typescript/bin/tsc', ['-p', 'tsconfig.test.json']);
