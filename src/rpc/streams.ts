import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { link, mkdtemp, open, rm, stat } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join } from 'node:path';
import type { Readable } from 'node:stream';
import { failure, type RpcFailure } from './errors.ts';
import { invalidParams } from './params.ts';

const FILE_HINT = 'Give the path of a file that the node can read.';

/** Passes bytes through and fails past the limit. */
export async function* limitBytes(
  source: AsyncIterable<Uint8Array>,
  bytesMax: number,
): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const chunk of source) {
    bytes += chunk.length;
    if (bytes > bytesMax)
      throw failure('limit_exceeded', 'file_too_large', `a file has at most ${bytesMax} bytes`);
    yield chunk;
  }
}

export function assertAbsolute(path: string): void {
  if (!isAbsolute(path)) {
    throw invalidParams([
      { parameter: 'path', fault: 'the path is absolute (the node has another directory)' },
    ]);
  }
}

/**
 * A file of the node's own machine as a stream; the caller holds the session token of this node. The stream is to be
 * destroyed when it is not read to its end.
 *
 * @throws RpcFailure `not_found` unless it is a readable regular file
 */
export async function openLocalFile(
  path: string,
): Promise<{ name: string; bytes: number; source: Readable }> {
  assertAbsolute(path);
  const found = await stat(path).catch(() => null);
  if (found === null)
    throw failure('not_found', 'no_such_file', `there is no file ${path} on the node's machine`, FILE_HINT);
  if (!found.isFile()) throw failure('not_found', 'not_a_file', `${path} is not a regular file`, FILE_HINT);
  const file = await open(path, 'r').catch(() => null);
  if (file === null) throw failure('forbidden', 'not_readable', `the node may not read ${path}`);
  return { name: basename(path), bytes: found.size, source: createReadStream('', { fd: file }) };
}

/**
 * Writes a stream to a new file: whole and synced under its name, or not at all. An existing file is never replaced.
 *
 * @throws RpcFailure `conflict` when the file exists, `not_found` when its directory does not
 */
export async function writeNewFile(
  path: string,
  stream: AsyncIterable<Uint8Array>,
): Promise<{ bytes: number; sha256: string }> {
  assertAbsolute(path);
  if ((await stat(path).catch(() => null)) !== null) {
    throw fileExists(path);
  }
  const folder = await mkdtemp(join(dirname(path), '.phaseline-')).catch(() => null);
  if (folder === null)
    throw failure('not_found', 'no_such_directory', `the node cannot write to ${dirname(path)}`);
  try {
    const temporary = join(folder, 'part');
    const written = await writeAll(temporary, stream);
    // A link fails where a rename would replace a file that appeared meanwhile.
    await link(temporary, path).catch(error => {
      throw (error as NodeJS.ErrnoException).code === 'EEXIST' ? fileExists(path) : error;
    });
    return written;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function fileExists(path: string): RpcFailure {
  return failure(
    'conflict',
    'file_exists',
    `${path} exists already`,
    'Choose another name; nothing is replaced.',
  );
}

async function writeAll(
  path: string,
  stream: AsyncIterable<Uint8Array>,
): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash('sha256');
  let bytes = 0;
  const file = await open(path, 'wx', 0o600);
  try {
    for await (const chunk of stream) {
      hash.update(chunk);
      bytes += chunk.length;
      await file.writeFile(chunk);
    }
    await file.sync();
  } finally {
    await file.close();
  }
  return { bytes, sha256: hash.digest('hex') };
}
