import { describe, expect, it } from 'vitest';
import { utf8 } from '../../src/core/base/bytes.ts';
import type { KeyValueStore, KvRange } from '../../src/ports/kv.ts';

async function keysOf(store: KeyValueStore, range: KvRange): Promise<string[]> {
  const keys: string[] = [];
  for await (const [key] of store.entries(range)) keys.push(key);
  return keys;
}

const put = (key: string, value = key) => ({ type: 'put' as const, key, value: utf8(value) });
const del = (key: string) => ({ type: 'delete' as const, key });
const sync = { sync: true };

/** @param create a store over the same place at each call within one test's `place` */
export function keyValueContract(name: string, create: (place: string) => KeyValueStore): void {
  let places = 0;
  const opened = async (): Promise<KeyValueStore> => {
    places += 1;
    const store = create(`place-${places}`);
    await store.open();
    return store;
  };

  describe(`${name}: key-value contract`, () => {
    it('answers null for what is not there, and the last value for what is', async () => {
      const store = await opened();
      expect(store.get('a')).toBeNull();
      await store.batch([put('a', 'one')], sync);
      await store.batch([put('a', 'two'), put('b', '')], { sync: false });
      expect(store.get('a')).toEqual(utf8('two'));
      expect(store.get('b')).toEqual(new Uint8Array(0));
      await store.batch([del('a'), del('never-there')], sync);
      expect(store.get('a')).toBeNull();
      await store.close();
    });

    it('applies a batch in order', async () => {
      const store = await opened();
      await store.batch([put('a', '1'), del('a'), put('a', '2'), put('b'), del('b')], sync);
      expect(store.get('a')).toEqual(utf8('2'));
      expect(store.get('b')).toBeNull();
      await store.close();
    });

    it('lists a range with an inclusive start and an exclusive end, both ways, limited', async () => {
      const store = await opened();
      await store.batch(
        ['d', 'a', 'c', 'b', 'e'].map(key => put(key)),
        sync,
      );
      expect(await keysOf(store, { from: 'b', to: 'e' })).toEqual(['b', 'c', 'd']);
      expect(await keysOf(store, { from: 'b', to: 'e', reverse: true, limit: 2 })).toEqual(['d', 'c']);
      expect(await keysOf(store, { from: 'b', to: 'e', limit: 0 })).toEqual([]);
      expect(await keysOf(store, { from: 'x', to: 'z' })).toEqual([]);
      await store.close();
    });

    it('orders keys by their UTF-8 bytes', async () => {
      const store = await opened();
      const keys = ['\u{1f600}', '\uffee', 'z', 'zz', 'é', 'z/'];
      await store.batch(
        keys.map(key => put(key)),
        sync,
      );
      const sorted = [...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      expect(await keysOf(store, { from: '', to: '\u{10ffff}' })).toEqual(sorted);
      await store.close();
    });

    it('shows one snapshot to a reader while others write', async () => {
      const store = await opened();
      await store.batch([put('a', '1'), put('b', '1'), put('c', '1')], sync);
      const seen: string[] = [];
      for await (const [key, value] of store.entries({ from: 'a', to: 'z' })) {
        seen.push(key + Buffer.from(value).toString());
        await store.batch([put('b', '2'), del('c'), put('d', '2')], sync);
      }
      expect(seen).toEqual(['a1', 'b1', 'c1']);
      await store.close();
    });

    it('does not hand out memory that a caller may change under it', async () => {
      const store = await opened();
      const value = utf8('abc');
      await store.batch([{ type: 'put', key: 'a', value }], sync);
      value[0] = 0;
      store.get('a')![1] = 0;
      expect(store.get('a')).toEqual(utf8('abc'));
      await store.close();
    });

    it('refuses to read once closed and has everything when opened again', async () => {
      const store = await opened();
      await store.batch([put('a')], sync);
      await store.close();
      expect(() => store.get('a')).toThrow();
      await store.open();
      expect(store.get('a')).toEqual(utf8('a'));
      await store.close();
    });
  });
}
