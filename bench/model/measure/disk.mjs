// The disk below a directory, and the write-ahead log on it.
import { rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { timeSyncs } from '../../syncs.mjs';
import { median, spentBy } from './clock.mjs';

const SMALL_BYTES = 300;
const LARGE_BYTES = 256 * 1024;
const MEASURED_MS = 1_500;
const LARGE_MS = 800;
/** Threads that the runtime writes files with. */
const TOGETHER = 4;
const APPENDS = 300;

/** Appends a second of several files at once, against those of one file in the same way. */
async function parallel(dir) {
  const rate = async files => {
    let count = 0;
    const endMs = performance.now() + LARGE_MS;
    const data = Buffer.alloc(SMALL_BYTES, 1);
    const work = async index => {
      const path = join(dir, `prices-sync-${index}`);
      const file = await open(path, 'w');
      while (performance.now() < endMs) {
        await file.write(data);
        await file.datasync();
        count += 1;
      }
      await file.close();
      rmSync(path);
    };
    await Promise.all(Array.from({ length: files }, (_, index) => work(index)));
    return count;
  };
  return Math.max(1, (await rate(TOGETHER)) / (await rate(1)));
}

export async function measureDisk(parts, { dir }) {
  const small = median(timeSyncs(dir, SMALL_BYTES, MEASURED_MS)) * 1000;
  const large = median(timeSyncs(dir, LARGE_BYTES, LARGE_MS)) * 1000;
  const log = new parts.FileWal(join(dir, 'prices-log'));
  await log.open();
  await log.create();
  const record = new Uint8Array(SMALL_BYTES);
  const write = async () => {
    for (let index = 0; index < APPENDS; index += 1) await log.append([record]);
  };
  await write();
  const { mainUs, otherUs } = await spentBy(write);
  await log.close();
  return {
    'disk.sync': { value: small, how: `median of appends of ${SMALL_BYTES} B with an fdatasync each` },
    'disk.kib': {
      value: Math.max(0, (large - small) / (LARGE_BYTES / 1024)),
      how: `the same with ${LARGE_BYTES / 1024} KiB; the difference, for each KiB`,
    },
    'disk.parallel': {
      value: await parallel(dir),
      how: `fdatasyncs a second of ${TOGETHER} files at once, by those of one file`,
    },
    'log.flush': { value: mainUs / APPENDS, how: `${APPENDS} appends to the write-ahead log, one at a time` },
    'log.flushWriter': { value: otherUs / APPENDS, how: 'the same, threads beside the event loop' },
  };
}
