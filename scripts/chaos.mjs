// npm run chaos: builds what is missing, then runs a network of real processes with faults (test/chaos). --help tells the options.
import { spawn, spawnSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import { build, root } from './lib.mjs';

const words = process.argv.slice(2);
if (!words.includes('--program')) {
  await build();
  words.push('--program', join(root, 'dist/cli/main.js'));
}

const harness = join(root, 'node_modules/.phaseline/chaos.mjs');
const { build: bundle } = await import('esbuild');
await bundle({
  entryPoints: [join(root, 'test/chaos/main.ts')],
  outfile: harness,
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  packages: 'external',
  logLevel: 'warning',
});

// A name space of its own, where the system allows one, lets the harness mount the small disks that it fills.
const command = [process.execPath, harness, ...words];
if (spawnSync('unshare', ['-rm', 'true']).status === 0) command.unshift('unshare', '-rm');
const child = spawn(command[0], command.slice(1), { stdio: 'inherit', cwd: resolve('.') });
// Ctrl-C reaches the harness by itself; it cleans up, and this waits for it.
process.on('SIGINT', () => {});
for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
child.once('exit', code => {
  process.exitCode = code ?? 1;
});
