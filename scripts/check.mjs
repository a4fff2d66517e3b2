// npm run check: lint and the two type checks (core without Node; everything).
import { generateWire, install, tool } from './lib.mjs';

install();
await generateWire();
tool('@biomejs/biome/bin/biome', ['ci', '--colors=off']);
tool('typescript/bin/tsc', ['-p', 'tsconfig.core.json']);
tool('typescript/bin/tsc', ['-p', 'tsconfig.test.json']);
