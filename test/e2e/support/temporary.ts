import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { atEnd } from './cleanup.ts';

/** A directory of the calling test file, gone after it. Call it before anything that lives in it. */
export function temporaryDirectory(): string {
  const dir = mkdtempSync(join(tmpdir(), 'phaseline-e2e-'));
  atEnd(() => rmSync(dir, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 }));
  return dir;
}
