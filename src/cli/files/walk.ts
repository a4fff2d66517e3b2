import { opendir, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { CommandFailure, EXIT } from '../failure.ts';

export interface FoundFile {
  readonly path: string;
  /** What the record calls it: for a file of a directory its path from there, with `/` on every system. */
  readonly name: string;
  readonly bytes: number;
  /** True for a file that was found in a directory. */
  readonly inDirectory: boolean;
}

const FILES_MAX = 1_000_000;

async function collect(path: string, name: string, found: FoundFile[], skipped: string[]): Promise<void> {
  const names: string[] = [];
  for await (const entry of await opendir(path)) {
    if (entry.isFile() || entry.isDirectory()) names.push(entry.name);
    else skipped.push(join(path, entry.name));
  }
  for (const entry of names.sort()) {
    const below = join(path, entry);
    const info = await stat(below);
    if (info.isDirectory()) await collect(below, `${name}/${entry}`, found, skipped);
    else found.push({ path: below, name: `${name}/${entry}`, bytes: info.size, inDirectory: true });
    if (found.length > FILES_MAX)
      throw new CommandFailure(EXIT.usage, `${path} has more than ${FILES_MAX} files`);
  }
}

/**
 * The files of paths, those of directories with all that is below, in the order of their names. Links and devices inside of
 * directories are left out and named.
 *
 * @param directory where relative paths begin
 * @throws CommandFailure for a path that is not there
 */
export async function walk(
  paths: readonly string[],
  directory: string,
): Promise<{ files: readonly FoundFile[]; skipped: readonly string[] }> {
  const files: FoundFile[] = [];
  const skipped: string[] = [];
  for (const given of paths) {
    const path = resolve(directory, given);
    const info = await stat(path).catch((error: NodeJS.ErrnoException) => {
      const why = error.code === 'ENOENT' ? 'there is no file' : `cannot read (${error.code})`;
      throw new CommandFailure(EXIT.error, `${why} ${given}`, 'Give paths of files or directories.');
    });
    if (info.isDirectory()) await collect(path, basename(path), files, skipped);
    else if (info.isFile()) files.push({ path, name: basename(path), bytes: info.size, inDirectory: false });
    else
      throw new CommandFailure(EXIT.error, `${given} is not a regular file`, 'Use - to read standard input.');
  }
  return { files, skipped };
}
