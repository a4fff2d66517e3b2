import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, rename, unlink } from 'node:fs/promises';
import { assert } from '../core/base/assert.ts';
import { ALIGNED_BYTES, lendAligned } from './aligned-memory.ts';

/** One open file; what the log needs of a disk, so that a test can stand between. */
export interface DiskFile {
  readAll(): Promise<Uint8Array>;
  /** Writes all of `bytes` at `position`. */
  write(bytes: Uint8Array, position: number): Promise<void>;
  /** fdatasync: resolves when the bytes and the length are on disk. */
  sync(): Promise<void>;
  truncate(bytes: number): Promise<void>;
  close(): Promise<void>;
}

export interface FileOperations {
  /** The directory and those above it exist when it resolves. */
  ensureDirectory(directory: string): Promise<void>;
  /** Null when there is no such file. */
  openExisting(path: string): Promise<DiskFile | null>;
  /** An empty file; what stood there is gone. */
  create(path: string): Promise<DiskFile>;
  rename(from: string, to: string): Promise<void>;
  /** Makes renames and new names in the directory durable. */
  syncDirectory(directory: string): Promise<void>;
  remove(path: string): Promise<void>;
}

/** What large files need beside. Not every disk reads and writes past the system's cache: see `isDirectRefused`. */
export interface BlockOperations extends FileOperations {
  /** As `create`, for writes past the cache, of lengths that `isAligned`. */
  createDirect(path: string): Promise<DiskFile>;
  /** @param direct past the cache */
  readWhole(path: string, direct: boolean): Promise<Uint8Array>;
}

export function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

/** Of Linux only. */
const DIRECT: number | undefined = constants.O_DIRECT;
/** What a system answers when its disk or file system reads and writes through the cache only. */
const REFUSALS: ReadonlySet<unknown> = new Set(['EINVAL', 'ENOTSUP', 'EOPNOTSUPP']);

export function isAligned(bytes: number): boolean {
  return bytes > 0 && bytes % ALIGNED_BYTES === 0;
}

/** True for an error after which the same goes through the cache. */
export function isDirectRefused(error: unknown): boolean {
  return (
    error instanceof RangeError || (error instanceof Error && 'code' in error && REFUSALS.has(error.code))
  );
}

function openDirect(path: string, flags: number): Promise<FileHandle> {
  return open(path, flags | (DIRECT ?? 0), 0o600);
}

/** @param piece aligned memory by way of which the bytes come; null for none */
async function fill(file: FileHandle, bytes: Uint8Array, piece: Uint8Array | null = null): Promise<number> {
  let filled = 0;
  while (filled < bytes.length) {
    const target = piece ?? bytes.subarray(filled);
    const { bytesRead } = await file.read(target, 0, target.length, filled);
    if (bytesRead === 0) break;
    const left = bytes.length - filled;
    if (piece !== null) bytes.set(piece.subarray(0, Math.min(bytesRead, left)), filled);
    filled += Math.min(bytesRead, left);
  }
  return filled;
}

/** In one piece: Node's `readFile` reads in several and copies them together. */
async function readWhole(path: string, direct: boolean): Promise<Uint8Array> {
  const file = await (direct ? openDirect(path, constants.O_RDONLY) : open(path, 'r'));
  try {
    const { size } = await file.stat();
    // every byte that is given out was read
    const bytes = new Uint8Array(Buffer.allocUnsafeSlow(size).buffer);
    const filled = direct ? lendAligned(piece => fill(file, bytes, piece)) : fill(file, bytes);
    return bytes.subarray(0, await filled);
  } finally {
    await file.close();
  }
}

class NodeFile implements DiskFile {
  constructor(protected readonly handle: FileHandle) {}

  async readAll(): Promise<Uint8Array> {
    const { size } = await this.handle.stat();
    const bytes = new Uint8Array(size);
    return bytes.subarray(0, await fill(this.handle, bytes));
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    let written = 0;
    while (written < bytes.length) {
      const step = await this.handle.write(bytes, written, bytes.length - written, position + written);
      written += step.bytesWritten;
    }
  }

  sync(): Promise<void> {
    return this.handle.datasync();
  }

  truncate(bytes: number): Promise<void> {
    return this.handle.truncate(bytes);
  }

  close(): Promise<void> {
    return this.handle.close();
  }
}

class DirectFile extends NodeFile {
  override async write(bytes: Uint8Array, position: number): Promise<void> {
    assert(isAligned(bytes.length), 'a direct write has whole pages');
    await lendAligned(async piece => {
      for (let written = 0; written < bytes.length; ) {
        const part = bytes.subarray(written, written + piece.length);
        piece.set(part);
        const { bytesWritten } = await this.handle.write(piece, 0, part.length, position + written);
        written += bytesWritten;
      }
    });
  }
}

export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

export const nodeFileOperations: BlockOperations = {
  async ensureDirectory(directory) {
    await mkdir(directory, { recursive: true });
  },
  async openExisting(path) {
    try {
      return new NodeFile(await open(path, 'r+'));
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
  },
  async create(path) {
    return new NodeFile(await open(path, 'w+', 0o600));
  },
  async createDirect(path) {
    const { O_CREAT, O_RDWR, O_TRUNC } = constants;
    return new DirectFile(await openDirect(path, O_CREAT | O_RDWR | O_TRUNC));
  },
  readWhole,
  rename,
  syncDirectory,
  async remove(path) {
    try {
      await unlink(path);
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  },
};
