import { readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { Mutant } from './mutant.ts';

/** Modules that the checker of the simulator judges by: the right code, whatever the nodes run. */
const PURE = '?pure';
const CHECKER = /\/test\/simulation\/checker[^/]*\.ts$/;

/** What vite asks of a plugin, as far as this one goes. */
interface MutantPlugin {
  readonly name: string;
  readonly enforce: 'pre';
  resolveId(
    this: { resolve(source: string, importer: string): Promise<{ id: string } | null> },
    source: string,
    importer: string | undefined,
  ): Promise<string | null>;
  load(id: string): string | null;
}

/** Changes one module in memory while tests run; neither src/ nor dist/ is ever written. */
export function mutantPlugin(root: string, mutant: Mutant): MutantPlugin {
  const path = join(root, 'src', mutant.file);
  const source = join(root, 'src');
  return {
    name: `mutant ${mutant.name}`,
    enforce: 'pre',
    async resolveId(specifier, importer) {
      if (importer === undefined || !specifier.startsWith('.')) return null;
      const isPure = importer.endsWith(PURE);
      if (!isPure && !CHECKER.test(importer)) return null;
      const resolved = await this.resolve(specifier, importer.replace(PURE, ''));
      if (resolved === null || relative(source, resolved.id).startsWith('..')) return null;
      return `${resolved.id}${PURE}`;
    },
    load(id) {
      if (id.endsWith(PURE)) return readFileSync(id.slice(0, -PURE.length), 'utf8');
      return id === path ? applyMutant(readFileSync(path, 'utf8'), mutant) : null;
    },
  };
}

/** @throws when the text is not there exactly once: the source has moved on, and the mutant must follow */
export function applyMutant(text: string, { name, file, find, replace }: Mutant): string {
  const [before, after, ...more] = text.split(find);
  if (before === undefined || after === undefined || more.length > 0)
    throw new Error(`mutant ${name}: its text occurs ${text.split(find).length - 1} times in src/${file}`);
  return `${before}${replace}${after}`;
}
