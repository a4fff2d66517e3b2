import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { run } from './support/program.ts';
import { temporaryDirectory } from './support/temporary.ts';

/** On a busy machine a network takes a while to start. */
const TIMEOUT_MS = 150_000;

interface Load {
  readonly offered: number;
  readonly accepted: number;
  readonly committed: number;
  readonly failed: number;
  readonly latency: { readonly p50Ms: number; readonly p99Ms: number };
  readonly wireBytes: number;
  readonly keptBytes: number;
}

/** What these benchmarks find is asserted nowhere: that they measure real networks, and say so in full, is. */
describe('the benchmarks, short', { timeout: TIMEOUT_MS }, () => {
  const cwd = temporaryDirectory();

  /** The result as `--json` wrote it. */
  async function measured<Result>(words: readonly string[]): Promise<Result> {
    const { code, stdout, stderr } = await run(['bench', ...words, '--json', 'result.json'], {
      cwd,
      timeoutMs: TIMEOUT_MS,
    });
    expect(code, stdout + stderr).toBe(0);
    return JSON.parse(await readFile(join(cwd, 'result.json'), 'utf8'));
  }

  it('commits what was offered, and says at what cost', async () => {
    const load = ['--clients', '16', '--seconds', '3', '--warm-up', '1', '--only', 'load'];
    const files = ['--dir', 'kept', '--markdown', 'result.md'];
    const result = await measured<{ readonly load: Load }>(['consensus', ...load, ...files]);
    const { offered, accepted, committed, failed, latency, wireBytes, keptBytes } = result.load;
    expect(committed).toBeGreaterThan(0);
    expect([offered, accepted, failed]).toEqual([committed, committed, 0]);
    expect(latency.p50Ms).toBeGreaterThan(0);
    expect(latency.p99Ms).toBeGreaterThanOrEqual(latency.p50Ms);
    expect(wireBytes).toBeGreaterThan(250);
    expect(keptBytes).toBeGreaterThan(4 * 250);
    expect(await readFile(join(cwd, 'result.md'), 'utf8')).toContain(String(committed));
    expect(existsSync(join(cwd, 'kept'))).toBe(true);
  });

  it('names an option that it does not know, and what to ask', async () => {
    const { code, stderr } = await run(['bench', 'consensus', '--client', '3'], { cwd });
    expect(code).toBe(2);
    expect(stderr).toContain('--client');
    expect(stderr).not.toContain(' at ');
  });

  it('puts a file on three nodes and reads it back, beside the ceiling of the machine', async () => {
    const bytes = ['--bytes', String(4 << 20), '--rounds', '1'];
    const result = await measured(['files', ...bytes, '--only', 'ceiling,large']);
    expect(result).toMatchObject({ ceiling: expect.anything(), large: expect.anything() });
  });

  it('follows a phase in a chain that is larger than the phase', async () => {
    const small = ['--phases', '3', '--records-per-phase', '20'];
    const result = await measured(['light', ...small, '--only', 'sync']);
    expect(result).toHaveProperty('sync');
  });
});
