import { readFile } from 'node:fs/promises';
import type { Genesis } from '../core/types/state.ts';
import { OperatingError } from '../ports/lifecycle.ts';
import { parseGenesis } from './genesis-document.ts';

export { DEFAULT_PARAMETERS, formatGenesis, parseGenesis } from './genesis-document.ts';

export async function readGenesis(path: string): Promise<Genesis> {
  const text = await readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw new OperatingError(
      'no_genesis',
      `cannot read ${path}: ${cause.code}`,
      'Copy genesis.json of the consortium there.',
      cause,
    );
  });
  return parseGenesis(text, path);
}
