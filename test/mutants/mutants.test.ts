import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { mutants } from './list.ts';
import { seedsOf } from './mutant.ts';
import { applyMutant } from './plugin.ts';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');

function filesBelow(dir: string): string[] {
  return readdirSync(join(root, dir)).flatMap(name => {
    const path = `${dir}/${name}`;
    return statSync(join(root, path)).isDirectory() ? filesBelow(path) : [path];
  });
}

/** The mistakes that SCENARIOS names, section 11. */
const NAMED = {
  'quorum one too small': 'quorum-one-too-small',
  'duplicate signers counted': 'duplicate-votes-counted',
  'signer taken from the body': 'signer-believed',
  'digest missing from the signed bytes': 'vote-without-block-hash',
  'phase of the protocol missing from the signed bytes': 'vote-without-phase-of-the-protocol',
  'send before the write is durable': 'prepare-sent-before-durable',
  'view not persisted': 'view-not-persisted',
  'the lowest prepared view chosen': 'lowest-prepared-view-chosen',
  'a prepared proof unchecked': 'prepared-proof-unchecked',
  'a hole in the window not cut': 'hole-not-cut',
  'prepared log dropped in a view change': 'prepared-log-dropped-in-view-change',
  'log trimmed before the checkpoint is stable': 'log-trimmed-before-the-checkpoint-is-stable',
  'future buffer unbounded': 'future-buffer-unbounded',
  'a jump on one VIEW-CHANGE': 'jump-on-one-view-change',
  'a timer that never backs off': 'timer-never-backs-off',
  'a timer that never resets': 'timer-never-resets',
  'dedup forgotten at restart': 'dedup-forgotten-at-restart',
  'root left out of the vote': 'root-left-out-of-the-vote',
  'corrupt middle of the WAL skipped': 'corrupt-middle-of-the-log-skipped',
} as const;

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

  it('hold the mistakes that SCENARIOS names, each caught by the simulator within a budget of seeds', () => {
    const found = Object.values(NAMED).map(name => mutants.find(mutant => mutant.name === name));
    expect(found).not.toContain(undefined);
    const without = found.filter(mutant => mutant !== undefined && seedsOf(mutant) === null);
    expect(without.map(mutant => mutant?.name)).toEqual([]);
    expect(mutants.filter(mutant => seedsOf(mutant) !== null).length).toBeGreaterThanOrEqual(40);
  });

  it('cannot reach a release: no source knows of them, and no package holds them', () => {
    const knowing = filesBelow('src').filter(path => /mutant/i.test(read(path)));
    expect(knowing).toEqual([]);
    const { files } = JSON.parse(read('package.json')) as { files: string[] };
    expect(files.filter(path => path.startsWith('test') || path.startsWith('scripts'))).toEqual([]);
  });
});
