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
/** Nodes share what they work out from one and the same input; see the modules that they are given. Who watches them does not. */
const sharedWork = {
  name: 'shared work',
  setup(bundle) {
    const give = (pure, shell, shared) =>
      bundle.onResolve({ filter: pure }, ({ importer }) =>
        shell.test(importer) ? { path: join(root, 'test/simulation', shared) } : undefined,
      );
    const pure =
      /\/(core\/pbft\/(message-codec|verify)|core\/codec\/transaction|wire\/(consensus|pool))\.ts$/;
    const users = /(src\/services\/(consensus\/network|pool\/pool)|test\/simulation\/drafts)\.ts$/;
    give(pure, users, 'shared-work.ts');
    give(/\/core\/ledger\/execute\.ts$/, /src\/services\/consensus\/executor\.ts$/, 'shared-execution.ts');
  },
};
const outfile = join(directory, `simulate-${process.pid}.mjs`);
await build({
  entryPoints: [join(root, 'test/simulation/main.ts')],
  bundle: true,
  platform: 'node',
  format: 'esm',
  packages: 'external',
  logLevel: 'warning',
  sourcemap: 'inline',
  plugins: [sharedWork],
  outfile,
});
// Most of what a run makes is dropped at once: a large young generation drops it without looking at it. Workers take all cores, so
// that threads which help to collect only get in the way. Thousands of functions are warm before a run is over: compiled at once
// they cost less than interpreted for a while.
const flags = [
  '--enable-source-maps',
  '--min-semi-space-size=64',
  '--max-semi-space-size=64',
  '--single-threaded-gc',
  '--always-sparkplug',
];
const result = spawnSync(process.execPath, [...flags, outfile, ...process.argv.slice(2)], {
  cwd: root,
  stdio: 'inherit',
});
rmSync(outfile, { force: true });
process.exit(result.status ?? 1);
