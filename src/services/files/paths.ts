import { createReadStream } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { OperatingError } from '../../ports/lifecycle.ts';

/** The content of a file of this machine, in chunks. */
export async function* readPath(path: string): AsyncIterable<Uint8Array> {
  try {
    for await (const chunk of createReadStream(path)) yield chunk as Uint8Array;
  } catch (error) {
    throw new OperatingError('file_unreadable', `cannot read ${path}`, null, error);
  }
}

/**
 * Writes all of `source` or nothing: a temporary file beside, fsync, rename (SCENARIOS 85). An existing file is replaced.
 * @returns bytes written
 */
export async function writePath(path: string, source: AsyncIterable<Uint8Array>): Promise<number> {
  const temporary = `${path}.partial`;
  let bytes = 0;
  try {
    const handle = await open(temporary, 'w', 0o600);
    try {
      for await (const chunk of source) {
        await handle.writeFile(chunk);
        bytes += chunk.length;
      }
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
    await syncDirectory(dirname(path));
  } catch (error) {
    await rm(temporary, { force: true });
    if (error instanceof OperatingError) throw error;
    throw new OperatingError('file_unwritable', `cannot write ${path}`, null, error);
  }
  return bytes;
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
