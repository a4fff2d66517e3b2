import { createHash } from 'node:crypto';
import { type BigIntStats, constants } from 'node:fs';
import { type FileHandle, link, lstat, mkdtemp, open, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join } from 'node:path';
import { failure, RpcFailure } from './errors.ts';
import { invalidParams } from './params.ts';

const READ_BYTES = 256 * 1024;
/** How file systems say that they have no hard links. */
const NO_LINKS: ReadonlySet<string> = new Set([
  'EPERM',
  'ENOSYS',
  'ENOTSUP',
  'EOPNOTSUPP',
  'EMLINK',
  'EXDEV',
]);

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

/** A file of the node's own machine, open; to be closed. */
export interface LocalFile {
  readonly name: string;
  readonly bytes: number;
  /** The same for the same file on the disk while nobody writes to it. */
  readonly identity: string;
  /**
   * Its bytes from `offset` on. Fails with RpcFailure `conflict` when the file changed since it was opened, and `unavailable`
   * when the machine cannot read it.
   */
  read(offset: number): AsyncGenerator<Uint8Array>;
  close(): Promise<void>;
}

/**
 * Opens a file for a caller who holds the session token of this node.
 *
 * @throws RpcFailure `not_found` or `forbidden` unless it is a readable regular file
 */
export async function openLocalFile(path: string): Promise<LocalFile> {
  await localFileBytes(path);
  return openKnown(path);
}

/** @param path of what was a regular file a moment ago */
async function openKnown(path: string): Promise<LocalFile> {
  // without waiting for a writer, should the name have become a pipe meanwhile
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch(error => {
    throw unreadable(path, error);
  });
  const before = await file.stat({ bigint: true });
  if (!before.isFile()) {
    await file.close();
    throw notAFile(path);
  }
  const { dev, ino, size, mtimeNs } = before;
  return {
    name: basename(path),
    bytes: Number(size),
    identity: `${dev}/${ino}/${size}/${mtimeNs}`,
    read: offset => readUnchanged(path, file, before, offset),
    close: () => file.close(),
  };
}

/** Length of a file that could be opened. @throws as `openLocalFile` */
export async function localFileBytes(path: string): Promise<number> {
  assertAbsolute(path);
  const found = await stat(path).catch(error => {
    throw unreadable(path, error);
  });
  if (!found.isFile()) throw notAFile(path);
  return found.size;
}

/** Opened when it is read, after `localFileBytes`. @throws as `openLocalFile` and its `read` */
export async function* readLocalFile(path: string): AsyncGenerator<Uint8Array> {
  const file = await openKnown(path);
  try {
    yield* file.read(0);
  } finally {
    await file.close();
  }
}

function notAFile(path: string): RpcFailure {
  return failure('not_found', 'not_a_file', `${path} is not a regular file`, FILE_HINT);
}

/** @param cause what opening or asking for the file failed with */
export function unreadable(path: string, cause: unknown): RpcFailure {
  const { code } = cause as NodeJS.ErrnoException;
  if (code === 'ENOENT' || code === 'ENOTDIR')
    return failure('not_found', 'no_such_file', `there is no file ${path} on the node's machine`, FILE_HINT);
  if (code === 'EACCES' || code === 'EPERM')
    return failure('forbidden', 'not_readable', `the node may not read ${path}`);
  return failure('unavailable', 'read_failed', `the node cannot read ${path} (${code ?? cause})`);
}

async function* readUnchanged(
  path: string,
  file: FileHandle,
  before: BigIntStats,
  offset: number,
): AsyncGenerator<Uint8Array> {
  let at = offset;
  const changed = () =>
    failure('conflict', 'file_changed', `${path} changed while it was read`, 'Put it again when it rests.');
  try {
    for (;;) {
      const room = Buffer.allocUnsafe(Math.max(1, Math.min(READ_BYTES, Number(before.size) - at + 1)));
      const { bytesRead } = await file.read(room, 0, room.length, at);
      if (bytesRead === 0) break;
      at += bytesRead;
      if (at > before.size) throw changed();
      yield room.subarray(0, bytesRead);
      // there was room for one byte more
      if (bytesRead < room.length && BigInt(at) === before.size) break;
    }
    const { size, mtimeNs } = await file.stat({ bigint: true });
    if (BigInt(at) !== before.size || size !== before.size || mtimeNs !== before.mtimeNs) throw changed();
  } catch (error) {
    throw error instanceof RpcFailure ? error : unreadable(path, error);
  }
}

