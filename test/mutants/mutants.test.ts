import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { mutants } from './list.ts';
import { applyMutant } from './plugin.ts';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');

function filesBelow(dir: string): string[] {
  return readdirSync(join(root, dir)).flatMap(name => {
    const path = `${dir}/${name}`;
    return statSync(join(root, path)).isDirectory() ? filesBelow(path) : [path];
  });
}

describe('mutants', () => {
  it.each(mutants)('$name changes one place of the source', mutant => {
    const text = read(`src/${mutant.file}`);
    expect(applyMutant(text, mutant)).not.toBe(text);
  });

  it('have names of their own, and tests that exist', () => {
    expect(new Set(mutants.map(({ name }) => name)).size).toBe(mutants.length);
    const files = mutants.flatMap(({ caughtBy }) => (typeof caughtBy === 'string' ? [] : caughtBy));
    for (const file of files) expect(read(file).length).toBeGreaterThan(0);
  });

  it('cannot reach a release: no source knows of them, and no package holds them', () => {
    const knowing = filesBelow('src').filter(path => /mutant/i.test(read(path)));
    expect(knowing).toEqual([]);
    const { files } = JSON.parse(read('package.json')) as { files: string[] };
    expect(files.filter(path => path.startsWith('test') || path.startsWith('scripts'))).toEqual([]);
  });
});
