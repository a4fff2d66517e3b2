import { copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CommandFailure, EXIT } from '../failure.ts';

/** Beside the program: `npm run build` makes them. */
const SOURCE = new URL('../../verifier/', import.meta.url);
const FILES = ['index.html'];

/** @returns the paths that were written */
export async function writeVerifierPage(directory: string): Promise<string[]> {
  await mkdir(directory, { recursive: true });
  const paths: string[] = [];
  for (const name of FILES) {
    const path = join(directory, name);
    await copyFile(fileURLToPath(new URL(name, SOURCE)), path).catch((error: NodeJS.ErrnoException) => {
      throw new CommandFailure(
        EXIT.error,
        `cannot write ${path}: ${error.code}`,
        'npm run build makes the page.',
      );
    });
    paths.push(path);
  }
  return paths;
}
