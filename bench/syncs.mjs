// Appends to a file, each with its fdatasync, one at a time.
import { closeSync, fdatasyncSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/**
 * @param dir is made where it is missing
 * @param bytes of an append
 * @returns milliseconds that each append with its fdatasync took
 */
export function timeSyncs(dir, bytes, measuredMs) {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const path = join(dir, `sync-${process.pid}`);
  const file = openSync(path, 'w');
  const data = Buffer.alloc(bytes, 1);
  const tookMs = [];
  const endMs = performance.now() + measuredMs;
  for (let nowMs = performance.now(); nowMs < endMs; ) {
    writeSync(file, data);
    fdatasyncSync(file);
    const afterMs = performance.now();
    tookMs.push(afterMs - nowMs);
    nowMs = afterMs;
  }
  closeSync(file);
  rmSync(path);
  return tookMs;
}
