import { type ChildProcess, spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { atEnd } from './cleanup.ts';

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../../..');
const MAIN = join(ROOT, 'dist/cli/main.js');
const TIMEOUT_MS = 60_000;

/** Programs that run; none outlives the test file. Nodes of a devnet stop by themselves when it is gone. */
const running = new Set<ChildProcess>();
const endAll = () => {
  for (const child of running) child.kill('SIGKILL');
};
// Networks are stopped in order by what started them; here is what is left when that could not run.
atEnd(endAll);
process.once('exit', endAll);
process.once('SIGTERM', () => {
  endAll();
  process.exit(1);
});

export interface Outcome {
  /** Null when a signal ended the program. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ProgramOptions {
  readonly cwd: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
}

/** The built command line as a real process, with everything it says. */
export class Program {
  readonly ended: Promise<Outcome>;
  private readonly child: ChildProcess;
  private readonly out: string[] = [];
  private readonly err: string[] = [];

  constructor(words: readonly string[], options: ProgramOptions) {
    const inherited = Object.fromEntries(
      Object.entries(process.env).filter(([name]) => !/^(PHASELINE_|NODE_OPTIONS$|VITEST)/.test(name)),
    );
    const child = spawn(process.execPath, [MAIN, ...words], {
      cwd: options.cwd,
      env: { ...inherited, ...options.environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child = child;
    running.add(child);
    child.stdout!.setEncoding('utf8').on('data', text => this.out.push(text));
    child.stderr!.setEncoding('utf8').on('data', text => this.err.push(text));
    const timeoutMs = options.timeoutMs;
    const timer =
      timeoutMs === undefined
        ? null
        : setTimeout(() => {
            this.err.push(`\nstopped by the test after ${timeoutMs} ms\n`);
            child.kill('SIGKILL');
          }, timeoutMs);
    this.ended = new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', code => {
        if (timer !== null) clearTimeout(timer);
        running.delete(child);
        resolve({ code, stdout: this.stdout, stderr: this.stderr });
      });
    });
  }

  get pid(): number {
    return this.child.pid!;
  }

  get stdout(): string {
    return this.out.join('');
  }

  get stderr(): string {
    return this.err.join('');
  }

  get alive(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  async stop(signal: NodeJS.Signals): Promise<Outcome> {
    if (this.alive) this.child.kill(signal);
    return this.ended;
  }
}

/** Runs a command to its end. */
export function run(words: readonly string[], options: ProgramOptions): Promise<Outcome> {
  return new Program(words, { timeoutMs: TIMEOUT_MS, ...options }).ended;
}

/**
 * Runs a command that must succeed; answers its `--output json`.
 * @throws with what it said when it fails
 */
export async function ask<T>(words: readonly string[], options: ProgramOptions): Promise<T> {
  const { code, stdout, stderr } = await run(['--output', 'json', ...words], options);
  if (code !== 0) throw new Error(`phaseline ${words.join(' ')} ended with ${code}:\n${stderr}`);
  return JSON.parse(stdout) as T;
}
