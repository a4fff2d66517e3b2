import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { OperatingError } from '../ports/lifecycle.ts';
import { isMissing } from './file-operations.ts';

const LOCK_FILE = 'lock';
const ATTEMPTS_MAX = 5;
/** Directories that this process holds: a lock file with our own pid may be left from an earlier life of the same pid. */
const held = new Set<string>();

export interface DirectoryLock {
  release(): Promise<void>;
}

/**
 * Claims a data directory for this process. The lock of a process that is gone is taken over.
 * Throws OperatingError `directory_in_use`, naming the process and the directory.
 */
export async function lockDirectory(directory: string): Promise<DirectoryLock> {
  const place = resolve(directory);
  const path = join(place, LOCK_FILE);
  if (held.has(place)) throw inUse(place, process.pid);
  held.add(place);
  const claim = `${path}.${process.pid}`;
  try {
    await mkdir(place, { recursive: true });
    await writeFile(claim, `${process.pid} ${await startOf(process.pid)}\n`, { mode: 0o600 });
    await takeLock(place, path, claim);
  } catch (error) {
    held.delete(place);
    throw error;
  } finally {
    await rm(claim, { force: true });
  }
  return {
    release: async () => {
      if (!held.delete(place)) return;
      await rm(path, { force: true });
    },
  };
}

/** A link appears whole and only where nothing stands, so of several claimants one wins. */
async function takeLock(place: string, path: string, claim: string): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    try {
      await link(claim, path);
      return;
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) {
        throw new OperatingError('lock_failed', `cannot lock the directory ${place}`, null, error);
      }
    }
    const owner = await liveOwner(path);
    if (owner !== null) throw inUse(place, owner);
    await rm(path, { force: true });
  }
  throw new OperatingError('lock_failed', `cannot lock the directory ${place}: others keep claiming it`);
}

/** Null when the lock is gone or the process that wrote it is. */
async function liveOwner(path: string): Promise<number | null> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
  const [pidText, start] = text.trim().split(' ');
  const pid = Number(pidText);
  if (!Number.isSafeInteger(pid) || pid <= 0 || pid === process.pid || !isAlive(pid)) return null;
  // a pid is used again after a restart of the machine or of a container
  return (await startOf(pid)) === start ? pid : null;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** When the process started, in clock ticks since boot; `-` where the system does not tell. */
async function startOf(pid: number): Promise<string> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // field 22; the name in field 2 is in parentheses and may hold spaces
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '-';
  } catch {
    return '-';
  }
}

function inUse(place: string, pid: number): OperatingError {
  return new OperatingError(
    'directory_in_use',
    `the data directory ${place} is in use by process ${pid}`,
    'Stop that process, or give this one a data directory of its own.',
  );
}
