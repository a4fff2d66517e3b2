// n consensus nodes as real processes on this machine, each with its own data directory below one directory, and what they use:
// processor time, memory, bytes on disk and on the wire. Nothing else runs in this network: no manager, no member's node.
import { execFileSync, spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Rpc } from './rpc.mjs';

const FIRST_PORT = 17_701;
const READY_MS_MAX = 120_000;
const STOP_MS_MAX = 10_000;
const POLL_MS = 25;
/** Of /proc on every Linux. */
const TICKS_PER_SECOND = 100;
const PASSPHRASE = 'a network for a benchmark';
export const MEMBER = 'load';

const readOr = (path, otherwise) => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return otherwise;
  }
};

/** Bytes below a directory; a file that goes away meanwhile counts nothing. */
function bytesBelow(dir) {
  let sum = 0;
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    const path = join(dir, entry.name);
    try {
      sum += entry.isDirectory() ? bytesBelow(path) : statSync(path).size;
    } catch {
      // compaction removed it
    }
  }
  return sum;
}

class BenchNode {
  child = null;
  /** True when it may be gone: it was stopped or killed on purpose. */
  expectedEnd = false;

  constructor(name, dir, place) {
    this.name = name;
    this.dir = dir;
    this.place = place;
  }

  get pid() {
    return this.child?.pid ?? null;
  }

  get alive() {
    return this.child !== null && this.child.exitCode === null && this.child.signalCode === null;
  }

  log() {
    return readOr(join(this.dir, 'node.log'), '').trimEnd().split('\n').slice(-3).join('\n  ');
  }
}

export class ConsensusNetwork {
  nodes = [];
  /** Names of nodes that ended by themselves. */
  fallen = [];
  #program;
  #options;

  /**
   * @param options main (the program), dir, count, parameters (of the genesis; the default ones where left out), nodeArgs and
   * env of the processes, places (from `namespaces.mjs`; loopback where left out)
   */
  constructor(program, options) {
    this.#program = program;
    this.#options = options;
  }

  /** Keys, configurations, genesis; then every process. Resolves when each node says that it is ready. */
  async start() {
    const { count, dir } = this.#options;
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    const places = this.#options.places ?? (await this.#loopback());
    const validators = [];
    for (let index = 0; index < count; index += 1) {
      const name = `node-${index + 1}`;
      const { validator } = await this.#create('consensus', name, places[index], []);
      this.nodes.push(new BenchNode(name, join(dir, name), places[index]));
      validators.push(validator);
    }
    const { card } = await this.#create('manager', MEMBER, places[0], []);
    await this.#writeGenesis(validators, card);
    const peers = validators.map(({ peerId }, index) => ({ peerId, addresses: [places[index].listen] }));
    for (const node of this.nodes) {
      await this.#program.writeConfig(node.dir, this.#config('consensus', node.name, node.place, peers));
      this.#spawn(node);
    }
    this.member = {
      member: MEMBER,
      keys: await this.#program.openKeys(this.#program.dataPaths(join(dir, MEMBER))),
    };
    await Promise.all(this.nodes.map(node => this.#ready(node)));
  }

  async #loopback() {
    const { count } = this.#options;
    const ports = await this.#program.freePorts(2 * count, FIRST_PORT, () => {});
    return Array.from({ length: count }, (_, index) => ({
      ...{ host: '127.0.0.1', listen: `/ip4/127.0.0.1/tcp/${ports[index]}`, port: ports[index] },
      ...{ rpcPort: ports[count + index], enter: [] },
    }));
  }

  #config(role, name, { host, listen, rpcPort }, peers) {
    return {
      ...{ role, name, network: { listen: [listen], peers } },
      rpc: { host, port: rpcPort, portTries: 0, allowedHosts: [host], allowedOrigins: [], admin: false },
      log: { level: 'info' },
    };
  }

