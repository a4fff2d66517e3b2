import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { cidOf } from '../../../src/cli/files/list.ts';
import { distinctPaths, safeRelativePath } from '../../../src/cli/files/names.ts';
import { formatBytes, TransferProgress } from '../../../src/cli/files/progress.ts';
import { walk } from '../../../src/cli/files/walk.ts';

const root = mkdtempSync(join(tmpdir(), 'phaseline-cli-files-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe('names of files from records', () => {
  it('[88] never lead out of the directory that they are written to', () => {
    for (const [name, path] of [
      ['plans/a.svg', 'plans/a.svg'],
      ['../../etc/passwd', 'etc/passwd'],
      ['/etc/passwd', 'etc/passwd'],
      ['a/./../b', 'a/b'],
      ['..', 'file'],
      ['', 'file'],
      ['x\\..\\..\\y', 'y'],
      ['CON/nul.txt', '_CON/_nul.txt'],
      ['.ssh/authorized_keys', 'ssh/authorized_keys'],
      ['a\u001b[2J/b\u202egnp.exe', 'a_[2J/b_gnp.exe'],
    ] as const) {
      expect([name, safeRelativePath(name)]).toEqual([name, path]);
    }
  });

  it('that became one get numbers, whatever their case', () => {
    expect(distinctPaths(['a.txt', '../a.txt', 'A.TXT', 'b', 'b'])).toEqual([
      ...['a.txt', 'a (2).txt', 'A (3).TXT', 'b', 'b (2)'],
    ]);
  });
});

describe('paths that are put', () => {
  it('are files, and all files below directories in the order of their names; links are left out', async () => {
    mkdirSync(join(root, 'plans', 'b'), { recursive: true });
    for (const name of ['z.txt', 'b/y.txt', 'a.txt']) writeFileSync(join(root, 'plans', name), name);
    symlinkSync('/etc/passwd', join(root, 'plans', 'link'));
    const { files, skipped } = await walk(['plans', 'plans/a.txt'], root);
    expect(files.map(({ name, bytes, inDirectory }) => [name, bytes, inDirectory])).toEqual([
      ['plans/a.txt', 5, true],
      ['plans/b/y.txt', 7, true],
      ['plans/z.txt', 5, true],
      ['a.txt', 5, false],
    ]);
    expect(skipped).toEqual([join(root, 'plans', 'link')]);
    await expect(walk(['none'], root)).rejects.toMatchObject({ message: 'there is no file none' });
  });
});

describe('a file that is named', () => {
  const cid = `bafkrei${'a'.repeat(52)}`;
  const client = (files: readonly object[]) => ({ call: async () => ({ files, next: null }) }) as never;

  it('stands for the last one of that name, and a CID for itself', async () => {
    const files = [
      { name: 'plan', cid: 'old' },
      { name: 'plan', cid: 'new' },
    ];
    expect(await cidOf(client(files), 'plan', 'intake')).toBe('new');
    expect(await cidOf(client([]), cid, 'intake')).toBe(cid);
  });

  it('is refused when nothing has the name, or a directory has more than one', async () => {
    await expect(cidOf(client([]), 'plan', 'intake')).rejects.toMatchObject({
      message: 'no record of the phase names a file "plan"',
      hint: 'phaseline file list --phase intake shows the files.',
    });
    // a directory without its slash
    const listed = {
      call: async (_: string, { name }: { name: string }) => ({
        files: name === 'd/' ? [{}] : [],
        next: null,
      }),
    };
    await expect(cidOf(listed as never, 'd', 'intake')).rejects.toMatchObject({
      hint: 'A directory of the phase has that name: d/ with a slash at the end.',
    });
    const two = [
      { name: 'd/a', cid: 'a' },
      { name: 'd/b', cid: 'b' },
    ];
    await expect(cidOf(client(two), 'd/', 'intake')).rejects.toMatchObject({ message: 'd/ has 2 files' });
  });
});

describe('the line of progress', () => {
  const drawing = (interactive: boolean) => {
    const drawn: string[] = [];
    let atMs = 0;
    const io = { interactive, draw: (text: string) => void drawn.push(text.replace('\r\u001b[2K', '')) };
    return {
      drawn,
      progress: new TransferProgress(io, 'scan.tif', () => atMs),
      pass: (ms: number) => (atMs += ms),
    };
  };

  it('shows stage, bytes, rate and the time that is left, at most five times a second', () => {
    const { drawn, progress, pass } = drawing(true);
    const total = 100 * 1024 * 1024;
    progress.update({ stage: 'store', bytes: 0, total });
    pass(100);
    progress.update({ stage: 'store', bytes: 1, total });
    pass(900);
    progress.update({ stage: 'store', bytes: total / 4, total });
    progress.update({ stage: 'replicate 1/3', bytes: total, total });
    progress.end();
    expect(drawn).toEqual([
      'scan.tif: store  0 B of 100 MiB (0 %)',
      'scan.tif: store  25.0 MiB of 100 MiB (25 %)  25.0 MiB/s  3 s left',
      'scan.tif: replicate 1/3  100 MiB of 100 MiB (100 %)',
      '',
    ]);
  });

  it('is silent where nobody watches', () => {
    const { drawn, progress } = drawing(false);
    progress.update({ stage: 'store', bytes: 1, total: 2 });
    progress.end();
    expect(drawn).toEqual([]);
  });

  it('has units that people read', () => {
    expect([0, 1023, 1536, 10 * 1024 ** 3].map(formatBytes)).toEqual([
      '0 B',
      '1023 B',
      '1.5 KiB',
      '10.0 GiB',
    ]);
  });
});
