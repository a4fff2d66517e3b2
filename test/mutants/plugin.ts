import { readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import type { Plugin as BundlePlugin } from 'esbuild';
import type { Mutant } from './mutant.ts';

/** Modules of the right code, whatever the nodes run: what the checker of the simulator judges by. */
const PURE = 'pure';
const CHECKER = /\/test\/simulation\/(files\/)?checker[^/]*\.ts$/;

/** @throws when the text is not there exactly once: the source has moved on, and the mutant must follow */
export function applyMutant(text: string, { name, file, find, replace }: Mutant): string {
  const [before, after, ...more] = text.split(find);
  if (before === undefined || after === undefined || more.length > 0)
    throw new Error(`mutant ${name}: its text occurs ${text.split(find).length - 1} times in src/${file}`);
  return `${before}${replace}${after}`;
}

/** Changes one module in memory while tests run; neither src/ nor dist/ is ever written. */
export function testPlugin(root: string, mutant: Mutant) {
  const path = join(root, 'src', mutant.file);
  return {
    name: `mutant ${mutant.name}`,
    enforce: 'pre' as const,
    load: (id: string) => (id === path ? applyMutant(readFileSync(path, 'utf8'), mutant) : null),
  };
}

/** The same for the bundle of the simulator. */
export function bundlePlugin(root: string, mutant: Mutant): BundlePlugin {
  const source = join(root, 'src');
  const path = join(source, mutant.file);
  return {
    name: `mutant ${mutant.name}`,
    setup(build) {
      build.onResolve(
        { filter: /^\./ },
        async ({ path: specifier, importer, namespace, resolveDir, kind }) => {
          if (namespace !== PURE && !CHECKER.test(importer)) return undefined;
          const resolved = join(resolveDir === '' ? dirname(importer) : resolveDir, specifier);
          const isSource = !relative(source, resolved).startsWith('..');
          return kind === 'import-statement' && isSource ? { path: resolved, namespace: PURE } : undefined;
        },
      );
      build.onLoad({ filter: /.*/, namespace: PURE }, ({ path: pure }) => ({
        contents: readFileSync(pure, 'utf8'),
        loader: pure.endsWith('.js') ? 'js' : 'ts',
        resolveDir: dirname(pure),
      }));
      build.onLoad({ filter: /\.ts$/, namespace: 'file' }, ({ path: loaded }) =>
        loaded === path
          ? { contents: applyMutant(readFileSync(path, 'utf8'), mutant), loader: 'ts' }
          : undefined,
      );
    },
  };
}
