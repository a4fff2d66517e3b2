import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { dataPaths } from '../../config/node-config.ts';
import { OperatingError } from '../../ports/lifecycle.ts';

const MAIN = fileURLToPath(new URL('../main.js', import.meta.url));
const POLL_MS = 40;

/** `healthz`: it answers calls; `readyz`: it can do its work. */
type HealthPage = 'healthz' | 'readyz';

async function says(url: string, page: HealthPage): Promise<boolean> {
  return fetch(`${url}/${page}`).then(
    response => response.ok,
    () => false,
  );
}

/** One node of a devnet as a real process; its log goes to a file beside its data directory. */
export class NodeProcess {
  private child: ChildProcess | null = null;
  private stopping = false;

  /**
   * @param dir data directory
   * @param onExit called when the process ends without having been asked to
   */
  constructor(
    readonly name: string,
    readonly dir: string,
    private readonly onExit: (node: NodeProcess, how: string) => void,
  ) {}

  get logFile(): string {
    return join(this.dir, 'node.log');
  }

  get pid(): number | null {
    return this.child?.pid ?? null;
  }

  async start(): Promise<void> {
    await rm(dataPaths(this.dir).endpoint, { force: true });
    this.stopping = false;
    const log = openSync(this.logFile, 'a', 0o600);
    // Detached: Ctrl-C reaches the devnet alone, which then stops its nodes in order. When the devnet itself dies, the
    // channel closes and the node stops.
    const child = spawn(process.execPath, [MAIN, 'start', '--dir', this.dir], {
      detached: true,
      stdio: ['ignore', log, log, 'ipc'],
    });
    closeSync(log);
    this.child = child;
    child.once('exit', (code, signal) => {
      if (this.child === child) this.child = null;
      if (!this.stopping) this.onExit(this, signal ?? `exit code ${code}`);
    });
  }

  async url(): Promise<string | null> {
    const text = await readFile(dataPaths(this.dir).endpoint, 'utf8').catch(() => null);
    return text === null ? null : (JSON.parse(text) as { url: string }).url;
  }

  /** @throws OperatingError `not_started` with the last lines of its log */
  ready(timeoutMs: number, signal?: AbortSignal): Promise<void> {
    return this.reaches('readyz', timeoutMs, signal);
  }

  /** @throws OperatingError `not_started` with the last lines of its log */
  answers(timeoutMs: number, signal?: AbortSignal): Promise<void> {
    return this.reaches('healthz', timeoutMs, signal);
  }

  private async reaches(page: HealthPage, timeoutMs: number, signal?: AbortSignal): Promise<void> {
    for (let waitedMs = 0; waitedMs < timeoutMs; waitedMs += POLL_MS) {
      signal?.throwIfAborted();
      const url = await this.url();
      if (url !== null && (await says(url, page))) return;
      if (this.child === null) break;
      await delay(POLL_MS);
    }
    const tail = (await readFile(this.logFile, 'utf8').catch(() => ''))
      .trimEnd()
      .split('\n')
      .slice(-3)
      .join('\n  ');
    throw new OperatingError(
      'not_started',
      `${this.name} did not ${page === 'readyz' ? 'become ready' : 'answer'}:\n  ${tail}`,
      `See ${this.logFile}`,
    );
  }

  /** The signal `SIGTERM` stops it in order; `SIGKILL` is a crash, and is not taken for a request to stop. */
  async stop(graceMs = 10_000): Promise<void> {
    const child = this.child;
    if (child === null || child.exitCode !== null) return;
    this.stopping = true;
    const exited = new Promise<void>(resolve => child.once('exit', () => resolve()));
    child.kill('SIGTERM');
    const killer = setTimeout(() => child.kill('SIGKILL'), graceMs);
    await exited;
    clearTimeout(killer);
  }

  /** Ends the process at once, as a crash would; resolves when it is gone. */
  async crash(): Promise<void> {
    const child = this.child;
    if (child === null) return;
    this.stopping = true;
    const exited = new Promise<void>(resolve => child.once('exit', () => resolve()));
    child.kill('SIGKILL');
    await exited;
  }
}