  async #create(role, name, place, peers) {
    const { createDataDirectory, dataPaths } = this.#program;
    const path = join(this.#options.dir, name);
    const identity = await createDataDirectory(path, this.#config(role, name, place, peers), PASSPHRASE);
    writeFileSync(dataPaths(path).passphrase, `${PASSPHRASE}\n`, { mode: 0o600 });
    return identity;
  }

  async #writeGenesis(validators, card) {
    const { DEFAULT_PARAMETERS, formatGenesis, dataPaths, readGenesis } = this.#program;
    const genesis = formatGenesis({
      ...{ name: 'bench', timeMs: Date.now(), validators, members: [card] },
      parameters: { ...DEFAULT_PARAMETERS, ...this.#options.parameters },
      ...{ administrators: [MEMBER], administratorThreshold: 1 },
    });
    this.genesisPath = join(this.#options.dir, 'genesis.json');
    writeFileSync(this.genesisPath, genesis);
    for (const { dir } of this.nodes) writeFileSync(dataPaths(dir).genesis, genesis, { mode: 0o600 });
    this.genesis = await readGenesis(this.genesisPath);
  }

  #spawn(node) {
    const { main, nodeArgs = () => [], env = {} } = this.#options;
    rmSync(join(node.dir, 'endpoint.json'), { force: true });
    const log = openSync(join(node.dir, 'node.log'), 'a', 0o600);
    const words = [
      ...node.place.enter,
      process.execPath,
      ...nodeArgs(node.name),
      main,
      'start',
      '--dir',
      node.dir,
    ];
    // Detached: Ctrl-C reaches the benchmark alone, which stops the nodes. When it dies itself the channel closes and they stop.
    node.child = spawn(words[0], words.slice(1), {
      ...{ cwd: node.dir, detached: true, env: { ...process.env, ...env } },
      stdio: ['ignore', log, log, 'ipc'],
    });
    closeSync(log);
    node.child.once('exit', () => {
      if (!node.expectedEnd) this.fallen.push(node.name);
    });
  }

  async #ready(node) {
    const endMs = performance.now() + READY_MS_MAX;
    while (performance.now() < endMs && node.alive) {
      if (existsSync(join(node.dir, 'endpoint.json'))) {
        const { url } = JSON.parse(readFileSync(join(node.dir, 'endpoint.json'), 'utf8'));
        const answer = await fetch(`${url}/readyz`).catch(() => null);
        if (answer?.ok) {
          node.url = url;
          node.token = readFileSync(join(node.dir, 'rpc-token'), 'utf8').trim();
          node.rpc?.close();
          node.rpc = new Rpc(url, node.token);
          return;
        }
      }
      await delay(POLL_MS);
    }
    throw new Error(`${node.name} did not become ready:\n  ${node.log()}`);
  }

  /** Each node records where its time goes until `endProfiles`; needs `profile.mjs` in the processes. */
  beginProfiles() {
    for (const node of this.nodes) if (node.alive) node.child.send({ profile: 'begin' });
  }

  async endProfiles(dir) {
    mkdirSync(dir, { recursive: true });
    const living = this.nodes.filter(node => node.alive);
    await Promise.all(
      living.map(node => {
        const written = new Promise(done => {
          node.child.once('message', done);
          node.child.once('exit', done);
        });
        node.child.send({ profile: 'end', file: join(dir, `${node.name}.cpuprofile`) });
        return written;
      }),
    );
  }

  /** The node that leads the present view. */
  async leader() {
    const asked = this.nodes.find(node => node.alive);
    const { leader } = await asked.rpc.call('chain_status');
    return this.nodes.find(node => node.name === leader);
  }

  /** Resolves when the process is gone. */
  async kill(node) {
    node.expectedEnd = true;
    const ended = new Promise(done => node.child.once('exit', done));
    node.child.kill('SIGKILL');
    await ended;
  }

