import { spawn } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT, run } from './support/program.ts';
import { temporaryDirectory } from './support/temporary.ts';
import { until } from './support/until.ts';

/** Stopping takes milliseconds; a supervisor that waits longer than this kills. */
const STOP_MS_MAX = 4000;

describe('stopping a supervised node', () => {
  const cwd = temporaryDirectory();
  const environment = { PHASELINE_PASSPHRASE: 'a passphrase for one test' };

  async function init(role: string, name: string): Promise<void> {
    const listen = ['--listen', '/ip4/127.0.0.1/tcp/0', '--rpc-port', '0'];
    const words = ['init', '--dir', name, '--role', role, '--name', name, ...listen];
    const { code, stdout, stderr } = await run(words, { cwd, environment });
    expect(code, stderr).toBe(0);
    await writeFile(join(cwd, `${name}.json`), stdout);
  }

  it('ends the process by itself, though the channel to its supervisor stays open', async () => {
    await init('consensus', 'node-1');
    await init('manager', 'manager');
    const words = [
      'genesis',
      'node-1.json',
      'manager.json',
      '--name',
      'one',
      '--out',
      'manager/genesis.json',
    ];
    expect((await run(words, { cwd })).code).toBe(0);
    const dir = join(cwd, 'manager');
    const child = spawn(process.execPath, [join(ROOT, 'dist/cli/main.js'), 'start', '--dir', dir], {
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    const exited = new Promise<number | null>(resolve => child.once('exit', code => resolve(code)));
    try {
      await until('the node to answer', () => readFile(join(dir, 'endpoint.json'), 'utf8').catch(() => null));
      const askedMs = performance.now();
      child.kill('SIGTERM');
      expect(await exited).toBe(0);
      expect(performance.now() - askedMs).toBeLessThan(STOP_MS_MAX);
    } finally {
      child.kill('SIGKILL');
    }
  });
});
