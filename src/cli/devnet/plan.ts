import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { NodeConfig } from '../../config/node-config.ts';
import { OperatingError } from '../../ports/lifecycle.ts';

/** One node of a devnet, as `devnet.json` keeps it. */
export interface PlannedNode {
  readonly role: NodeConfig['role'];
  readonly name: string;
}

export function planPath(networkDir: string): string {
  return join(networkDir, 'devnet.json');
}

/** Names of the nodes that a first start is making, until the plan is written. */
const begunPath = (networkDir: string) => join(networkDir, 'devnet.begun.json');

async function readJson<T>(path: string): Promise<T | null> {
  const hint = 'Restore the file, or start another network in another directory with --dir.';
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw new OperatingError('bad_devnet', `cannot read ${path} (${error.code})`, hint, error);
  });
  try {
    return text === null ? null : (JSON.parse(text) as T);
  } catch (error) {
    throw new OperatingError('bad_devnet', `${path} is not what devnet wrote`, hint, error);
  }
}

/** Null where there is none. @throws OperatingError `bad_devnet` */
export async function readPlan(networkDir: string): Promise<PlannedNode[] | null> {
  return (await readJson<{ nodes: PlannedNode[] }>(planPath(networkDir)))?.nodes ?? null;
}

/** What a first start that was interrupted may have left, and the next one may take away. */
export async function readBegun(networkDir: string): Promise<readonly string[]> {
  return (await readJson<readonly string[]>(begunPath(networkDir))) ?? [];
}

export async function writeBegun(networkDir: string, names: readonly string[]): Promise<void> {
  await writeFile(begunPath(networkDir), `${JSON.stringify(names)}\n`);
}

export async function writePlan(networkDir: string, nodes: readonly PlannedNode[]): Promise<void> {
  const next = `${planPath(networkDir)}.${process.pid}`;
  await writeFile(next, `${JSON.stringify({ nodes }, null, 2)}\n`);
  await rename(next, planPath(networkDir));
  await rm(begunPath(networkDir), { force: true });
}
