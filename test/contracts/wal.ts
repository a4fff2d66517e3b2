import { describe, expect, it } from 'vitest';
import { utf8 } from '../../src/core/base/bytes.ts';
import type { WriteAheadLog } from '../../src/ports/wal.ts';

const text = (records: readonly Uint8Array[]) => records.map(record => Buffer.from(record).toString());

/** @param place a function that opens the same log again at each call */
export function walContract(name: string, place: () => () => WriteAheadLog): void {
  describe(`${name}: write-ahead log contract`, () => {
    it('starts empty and gives back what was appended, in order', async () => {
      const create = place();
      const first = create();
      expect(await first.open()).toEqual([]);
      await first.append([utf8('a'), utf8('')]);
      await first.append([utf8('b')]);
      await first.append([]);
      await first.close();
      const second = create();
      expect(text(await second.open())).toEqual(['a', '', 'b']);
      await second.append([utf8('c')]);
      await second.close();
      const third = create();
      expect(text(await third.open())).toEqual(['a', '', 'b', 'c']);
      await third.close();
    });

    it('keeps the order of appends that were not awaited', async () => {
      const create = place();
      const wal = create();
      await wal.open();
      const names = Array.from({ length: 100 }, (_, index) => `record ${index}`);
      await Promise.all(names.map(record => wal.append([utf8(record)])));
      await wal.close();
      const again = create();
      expect(text(await again.open())).toEqual(names);
      await again.close();
    });

    it('rewrites between appends in the order of the calls', async () => {
      const create = place();
      const wal = create();
      await wal.open();
      await Promise.all([
        wal.append([utf8('gone')]),
        wal.rewrite([utf8('kept')]),
        wal.append([utf8('after')]),
      ]);
      await wal.close();
      const again = create();
      expect(text(await again.open())).toEqual(['kept', 'after']);
      await again.rewrite([]);
      await again.close();
      const empty = create();
      expect(await empty.open()).toEqual([]);
      await empty.close();
    });

    it('finishes what was appended before it closes', async () => {
      const create = place();
      const wal = create();
      await wal.open();
      const appended = wal.append([utf8('last words')]);
      await wal.close();
      await appended;
      const again = create();
      expect(text(await again.open())).toEqual(['last words']);
      await again.close();
    });
  });
}
