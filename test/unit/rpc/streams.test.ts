import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { link } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { openLocalFile, unreadable, writeNewFile } from '../../../src/rpc/streams.ts';
import { bytesOf } from './support.ts';

const root = mkdtempSync(join(tmpdir(), 'phaseline-streams-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(root, 'dir-'));
});

async function read(path: string, offset = 0): Promise<Uint8Array> {
  const file = await openLocalFile(path);
  try {
    return await bytesOf(file.read(offset));
  } finally {
    await file.close();
  }
}
const failing = (reason: string, path: string) => ({
  name: 'RpcFailure',
  message: expect.stringContaining(path),
  data: expect.objectContaining({ reason }),
});

describe('a file of this machine', () => {
  it('is read byte for byte, an empty one too', async () => {
    const content = Buffer.alloc(200_001, 'ab');
    writeFileSync(join(dir, 'a'), content);
    writeFileSync(join(dir, 'empty'), '');
    expect(Buffer.from(await read(join(dir, 'a'))).equals(content)).toBe(true);
    expect((await read(join(dir, 'empty'))).length).toBe(0);
    expect(Buffer.from(await read(join(dir, 'a'), 199_990)).toString()).toBe('abababababa');
  });

  it('is refused by name when it is none: missing, a directory, a device, a pipe, a loop', async () => {
    const at = (name: string) => join(dir, name);
    writeFileSync(at('file'), 'x');
    mkdirSync(at('folder'));
    execFileSync('mkfifo', [at('pipe')]);
    symlinkSync(at('loop'), at('loop'));
    for (const [path, reason] of [
      [at('none'), 'no_such_file'],
      [at('file/below'), 'no_such_file'],
      [at('folder'), 'not_a_file'],
      ['/dev/zero', 'not_a_file'],
      [at('pipe'), 'not_a_file'],
      [at('loop'), 'read_failed'],
    ] as const) {
      await expect(openLocalFile(path), path).rejects.toMatchObject(failing(reason, path));
    }
  });

  it('is refused by name when the node may not read it', () => {
    const path = join(dir, 'secret');
    // Who runs the tests may be root, whom no mode keeps out: the system's own error codes stand for it.
    for (const code of ['EACCES', 'EPERM']) {
      const refused = unreadable(path, Object.assign(new Error(code), { code }));
      expect(refused).toMatchObject(failing('not_readable', path));
    }
  });

  it('fails by name when it changes while it is read', async () => {
    const changes: [string, (path: string) => void][] = [
      ['grows', path => appendFileSync(path, 'more')],
      ['shrinks', path => truncateSync(path, 100)],
      [
        'is written over',
        path => {
          writeFileSync(path, Buffer.alloc(300_000, 2));
          utimesSync(path, 1, 1);
        },
      ],
    ];
    for (const [what, change] of changes) {
      const path = join(dir, what);
      writeFileSync(path, Buffer.alloc(300_000, 1));
      const file = await openLocalFile(path);
      const reading = (async () => {
        let first = true;
        for await (const _ of file.read(0)) {
          if (first) change(path);
          first = false;
        }
      })();
      await expect(reading, what).rejects.toMatchObject(failing('file_changed', path));
      await file.close();
    }
  });
});

async function* pieces(): AsyncGenerator<Uint8Array> {
  yield Buffer.from('first ');
  yield Buffer.from('second');
}

const withoutLinks = {
  link: async () => {
    throw Object.assign(new Error('operation not permitted'), { code: 'EPERM' });
  },
};

describe.each([
  ['with hard links', { link }],
  ['without hard links', withoutLinks],
])('a new file on a file system %s', (_, naming) => {
  it('is there whole, with nothing beside it', async () => {
    const path = join(dir, 'out');
    expect(await writeNewFile(path, pieces(), naming)).toMatchObject({ bytes: 12 });
    expect(readFileSync(path, 'utf8')).toBe('first second');
    expect(readdirSync(dir)).toEqual(['out']);
  });

  it('replaces nothing, also what appears while it is written', async () => {
    const path = join(dir, 'out');
    writeFileSync(path, 'mine');
    await expect(writeNewFile(path, pieces(), naming)).rejects.toMatchObject(failing('file_exists', path));
    const late = join(dir, 'late');
    const racing = async function* () {
      yield* pieces();
      writeFileSync(late, 'theirs');
    };
    await expect(writeNewFile(late, racing(), naming)).rejects.toMatchObject(failing('file_exists', late));
    symlinkSync(join(dir, 'nowhere'), join(dir, 'dangling'));
    const dangling = join(dir, 'dangling');
    await expect(writeNewFile(dangling, pieces(), naming)).rejects.toMatchObject(
      failing('file_exists', dangling),
    );
    expect([readFileSync(path, 'utf8'), readFileSync(late, 'utf8')]).toEqual(['mine', 'theirs']);
    expect(readdirSync(dir).sort()).toEqual(['dangling', 'late', 'out']);
  });

  it('is not there when its content breaks off', async () => {
    const broken = async function* () {
      yield Buffer.from('first ');
      throw new Error('the source broke');
    };
    await expect(writeNewFile(join(dir, 'out'), broken(), naming)).rejects.toThrow('the source broke');
    expect(readdirSync(dir)).toEqual([]);
  });
});

it('a file that cannot be written is named', async () => {
  const path = '/dev/full/out';
  await expect(writeNewFile(path, pieces())).rejects.toMatchObject(failing('no_such_directory', '/dev/full'));
  const nameless = {
    link: async () => {
      throw Object.assign(new Error('disk'), { code: 'EIO' });
    },
  };
  const out = join(dir, 'out');
  await expect(writeNewFile(out, pieces(), nameless)).rejects.toMatchObject(failing('write_failed', out));
  expect(readdirSync(dir)).toEqual([]);
});
