import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Client, createClient } from '../../../src/client/client.ts';
import { dataPaths } from '../../../src/config/node-config.ts';

const POLL_MS = 25;
const CALL_TIMEOUT_MS = 5_000;
const SAID_CHARACTERS_MAX = 16_384;

export type Role = 'consensus' | 'manager' | 'participant';

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface NodePlace {
  readonly name: string;
  readonly role: Role;
  readonly dir: string;
  /** `dist/cli/main.js` of the program under test. */
  readonly program: string;
  /** A module that lets the harness move the node's wall clock. */
  readonly clockModule: string;
  readonly rpcPort: number;
  readonly linkPort: number;
}

/** One node as a process that the harness starts, kills, pauses and watches. */
export class ChaosNode {
  private child: ChildProcess | null = null;
  /** Ends that the harness caused or waits for; any other is a finding. */
  private endExpected = false;
  private paused = false;
  private said = '';
  readonly unexpectedEnds: Exit[] = [];
  private ended: Promise<Exit> = Promise.resolve({ code: 0, signal: null });

  constructor(readonly place: NodePlace) {}

  get name(): string {
    return this.place.name;
  }

  get role(): Role {
    return this.place.role;
  }

  get dir(): string {
    return this.place.dir;
  }

  get logFile(): string {
    return join(this.dir, 'node.log');
  }

  get url(): string {
    return `http://127.0.0.1:${this.place.rpcPort}`;
  }

  get running(): boolean {
    return this.child !== null;
  }

  get pid(): number {
    if (this.child?.pid === undefined) throw new Error(`${this.name} does not run`);
    return this.child.pid;
  }

  start(): void {
    if (this.child !== null) throw new Error(`${this.name} runs already`);
    this.endExpected = false;
    this.paused = false;
    this.said = '';
    const { program, clockModule, dir } = this.place;
    const environment = Object.fromEntries(
      Object.entries(process.env).filter(([name]) => !/^(PHASELINE_|NODE_OPTIONS$|VITEST)/.test(name)),
    );
    const child = spawn(process.execPath, ['--import', clockModule, program, 'start', '--dir', dir], {
      detached: true,
      env: environment,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    // The harness writes the log: what limits the node's files must not silence it.
    const log = createWriteStream(this.logFile, { flags: 'a', mode: 0o600 });
    for (const stream of [child.stdout, child.stderr])
      stream?.on('data', (bytes: Buffer) => {
        log.write(bytes);
        this.said = (this.said + bytes.toString()).slice(-SAID_CHARACTERS_MAX);
      });
    this.child = child;
    this.ended = new Promise(resolve => {
      child.once('close', (code, signal) => {
        log.end();
        this.child = null;
        if (!this.endExpected) this.unexpectedEnds.push({ code, signal });
        resolve({ code, signal });
      });
    });
  }

  /** As a crash ends it. */
  kill(): Promise<Exit> {
    return this.end('SIGKILL');
  }

  /** As an operator ends it; killed when it takes longer than `graceMs`. */
  async stop(graceMs = 15_000): Promise<Exit> {
    const killer = setTimeout(() => this.child?.kill('SIGKILL'), graceMs);
    const exit = await this.end('SIGTERM');
    clearTimeout(killer);
    return exit;
  }

  /** The node is meant to end by itself; null when it still runs after `timeoutMs`. */
  async ends(timeoutMs: number): Promise<Exit | null> {
    this.endExpected = true;
    const exit = await Promise.race([this.ended, delay(timeoutMs, null, { ref: false })]);
    if (exit === null) this.endExpected = false;
    return exit;
  }

  /** Call before a fault that may end the node. */
  expectEnd(): void {
    this.endExpected = true;
  }

  pause(): void {
    this.child?.kill('SIGSTOP');
    this.paused = true;
  }

  resume(): void {
    if (this.paused) this.child?.kill('SIGCONT');
    this.paused = false;
  }

  /** Its wall clock is this far ahead of the machine's from now on; a restart sets it right. */
  setClockOffset(offsetMs: number): void {
    this.child?.send({ clockOffsetMs: offsetMs });
  }

  async client(timeoutMs = CALL_TIMEOUT_MS): Promise<Client> {
    const token = (await readFile(dataPaths(this.dir).token, 'utf8')).trim();
    return createClient({ url: this.url, token, timeoutMs });
  }

  async call<T>(method: string, params: object = {}): Promise<T> {
    return (await this.client()).call<T>(method, params);
  }

  /** @throws when the node ends or `timeoutMs` passes */
  async reaches(page: 'healthz' | 'readyz', timeoutMs: number): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (performance.now() < deadline) {
      if (!this.running) throw new Error(`${this.name} ended: ${this.lastWords()}`);
      if (await this.says(page)) return;
      await delay(POLL_MS);
    }
    throw new Error(`${this.name} is not ${page === 'readyz' ? 'ready' : 'up'} after ${timeoutMs} ms`);
  }

  says(page: 'healthz' | 'readyz'): Promise<boolean> {
    return fetch(`${this.url}/${page}`, { signal: AbortSignal.timeout(1_000) }).then(
      response => response.ok,
      () => false,
    );
  }

  /** The last lines of its log since its start. */
  lastWords(lines = 4): string {
    return this.said.trimEnd().split('\n').slice(-lines).join('\n');
  }

  private end(signal: NodeJS.Signals): Promise<Exit> {
    this.endExpected = true;
    const { child, ended } = this;
    if (child === null) return ended;
    child.kill(signal);
    // a paused process takes no other signal than this one and SIGKILL
    if (this.paused) child.kill('SIGCONT');
    this.paused = false;
    return ended;
  }
}
