import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { describe, expect, it } from 'vitest';
import { utf8 } from '../../../src/core/base/bytes.ts';
import { LevelStore } from '../../../src/store/level-store.ts';
import { MemoryStore } from '../../../src/store/memory-store.ts';
import { keyValueContract } from '../../contracts/kv.ts';
import { temporaryDirectory } from './temporary.ts';

const root = temporaryDirectory();

keyValueContract('MemoryStore', () => new MemoryStore());
keyValueContract('LevelStore', place => new LevelStore(join(root, place)));

describe('LevelStore', () => {
  it('refuses a directory that is open elsewhere', async () => {
    const directory = join(root, 'shared');
    const first = new LevelStore(directory);
    await first.open();
    const second = new LevelStore(directory);
    await expect(second.open()).rejects.toMatchObject({ code: 'directory_in_use' });
    await second.close();
    await first.close();
    await second.open();
    await second.close();
  });

  it('[68] notices a damaged value on every way of reading and names the key', async () => {
    const directory = join(root, 'rot');
    const store = new LevelStore(directory);
    await store.open();
    await store.batch([{ type: 'put', key: 'block/7', value: utf8('a block') }], { sync: true });
    await store.close();
    const raw = new ClassicLevel<string, Uint8Array>(directory, { valueEncoding: 'view' });
    const bytes = (await raw.get('block/7'))!.slice();
    bytes[bytes.length - 1]! ^= 1;
    await raw.put('block/7', bytes);
    await raw.put('short', new Uint8Array(2));
    await raw.close();
    await store.open();
    const damaged = { code: 'corrupt', message: expect.stringContaining('block/7') };
    expect(() => store.get('block/7')).toThrow(expect.objectContaining(damaged));
    expect(() => store.get('short')).toThrow(expect.objectContaining({ code: 'corrupt' }));
    const read = async () => {
      for await (const entry of store.entries({ from: 'b', to: 'c' })) expect(entry).toBeUndefined();
    };
    await expect(read()).rejects.toMatchObject(damaged);
    await store.close();
  });

  it('[68] notices a value that stands under the key of another', async () => {
    const directory = join(root, 'swap');
    const store = new LevelStore(directory);
    await store.open();
    await store.batch([{ type: 'put', key: 'a', value: utf8('a') }], { sync: true });
    await store.close();
    const raw = new ClassicLevel<string, Uint8Array>(directory, { valueEncoding: 'view' });
    await raw.put('b', (await raw.get('a'))!);
    await raw.close();
    await store.open();
    expect(() => store.get('b')).toThrow(expect.objectContaining({ code: 'corrupt' }));
    await store.close();
  });
});
