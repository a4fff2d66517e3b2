import { open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { toHex } from '../core/base/bytes.ts';
import { OperatingError } from '../ports/lifecycle.ts';
import type { FirstStart } from '../ports/signing-state.ts';
import { isMissing, nodeFileOperations, syncDirectory } from './file-operations.ts';

/** The marks as a file beside the keys that holds the public keys which have signed nothing, one a line. */
export class FileFirstStart implements FirstStart {
  constructor(private readonly path: string) {}

  /** Made once, before or right after the key; durable when it resolves. */
  async mark(publicKey: Uint8Array): Promise<void> {
    const marked = await this.read();
    await this.write([...marked, toHex(publicKey)]);
  }

  async isMarked(publicKey: Uint8Array): Promise<boolean> {
    return (await this.read()).includes(toHex(publicKey));
  }

  async consume(publicKey: Uint8Array): Promise<void> {
    const left = (await this.read()).filter(key => key !== toHex(publicKey));
    try {
      if (left.length > 0) return await this.write(left);
      await nodeFileOperations.remove(this.path);
      await syncDirectory(dirname(this.path));
    } catch (error) {
      throw this.failure('remove', error);
    }
  }

  private async read(): Promise<string[]> {
    const text = await readFile(this.path, 'utf8').catch(error => {
      if (isMissing(error)) return '';
      throw this.failure('read', error);
    });
    return text.split('\n').filter(line => line !== '');
  }

  private async write(keys: readonly string[]): Promise<void> {
    const next = `${this.path}.next`;
    const handle = await open(next, 'w', 0o600);
    try {
      await handle.writeFile(`${keys.join('\n')}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(next, this.path);
    await syncDirectory(dirname(this.path));
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
