import { open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { toHex } from '../core/base/bytes.ts';
import { OperatingError } from '../ports/lifecycle.ts';
import type { FirstStart } from '../ports/signing-state.ts';
import { isMissing, nodeFileOperations, syncDirectory } from './file-operations.ts';

/** The mark as a file beside the keys that holds the public key which it is for. */
export class FileFirstStart implements FirstStart {
  constructor(private readonly path: string) {}

  /** Made once, right after the key; durable when it resolves. */
  async mark(publicKey: Uint8Array): Promise<void> {
    const next = `${this.path}.next`;
    const handle = await open(next, 'w', 0o600);
    try {
      await handle.writeFile(`${toHex(publicKey)}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(next, this.path);
    await syncDirectory(dirname(this.path));
  }

  async isMarked(publicKey: Uint8Array): Promise<boolean> {
    const text = await readFile(this.path, 'utf8').catch(error => {
      if (isMissing(error)) return null;
      throw this.failure('read', error);
    });
    return text?.trim() === toHex(publicKey);
  }

  async consume(): Promise<void> {
    try {
      await nodeFileOperations.remove(this.path);
      await syncDirectory(dirname(this.path));
    } catch (error) {
      throw this.failure('remove', error);
    }
  }

  private failure(what: string, cause: unknown): OperatingError {
    return new OperatingError(
      'first_start_failed',
      `cannot ${what} ${this.path}`,
      'Check the rights and the health of the disk, then start again.',
      cause,
    );
  }
}