/** How a whole file gets its name; a test gives a file system that has no hard links. */
export interface Naming {
  link(from: string, to: string): Promise<void>;
}

/**
 * Writes a stream to a new file: whole and synced under its name, or not at all. An existing file is never replaced.
 *
 * @throws RpcFailure `conflict` when the file exists, `not_found` when its directory does not
 */
export async function writeNewFile(
  path: string,
  stream: AsyncIterable<Uint8Array>,
  naming: Naming = { link },
): Promise<{ bytes: number; sha256: string }> {
  assertAbsolute(path);
  if ((await lstat(path).catch(() => null)) !== null) {
    throw fileExists(path);
  }
  const folder = await mkdtemp(join(dirname(path), '.phaseline-')).catch(() => null);
  if (folder === null)
    throw failure('not_found', 'no_such_directory', `the node cannot write to ${dirname(path)}`);
  try {
    const temporary = join(folder, 'part');
    const written = await writeAll(temporary, path, stream);
    await publishNewFile(temporary, path, naming);
    return written;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * Gives a file that is whole and synced its name, and takes the temporary one away; never replaces a file.
 *
 * @throws RpcFailure `conflict` when there is one
 */
export async function publishNewFile(
  temporary: string,
  path: string,
  naming: Naming = { link },
): Promise<void> {
  // A link fails where a rename would replace a file that appeared meanwhile.
  await naming.link(temporary, path).catch(error => {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') throw fileExists(path);
    if (!NO_LINKS.has(code ?? '')) throw unwritable(path, error);
    return renameToNew(temporary, path);
  });
  await rm(temporary, { force: true });
  await syncDirectory(dirname(path));
}

/**
 * Where there are no hard links: takes the name with an empty file, which fails if there is one, then puts the whole file in
 * its place. Another process that removes the empty file in between and makes its own keeps its own.
 */
async function renameToNew(temporary: string, path: string): Promise<void> {
  const reserved = await open(path, 'wx', 0o600).catch(error => {
    throw (error as NodeJS.ErrnoException).code === 'EEXIST' ? fileExists(path) : unwritable(path, error);
  });
  try {
    const [own, found] = [await reserved.stat(), await lstat(path).catch(() => null)];
    const isOwn = found !== null && found.ino === own.ino && found.dev === own.dev && found.size === 0;
    if (!isOwn) throw fileExists(path);
    await rename(temporary, path).catch(async error => {
      await rm(path, { force: true });
      throw unwritable(path, error);
    });
  } finally {
    await reserved.close();
  }
}

/** The file is whole whatever comes of this, and not every file system can do it. */
async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r').catch(() => null);
  await handle?.sync().catch(() => undefined);
  await handle?.close();
}

function fileExists(path: string): RpcFailure {
  return failure(
    'conflict',
    'file_exists',
    `${path} exists already`,
    'Choose another name; nothing is replaced.',
  );
}

function unwritable(path: string, cause: unknown): RpcFailure {
  const code = (cause as NodeJS.ErrnoException).code ?? cause;
  const hint = 'Nothing was left there. Choose another place, or make room.';
  return failure('unavailable', 'write_failed', `the node cannot write ${path} (${code})`, hint);
}

/** @param name what the caller calls the file, for errors */
async function writeAll(
  path: string,
  name: string,
  stream: AsyncIterable<Uint8Array>,
): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash('sha256');
  let bytes = 0;
  const onDisk = <T>(work: Promise<T>): Promise<T> =>
    work.catch(error => {
      throw unwritable(name, error);
    });
  const file = await onDisk(open(path, 'wx', 0o600));
  try {
    for await (const chunk of stream) {
      hash.update(chunk);
      bytes += chunk.length;
      await onDisk(file.writeFile(chunk));
    }
    await onDisk(file.sync());
  } finally {
    await file.close();
  }
  return { bytes, sha256: hash.digest('hex') };
}
