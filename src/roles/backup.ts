import { cp, mkdir, readdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { dataPaths, readNodeConfig } from '../config/node-config.ts';
import { OperatingError } from '../ports/lifecycle.ts';
import { lockDirectory } from '../store/directory-lock.ts';
import { isMissing, syncDirectory } from '../store/file-operations.ts';
import { keys } from '../store/keyspaces.ts';
import { LevelStore } from '../store/level-store.ts';

/** What a backup holds; everything else is made again or belongs to one running directory. */
function partsOf(dir: string): readonly string[] {
  const { config, genesis, keystore, state } = dataPaths(dir);
  return [config, genesis, keystore, state];
}

async function isThere(dir: string): Promise<boolean> {
  return readdir(dir).then(
    names => names.length > 0,
    error => {
      if (isMissing(error)) return false;
      throw error;
    },
  );
}

async function copyParts(from: string, to: string): Promise<void> {
  for (const part of partsOf(from)) {
    const target = join(to, part.slice(from.length + 1));
    await mkdir(dirname(target), { recursive: true, mode: 0o700 });
    await cp(part, target, { recursive: true, errorOnExist: true, force: false, preserveTimestamps: true });
  }
  await syncDirectory(to);
}

async function fresh(dir: string, what: string): Promise<void> {
  if (!(await isThere(dir))) return;
  throw new OperatingError(
    'not_empty',
    `${dir} is not empty`,
    `Give a directory that does not exist yet ${what}.`,
  );
}

/** A failed copy leaves nothing that could be taken for a whole one. */
async function copying(to: string, copy: () => Promise<void>): Promise<void> {
  try {
    await mkdir(to, { recursive: true, mode: 0o700 });
    await copy();
  } catch (error) {
    await rm(to, { recursive: true, force: true });
    if (error instanceof OperatingError) throw error;
    throw new OperatingError('backup_failed', `cannot copy to ${to}`, 'Check free space and rights.', error);
  }
}

/**
 * Copies a stopped consensus node's configuration, keys and chain. The consensus log stays behind: it is the right to vote,
 * and there is one of it.
 */
export async function backUp(dir: string, to: string): Promise<void> {
  const { role } = await readNodeConfig(dir);
  if (role !== 'consensus') {
    throw new OperatingError(
      'no_chain',
      `${dir} belongs to a ${role} node`,
      'Back up its keys/, config.toml and genesis.json; everything else comes back from other nodes.',
    );
  }
  await fresh(to, 'for the backup');
  const lock = await lockDirectory(dir);
  try {
    await copying(to, () => copyParts(dir, to));
  } finally {
    await lock.release();
  }
}

/**
 * Makes a data directory of a backup. Its key may have voted since, so the directory says that the signing state is lost: the
 * node follows the chain and does not vote until it has a new consensus key.
 */
export async function restore(from: string, dir: string): Promise<void> {
  await readNodeConfig(from);
  await fresh(dir, 'for the node');
  await copying(dir, async () => {
    await copyParts(from, dir);
    const kv = new LevelStore(dataPaths(dir).state);
    try {
      await kv.open();
      await kv.batch([{ type: 'delete', key: keys.signing }], { sync: true });
    } finally {
      await kv.close();
    }
  });
}
