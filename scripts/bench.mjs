// npm run bench [-- OPTIONS]: builds what is missing, then measures a network of consensus nodes (phaseline bench consensus).
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { build, root } from './lib.mjs';

await build();
const bench = spawn(process.execPath, [join(root, 'bench/consensus.mjs'), ...process.argv.slice(2)], {
  stdio: 'inherit',
});
// Ctrl-C reaches the benchmark by itself; it stops its network first
process.on('SIGINT', () => {});
process.on('SIGTERM', () => bench.kill('SIGTERM'));
const [code] = await once(bench, 'exit');
process.exitCode = code ?? 1;
