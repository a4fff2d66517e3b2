import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { concatBytes, utf8 } from '../../../src/core/base/bytes.ts';
import { FileWal } from '../../../src/store/file-wal.ts';
import { MemoryWal } from '../../../src/store/memory-wal.ts';
import { encodeWalRecords, scanWal, WAL_HEAD_BYTES } from '../../../src/store/wal-record.ts';
import { openOrCreate, walContract } from '../../contracts/wal.ts';
import { FailingDisk } from './failing-disk.ts';
import { temporaryDirectory } from './temporary.ts';

const root = temporaryDirectory();
let places = 0;
const newPath = () => {
  places += 1;
  return join(root, `log-${places}`, 'consensus.wal');
};

walContract('MemoryWal', () => {
  const wal = new MemoryWal();
  return () => wal;
});
walContract('FileWal', () => {
  const path = newPath();
  return () => new FileWal(path);
});

const RECORDS = [
  utf8('pre-prepare 1'),
  utf8(''),
  new Uint8Array(600),
  new Uint8Array(700).fill(9),
  utf8('commit 1'),
];

async function sampleFile(): Promise<{ path: string; bytes: Uint8Array; ends: number[] }> {
  const path = newPath();
  const wal = new FileWal(path);
  await openOrCreate(wal);
  await wal.append(RECORDS);
  await wal.close();
  const ends = [WAL_HEAD_BYTES];
  for (const record of RECORDS) ends.push(ends.at(-1)! + encodeWalRecords([record]).length);
  return { path, bytes: new Uint8Array(readFileSync(path)), ends };
}