  /** Ends every process, and waits until it is gone. */
  async stop() {
    await Promise.all(
      this.nodes.map(async node => {
        node.expectedEnd = true;
        node.rpc?.close();
        if (!node.alive) return;
        const ended = new Promise(done => node.child.once('exit', done));
        node.child.kill('SIGCONT');
        node.child.kill('SIGTERM');
        const late = setTimeout(() => node.child.kill('SIGKILL'), STOP_MS_MAX);
        await ended;
        clearTimeout(late);
      }),
    );
  }

  /** At once, for a benchmark that is stopped. */
  killAll() {
    for (const node of this.nodes) {
      node.expectedEnd = true;
      if (node.alive) node.child.kill('SIGKILL');
    }
  }

  /** What each process has used so far, by node; a field is null where the system does not show it. */
  usage() {
    return Object.fromEntries(this.nodes.map(node => [node.name, usageOf(node.pid)]));
  }

  /** Bytes that the nodes' data directories take. */
  diskBytes() {
    return this.nodes.reduce((sum, { dir }) => sum + bytesBelow(join(dir, 'db')), 0);
  }

  /** TCP payload that the nodes have sent each other over the connections that are open now; null where `ss` cannot tell. */
  wireBytes() {
    const ports = new Set(this.nodes.map(({ place }) => place.port));
    try {
      return this.nodes.reduce((sum, node, index) => {
        if (index > 0 && node.place.enter.length === 0) return sum;
        const words = [...node.place.enter, 'ss', '-tinHO'];
        return sum + sentBetween(execFileSync(words[0], words.slice(1), { encoding: 'utf8' }), ports);
      }, 0);
    } catch {
      return null;
    }
  }

  /** A counter of every node that answers, summed over its labels. */
  async counter(name) {
    const values = {};
    for (const node of this.nodes) {
      if (!node.alive) continue;
      const text = await fetch(`${node.url}/metrics`, {
        headers: { authorization: `Bearer ${node.token}` },
      }).then(
        answer => answer.text(),
        () => '',
      );
      values[node.name] = counterIn(text, name);
    }
    return values;
  }
}

/** Sum of a counter's lines in Prometheus' text format. */
export function counterIn(text, name) {
  return text
    .split('\n')
    .filter(line => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}

/** Sum of `bytes_sent` over sockets of which one end is a port of the set. One line a socket, as `ss -tinHO` writes it. */
export function sentBetween(text, ports) {
  let sum = 0;
  for (const line of text.split('\n')) {
    const [, , , local, remote] = line.split(/\s+/);
    if (local === undefined || remote === undefined) continue;
    const portOf = address => Number(address.slice(address.lastIndexOf(':') + 1));
    if (!ports.has(portOf(local)) && !ports.has(portOf(remote))) continue;
    sum += Number(/bytes_sent:(\d+)/.exec(line)?.[1] ?? 0);
  }
  return sum;
}

/** Processor time in ms, that of the main thread, resident bytes now and at most, and bytes written to the disk; null where the system does not say. */
export function usageOf(pid) {
  const stat = readOr(`/proc/${pid}/stat`, null);
  const status = readOr(`/proc/${pid}/status`, '');
  const io = readOr(`/proc/${pid}/io`, '');
  const mainThread = readOr(`/proc/${pid}/task/${pid}/stat`, null);
  const spentMs = text => {
    if (text === null) return null;
    const fields = text.slice(text.lastIndexOf(') ') + 2).split(' ');
    return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_PER_SECOND;
  };
  const number = (text, pattern, factor = 1) => {
    const match = pattern.exec(text);
    return match === null ? null : Number(match[1]) * factor;
  };
  return {
    processorMs: spentMs(stat),
    mainThreadMs: spentMs(mainThread),
    residentBytes: number(status, /VmRSS:\s+(\d+) kB/, 1024),
    residentBytesMax: number(status, /VmHWM:\s+(\d+) kB/, 1024),
    writtenBytes: number(io, /^write_bytes: (\d+)/m),
  };
}
