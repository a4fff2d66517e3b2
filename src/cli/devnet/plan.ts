import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { NodeConfig } from '../../config/node-config.ts';

/** One node of a devnet, as `devnet.json` keeps it. */
export interface PlannedNode {
  readonly role: NodeConfig['role'];
  readonly name: string;
}

export function planPath(networkDir: string): string {
  return join(networkDir, 'devnet.json');
}

/** Null where there is none. */
export async function readPlan(networkDir: string): Promise<PlannedNode[] | null> {
  const text = await readFile(planPath(networkDir), 'utf8').catch(() => null);
  return text === null ? null : (JSON.parse(text) as { nodes: PlannedNode[] }).nodes;
}

export async function writePlan(networkDir: string, nodes: readonly PlannedNode[]): Promise<void> {
  const next = `${planPath(networkDir)}.${process.pid}`;
  await writeFile(next, `${JSON.stringify({ nodes }, null, 2)}\n`);
  await rename(next, planPath(networkDir));
}
