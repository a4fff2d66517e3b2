// A network of real processes for a benchmark, on this machine, with what the benchmark asks of it.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const SAMPLE_MS = 250;
/** Of /proc on every Linux. */
const TICKS_PER_SECOND = 100;

const readJson = path => JSON.parse(readFileSync(path, 'utf8'));

export class BenchNetwork {
  #program = null;
  #clients = new Map();
  #sampler = null;
  /** Largest resident memory seen, bytes by node, since `watchMemory`. */
  residentBytes = {};

  /** @param profileDir where each process leaves the profile of its life; null for none */
  constructor(main, dir, shape, profileDir = null) {
    this.main = main;
    this.dir = dir;
    this.shape = shape;
    this.profileDir = profileDir;
  }

  async start() {
    mkdirSync(this.dir, { recursive: true });
    const { createClient } = await import(new URL('../client/client.js', pathToFileURL(this.main)).href);
    this.createClient = createClient;
    const { consensus, participants } = this.shape;
    const words = ['devnet', '--consensus', String(consensus), '--participants', String(participants)];
    const preload = new URL('../profile.mjs', import.meta.url).href;
    const profile =
      this.profileDir === null
        ? {}
        : { NODE_OPTIONS: `--import ${preload}`, PHASELINE_PROFILE_DIR: this.profileDir };
    this.#program = spawn(process.execPath, [this.main, ...words, '--dir', this.dir], {
      cwd: this.dir,
      env: { ...process.env, ...profile },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let said = '';
    this.#program.stderr.setEncoding('utf8').on('data', text => (said += text));
    this.#program.stdout.setEncoding('utf8');
    await new Promise((ready, failed) => {
      this.#program.stdout.on('data', text => {
        said += text;
        if (said.includes('ready. Try')) ready();
      });
      this.#program.once('exit', code => failed(new Error(`the network ended with ${code}:\n${said}`)));
    });
  }

  async stop() {
    clearInterval(this.#sampler);
    if (this.#program === null || this.#program.exitCode !== null) return;
    const ended = new Promise(done => this.#program.once('exit', done));
    this.#program.kill('SIGINT');
    await ended;
  }

  /** Made anew after a restart: the node may have another port. */
  client(name) {
    const { url } = readJson(join(this.dir, name, 'endpoint.json'));
    const known = this.#clients.get(name);
    if (known?.url === url) return known;
    const token = readFileSync(join(this.dir, name, 'rpc-token'), 'utf8').trim();
    const client = this.createClient({ url, token, timeoutMs: 600_000 });
    this.#clients.set(name, client);
    return client;
  }

  pids() {
    return readJson(join(this.dir, 'pids.json'));
  }

  /** An open phase of these members, the first of them a contributor. */
  async phase(label, members, copiesTarget) {
    const manager = this.client('manager');
    this.project ??= (await manager.call('manager_projectCreate', { label: 'bench' })).project;
    const participants = members.map(member => ({ member, roles: ['contributor'] }));
    const copies = { copiesTarget, copiesMinimum: 1 };
    const { project } = this;
    const { phase } = await manager.call('manager_phaseAdd', { project, label, participants, ...copies });
    await manager.call('manager_phaseOpen', { phase });
    for (const member of members) await until(() => this.reads(member, phase));
    return phase;
  }

  /** True when the member's node has the phase open. */
  async reads(member, phase) {
    const { phases } = await this.client(member).call('phase_list');
    return phases.some(one => one.id === phase && one.lifecycle === 'open');
  }

  async addReader(phase, member) {
    const given = { phase, member, roles: ['reader'], grant: 'all' };
    await this.client('manager').call('manager_participantAdd', given);
    await until(() => this.reads(member, phase));
  }

  /** The disk of a node is gone but for its keys and configuration; the network starts it again. */
  async loseDisk(name) {
    const pid = this.pids()[name];
    process.kill(pid, 'SIGSTOP');
    for (const part of ['files', 'db']) rmSync(join(this.dir, name, part), { recursive: true, force: true });
    process.kill(pid, 'SIGKILL');
    await until(async () => {
      const now = this.pids()[name];
      if (now === null || now === pid || !existsSync(join(this.dir, name, 'endpoint.json'))) return false;
      return fetch(`${this.client(name).url}/healthz`).then(
        ({ ok }) => ok,
        () => false,
      );
    });
  }

  /** Processor time used so far, in ms by node, where the system shows it (/proc); empty elsewhere. */
  processorMs() {
    const used = {};
    try {
      for (const [name, pid] of Object.entries(this.pids())) {
        const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
        used[name] = ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_PER_SECOND;
      }
    } catch {
      return {};
    }
    return used;
  }

  /** Samples resident memory where the system shows it (/proc); null elsewhere. */
  watchMemory() {
    this.residentBytes = {};
    const sample = () => {
      try {
        for (const [name, pid] of Object.entries(this.pids())) {
          const match = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
          if (match === null) continue;
          this.residentBytes[name] = Math.max(this.residentBytes[name] ?? 0, Number(match[1]) * 1024);
        }
      } catch {
        // a node between two processes has no status
      }
    };
    sample();
    clearInterval(this.#sampler);
    this.#sampler = setInterval(sample, SAMPLE_MS);
    return () => clearInterval(this.#sampler);
  }
}

/** Asks until the answer is true. */
export async function until(ask, timeoutMs = 600_000, pauseMs = 50) {
  const endMs = performance.now() + timeoutMs;
  for (;;) {
    if (await ask().catch(() => false)) return;
    if (performance.now() > endMs) throw new Error(`waited ${timeoutMs} ms in vain: ${ask}`);
    await new Promise(resolve => setTimeout(resolve, pauseMs));
  }
}
