import { createHash, timingSafeEqual } from 'node:crypto';
import { open, readFile, stat } from 'node:fs/promises';
import { OperatingError } from '../ports/lifecycle.ts';
import type { RandomBytes } from '../ports/random.ts';

const TOKEN = /^[A-Za-z0-9_-]{43}$/;

/**
 * The node's session token: 32 random bytes in a file that only its owner may read. Made at the first start, kept after.
 *
 * @param path of the token file, in the data directory
 * @throws OperatingError `token_file_readable` when others may read it, `token_file_damaged`, `token_file` for the disk
 */
export async function openSessionToken(path: string, random: RandomBytes): Promise<string> {
  const token = Buffer.from(random(32)).toString('base64url');
  try {
    const file = await open(path, 'wx', 0o600);
    try {
      await file.writeFile(`${token}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    return token;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return readSessionToken(path);
    throw new OperatingError('token_file', `cannot write the session token ${path}`, null, error);
  }
}

async function readSessionToken(path: string): Promise<string> {
  const { mode } = await stat(path);
  if ((mode & 0o077) !== 0) {
    throw new OperatingError(
      'token_file_readable',
      `the session token ${path} can be read by others`,
      `Remove the file and start again: a new token is made. Then keep its mode 0600.`,
    );
  }
  const token = (await readFile(path, 'utf8')).trim();
  if (TOKEN.test(token)) return token;
  throw new OperatingError(
    'token_file_damaged',
    `the session token ${path} is not a token`,
    'Remove the file and start again: a new token is made.',
  );
}

/** Compares in constant time, whatever the lengths. */
export function tokenCheck(token: string): (given: string) => boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  const expected = digest(token);
  return given => timingSafeEqual(digest(given), expected);
}
