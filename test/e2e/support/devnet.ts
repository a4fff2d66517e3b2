import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Client, createClient } from '../../../src/client/client.ts';
import { atEnd } from './cleanup.ts';
import { ask, type Outcome, Program, run } from './program.ts';
import { until } from './until.ts';

const READY_TIMEOUT_MS = 90_000;
const STOP_TIMEOUT_MS = 30_000;

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function readJson<T>(path: string): Promise<T> {
  return JSON.parse(await readFile(path, 'utf8')) as T;
}

/** A whole network as a user starts it: one program, which starts the nodes. */
export class Devnet {
  private constructor(
    readonly dir: string,
    readonly cwd: string,
    readonly program: Program,
  ) {}

  /**
   * Resolves when the network says that it is ready; stops it after the test file, whatever happens.
   * @param dir data of the network; kept by it, so that it can be started again
   * @param cwd where it is started: it leaves a pointer to itself there
   */
  static async start(dir: string, cwd: string, words: readonly string[] = []): Promise<Devnet> {
    const program = new Program(['devnet', '--dir', dir, ...words], { cwd });
    const devnet = new Devnet(dir, cwd, program);
    atEnd(() => devnet.end());
    const said = () => `${program.stdout}\n${program.stderr}`;
    try {
      await until(
        'the network to be ready',
        () => (/^ready\b/m.test(program.stdout) || !program.alive ? true : null),
        READY_TIMEOUT_MS,
      );
    } catch (error) {
      throw new Error(`the network did not become ready:\n${said()}`, { cause: error });
    }
    if (!program.alive) throw new Error(`the network ended at its start:\n${said()}`);
    return devnet;
  }

  /** Process ids of the nodes by name; null for one that is down. */
  pids(): Promise<Record<string, number | null>> {
    return readJson(join(this.dir, 'pids.json'));
  }

  async pid(name: string): Promise<number> {
    return until(`a process of ${name}`, async () => (await this.pids())[name] ?? null);
  }

  /** Ends a node as a crash does; answers the pid that it had. */
  async crash(name: string): Promise<number> {
    const pid = await this.pid(name);
    process.kill(pid, 'SIGKILL');
    return pid;
  }

  /** Resolves when a node that had `pid` runs as another process and says that it is ready. */
  async restarted(name: string, pid: number, timeoutMs = 60_000): Promise<void> {
    await until(
      `${name} to be started again and ready`,
      async () => {
        const now = (await this.pids())[name] ?? null;
        if (now === null || now === pid) return null;
        const { url } = await this.endpoint(name);
        return (await fetch(`${url}/readyz`)).ok ? true : null;
      },
      timeoutMs,
    );
  }

  private endpoint(name: string): Promise<{ url: string; pid: number }> {
    return readJson(join(this.dir, name, 'endpoint.json'));
  }

  /** A client with the node's session token; made anew, because a node that comes back may have another port. */
  async client(name: string): Promise<Client> {
    const { url } = await this.endpoint(name);
    const token = (await readFile(join(this.dir, name, 'rpc-token'), 'utf8')).trim();
    return createClient({ url, token });
  }

  run(...words: string[]): Promise<Outcome> {
    return run(['--network', this.dir, ...words], { cwd: this.cwd });
  }

  ask<T>(...words: string[]): Promise<T> {
    return ask<T>(['--network', this.dir, ...words], { cwd: this.cwd });
  }

  /** Ctrl-C. Resolves when the program has ended; its nodes must have ended with it. */
  async stop(): Promise<Outcome> {
    const late = setTimeout(() => void this.program.stop('SIGKILL'), STOP_TIMEOUT_MS);
    const outcome = await this.program.stop('SIGINT');
    clearTimeout(late);
    return outcome;
  }

  /** The end that cannot fail: nothing of the network is left. */
  private async end(): Promise<void> {
    const pids = Object.values(await this.pids().catch(() => ({}))).filter(pid => pid !== null);
    if (this.program.alive) {
      await this.stop();
      for (const pid of pids) if (isAlive(pid)) process.kill(pid, 'SIGKILL');
    }
  }
}
