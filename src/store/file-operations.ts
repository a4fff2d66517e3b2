import { type FileHandle, mkdir, open, rename, unlink } from 'node:fs/promises';

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

export function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

class NodeFile implements DiskFile {
  constructor(private readonly handle: FileHandle) {}

  async readAll(): Promise<Uint8Array> {
    const { size } = await this.handle.stat();
    const bytes = new Uint8Array(size);
    let filled = 0;
    while (filled < size) {
      const { bytesRead } = await this.handle.read(bytes, filled, size - filled, filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return bytes.subarray(0, filled);
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

export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

export const nodeFileOperations: FileOperations = {
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
