// npm run simulate: bundles the simulator, so that it runs fast on plain node, and runs it with the arguments given.
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { generateWire, install, root } from './lib.mjs';

install();
await generateWire();
const { build } = await import('esbuild');
const directory = join(root, 'node_modules/.phaseline');
mkdirSync(directory, { recursive: true });
const outfile = join(directory, `simulate-${process.pid}.mjs`);
await build({
  entryPoints: [join(root, 'test/simulation/main.ts')],
  bundle: true,
  platform: 'node',
  format: 'esm',
  packages: 'external',
  logLevel: 'warning',
  sourcemap: 'inline',
  outfile,
});
const result = spawnSync(process.execPath, ['--enable-source-maps', outfile, ...process.argv.slice(2)], {
  cwd: root,
  stdio: 'inherit',
});
rmSync(outfile, { force: true });
process.exit(result.status ?? 1);
