import { describe, expect, it } from 'vitest';
import { utf8 } from '../../src/core/base/bytes.ts';
import type { WriteAheadLog } from '../../src/ports/wal.ts';

const text = (records: readonly Uint8Array[]) => records.map(record => Buffer.from(record).toString());

/** The records of a log that must be there, or of a new one. */
export async function openOrCreate(wal: WriteAheadLog): Promise<readonly Uint8Array[]> {
  const content = await wal.open();
  if (content !== null) return content.records;
  await wal.create();
  return [];
}

/** @param place a function that opens the same log again at each call */
export function walContract(name: string, place: () => () => WriteAheadLog): void {
  describe(`${name}: write-ahead log contract`, () => {
    it('starts empty and gives back what was appended, in order', async () => {
      const create = place();
      const first = create();
      expect(await openOrCreate(first)).toEqual([]);
      await first.append([utf8('a'), utf8('')]);
      await first.append([utf8('b')]);
      await first.append([]);
      await first.close();
      const second = create();
      expect(text(await openOrCreate(second))).toEqual(['a', '', 'b']);
      await second.append([utf8('c')]);
      await second.close();
      const third = create();
      expect(text(await openOrCreate(third))).toEqual(['a', '', 'b', 'c']);
      await third.close();
    });

    it('[16] makes nothing where no log is, and keeps the identity that it was created with', async () => {
      const create = place();
      const wal = create();
      expect(await wal.open()).toBeNull();
      await wal.close();
      const second = create();
      expect(await second.open()).toBeNull();
      const identity = await second.create();
      await second.append([utf8('a')]);
      await second.rewrite([utf8('b')]);
      await second.close();
      const third = create();
      expect(await third.open()).toEqual({ identity, records: [utf8('b')] });
      const other = await third.create();
      expect(other).not.toBe(identity);
      await third.append([utf8('c')]);
      await third.close();
      const fourth = create();
      expect(await fourth.open()).toEqual({ identity: other, records: [utf8('c')] });
      await fourth.close();
    });

    it('keeps the order of appends that were not awaited', async () => {
      const create = place();
      const wal = create();
      await openOrCreate(wal);
      const names = Array.from({ length: 100 }, (_, index) => `record ${index}`);
      await Promise.all(names.map(record => wal.append([utf8(record)])));
      await wal.close();
      const again = create();
      expect(text(await openOrCreate(again))).toEqual(names);
      await again.close();
    });

    it('rewrites between appends in the order of the calls', async () => {
      const create = place();
      const wal = create();
      await openOrCreate(wal);
      await Promise.all([
        wal.append([utf8('gone')]),
        wal.rewrite([utf8('kept')]),
        wal.append([utf8('after')]),
      ]);
      await wal.close();
      const again = create();
      expect(text(await openOrCreate(again))).toEqual(['kept', 'after']);
      await again.rewrite([]);
      await again.close();
      const empty = create();
      expect(await openOrCreate(empty)).toEqual([]);
      await empty.close();
    });

    it('finishes what was appended before it closes', async () => {
      const create = place();
      const wal = create();
      await openOrCreate(wal);
      const appended = wal.append([utf8('last words')]);
      await wal.close();
      await appended;
      const again = create();
      expect(text(await openOrCreate(again))).toEqual(['last words']);
      await again.close();
    });
  });
}
