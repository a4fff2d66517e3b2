import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { lockDirectory } from '../../../src/store/directory-lock.ts';
import { temporaryDirectory } from './temporary.ts';

const root = temporaryDirectory();
let places = 0;
const newDirectory = () => {
  places += 1;
  const directory = join(root, `node-${places}`);
  mkdirSync(directory);
  return directory;
};

describe('lockDirectory', () => {
  it('refuses a second claim until the first is released', async () => {
    const directory = newDirectory();
    const lock = await lockDirectory(directory);
    await expect(lockDirectory(join(directory, '.'))).rejects.toMatchObject({
      code: 'directory_in_use',
      message: `the data directory ${directory} is in use by process ${process.pid}`,
    });
    await lock.release();
    await lock.release();
    expect(readdirSync(directory)).toEqual([]);
    const again = await lockDirectory(directory);
    await again.release();
  });

  it('refuses while another process lives and takes over once it is gone', async () => {
    const directory = newDirectory();
    const other = spawn(process.execPath, ['-e', "console.log('up'); setInterval(() => {}, 1000)"]);
    try {
      await once(other.stdout, 'data');
      const started = readFileSync(`/proc/${other.pid}/stat`, 'utf8').split(' ')[21];
      writeFileSync(join(directory, 'lock'), `${other.pid} ${started}\n`);
      const message = expect.stringContaining(`in use by process ${other.pid}`);
      await expect(lockDirectory(directory)).rejects.toMatchObject({ code: 'directory_in_use', message });
    } finally {
      other.kill('SIGKILL');
      await once(other, 'exit');
    }
    const lock = await lockDirectory(directory);
    await lock.release();
  });

  it('takes over what an earlier process of the same number, or of a number used again, left', async () => {
    for (const content of [`${process.pid} 1\n`, `${process.ppid} 1\n`, 'nonsense', '']) {
      const directory = newDirectory();
      writeFileSync(join(directory, 'lock'), content);
      const lock = await lockDirectory(directory);
      await lock.release();
      expect(existsSync(join(directory, 'lock'))).toBe(false);
    }
  });
});