describe('FileWal', () => {
  it('[8] flushes what it finds before anybody acts on it: a killed program may have left it in the page cache', async () => {
    const { path, ends } = await sampleFile();
    const disk = new FailingDisk(Number.POSITIVE_INFINITY);
    const wal = new FileWal(path, disk);
    expect((await wal.open())?.records).toHaveLength(ends.length - 1);
    expect(disk.steps).toEqual(['sync', 'syncDirectory']);
    await wal.close();
  });

  it('[10] [66] replays the whole records when the file is cut at any byte, and goes on from there', async () => {
    const { path, bytes, ends } = await sampleFile();
    expect(bytes.length).toBe(ends.at(-1));
    for (let cut = WAL_HEAD_BYTES; cut <= bytes.length; cut += 1) {
      const whole = ends.filter(end => end <= cut).length - 1;
      const scan = scanWal(bytes.subarray(0, cut));
      expect(scan).toMatchObject({
        records: RECORDS.slice(0, whole),
        validBytes: ends[whole],
        corruptAt: null,
      });
    }
    for (const cut of ends.map(end => end - 1).filter(end => end >= WAL_HEAD_BYTES)) {
      writeFileSync(path, bytes.subarray(0, cut));
      const wal = new FileWal(path);
      const found = await openOrCreate(wal);
      await wal.append([utf8('next')]);
      await wal.close();
      const again = new FileWal(path);
      expect(await openOrCreate(again)).toEqual([...found, utf8('next')]);
      await again.close();
    }
  });

  it('[66] takes zeros from a sector border on for a torn tail', async () => {
    const { bytes, ends } = await sampleFile();
    const torn = concatBytes(bytes.subarray(0, ends[2]), new Uint8Array(1000));
    expect(scanWal(torn)).toMatchObject({ validBytes: ends[2], corruptAt: null });
    const long = encodeWalRecords([new Uint8Array(3000).fill(7)]);
    const file = concatBytes(bytes, long);
    file.fill(0, 2048);
    expect(scanWal(file)).toMatchObject({ validBytes: ends.at(-1), corruptAt: null });
  });

  it('[66] refuses damage of any byte, in each record, by file and offset', async () => {
    const { path, bytes, ends } = await sampleFile();
    for (let index = 0; index < bytes.length; index += 1) {
      const damaged = bytes.slice();
      damaged[index]! ^= 0x40;
      const record = ends.filter(end => end <= index).length - 1;
      expect(scanWal(damaged).corruptAt).toBe(record < 0 ? 0 : ends[record]);
    }
    const damaged = bytes.slice();
    damaged[ends[1]! + 2]! ^= 1;
    writeFileSync(path, damaged);
    const wal = new FileWal(path);
    const message = expect.stringMatching(`${path} is damaged at byte ${ends[1]}`);
    await expect(wal.open()).rejects.toMatchObject({ code: 'wal_corrupt', message });
    expect(new Uint8Array(readFileSync(path))).toEqual(damaged);
  });

  it('[66] refuses a durable record that was overwritten with zeros while others follow', async () => {
    const { bytes, ends } = await sampleFile();
    const damaged = bytes.slice().fill(0, ends[0], ends[1]);
    expect(scanWal(damaged).corruptAt).toBe(ends[0]);
  });

  it('[66] refuses a file that is no log', async () => {
    expect(scanWal(utf8('hello, this is text')).corruptAt).toBe(0);
    expect(scanWal(new Uint8Array(0)).corruptAt).toBe(0);
  });

  it('shares one write and one flush between appends that wait', async () => {
    const disk = new FailingDisk(Number.POSITIVE_INFINITY);
    const wal = new FileWal(newPath(), disk);
    await openOrCreate(wal);
    const before = disk.steps.length;
    await Promise.all(Array.from({ length: 50 }, (_, index) => wal.append([utf8(`${index}`)])));
    expect(disk.steps.slice(before)).toEqual(['write', 'sync']);
    await wal.close();
  });

  it('[10] [67] a failure at any step is final, and what was acknowledged is there after a restart', async () => {
    const scenario = async (wal: FileWal, acknowledged: string[]) => {
      const settled = async (names: string[], call: Promise<void>) => {
        await call;
        acknowledged.push(...names);
      };
      await openOrCreate(wal);
      await settled(['a'], wal.append([utf8('a')]));
      await settled(['b', 'c'], wal.append([utf8('b'), utf8('c')]));
      await wal.rewrite(['a', 'b', 'c'].map(utf8));
      await settled(['d'], wal.append([utf8('d')]));
    };
    const free = new FailingDisk(Number.POSITIVE_INFINITY);
    const healthy = new FileWal(newPath(), free);
    await scenario(healthy, []);
    await healthy.close();
    expect(free.steps.length).toBeGreaterThan(10);
    for (let failAt = 0; failAt < free.steps.length; failAt += 1) {
      const path = newPath();
      const wal = new FileWal(path, new FailingDisk(failAt));
      const acknowledged: string[] = [];
      const failed = { code: 'wal_failed' };
      await expect(scenario(wal, acknowledged)).rejects.toMatchObject(failed);
      if (failAt >= 5) {
        await expect(wal.append([utf8('x')])).rejects.toMatchObject(failed);
        await expect(wal.rewrite([])).rejects.toMatchObject(failed);
      }
      await wal.close();
      const again = new FileWal(path);
      const found = (await openOrCreate(again)).map(record => Buffer.from(record).toString());
      expect(found.slice(0, acknowledged.length)).toEqual(acknowledged);
      expect(['a', 'b', 'c', 'd'].slice(0, found.length)).toEqual(found);
      await again.close();
    }
  });

  it('[67] rejects every call that waited for the failed flush, and every later one', async () => {
    const wal = new FileWal(newPath(), new FailingDisk(6, 'recovers'));
    await openOrCreate(wal);
    const calls = await Promise.allSettled([
      wal.append([utf8('b')]),
      wal.rewrite([]),
      wal.append([utf8('c')]),
    ]);
    expect(calls.map(call => call.status)).toEqual(['rejected', 'rejected', 'rejected']);
    // the disk works again, but nobody knows what the failed flush left
    await expect(wal.append([utf8('d')])).rejects.toMatchObject({ code: 'wal_failed' });
    await wal.close();
  });
});
