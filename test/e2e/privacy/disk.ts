import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LevelStore } from '../../../src/store/level-store.ts';
import type { Material } from './material.ts';

/** Directories that LevelDB owns: its files are compressed, so they are read through the library as well. */
function databasesIn(dir: string): string[] {
  const here = existsSync(join(dir, 'CURRENT')) ? [dir] : [];
  const below = readdirSync(dir)
    .map(name => join(dir, name))
    .filter(path => statSync(path).isDirectory());
  return [...here, ...below.flatMap(databasesIn)];
}

function filesIn(dir: string): string[] {
  return readdirSync(dir, { recursive: true, encoding: 'utf8' })
    .map(name => join(dir, name))
    .filter(path => statSync(path).isFile());
}

/** All that is in the data directory of a node that has stopped: its files as they are, and what its databases hold. */
export async function readDisk(dir: string, material: Material): Promise<void> {
  for (const path of filesIn(dir)) material.add(readFileSync(path));
  for (const database of databasesIn(dir)) {
    const copy = mkdtempSync(join(tmpdir(), 'phaseline-disk-'));
    cpSync(database, copy, { recursive: true });
    const store = new LevelStore(copy);
    await store.open();
    for await (const [key, value] of store.entries({ from: '', to: '\u{10ffff}' })) {
      material.add(key);
      material.add(value);
    }
    await store.close();
    rmSync(copy, { recursive: true, force: true });
  }
}
