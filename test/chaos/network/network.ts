import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePorts } from '../../../src/cli/devnet/ports.ts';
import { DEFAULT_PARAMETERS, formatGenesis } from '../../../src/config/genesis-file.ts';
import { dataPaths, type NodeConfig } from '../../../src/config/node-config.ts';
import type { MemberId } from '../../../src/core/base/ids.ts';
import type { Validator } from '../../../src/core/types/chain.ts';
import type { MemberCard } from '../../../src/core/types/operation.ts';
import { createDataDirectory, writeConfig, writePrivateFile } from '../../../src/roles/data-directory.ts';
import { CLOCK_MODULE } from './clock-module.ts';
import { Links } from './links.ts';
import { ChaosNode, type Role } from './node.ts';

const execute = promisify(execFile);

const PASSPHRASE = 'the keys of a chaos run protect nothing';
const READY_TIMEOUT_MS = 120_000;
const VERIFY_TIMEOUT_MS = 300_000;
/** Below the ports that the system hands out by itself, so that no outgoing connection takes one of a stopped node. */
const PORTS_FROM = 12_000;
const MEMBER_NAMES = ['alice', 'bob', 'carol', 'dave'];

export interface ChaosNetworkOptions {
  readonly dir: string;
  /** `dist/cli/main.js` of the program under test. */
  readonly program: string;
  readonly seed: number;
  readonly consensus: number;
  readonly participants: number;
}

export interface DatabaseReport {
  readonly blocks: number;
  readonly transactions: number;
  /** Null when everything verifies. */
  readonly fault: string | null;
}

interface Planned {
  readonly name: string;
  readonly role: Role;
}

/** A network of real processes whose every link to a consensus node goes through a proxy of the harness. */
export class ChaosNetwork {
  private constructor(
    readonly options: ChaosNetworkOptions,
    readonly nodes: readonly ChaosNode[],
    readonly links: Links,
  ) {}

  /** Data directories, genesis and proxies; nothing runs yet. */
  static async create(options: ChaosNetworkOptions): Promise<ChaosNetwork> {
    const plan: Planned[] = [
      ...Array.from({ length: options.consensus }, (_, index) => ({
        name: `node-${index + 1}`,
        role: 'consensus' as const,
      })),
      { name: 'manager', role: 'manager' },
      ...MEMBER_NAMES.slice(0, options.participants).map(name => ({ name, role: 'participant' as const })),
    ];
    await mkdir(options.dir, { recursive: true, mode: 0o700 });
    const clockModule = join(options.dir, 'clock.mjs');
    await writeFile(clockModule, CLOCK_MODULE);
    const ports = await freePorts(plan.length * 2, PORTS_FROM + (process.pid % 199) * 100, () => {});
    const nodes = plan.map(
      ({ name, role }, index) =>
        new ChaosNode({
          ...{ name, role, dir: join(options.dir, name), program: options.program, clockModule },
          ...{ rpcPort: ports[2 * index]!, linkPort: ports[2 * index + 1]! },
        }),
    );
    const portOf = new Map(nodes.map(node => [node.name, node.place.linkPort]));
    const links = new Links(options.seed, name => portOf.get(name)!);
    const network = new ChaosNetwork(options, nodes, links);
    await network.writeDirectories();
    return network;
  }

  get consensus(): readonly ChaosNode[] {
    return this.nodes.filter(node => node.role === 'consensus');
  }

  get participants(): readonly ChaosNode[] {
    return this.nodes.filter(node => node.role === 'participant');
  }

  node(name: string): ChaosNode {
    const node = this.nodes.find(candidate => candidate.name === name);
    if (node === undefined) throw new Error(`there is no node ${name}`);
    return node;
  }

  /** Starts every process and registers the participants' members. */
  async start(): Promise<void> {
    for (const node of this.nodes) node.start();
    const waits = this.nodes.map(node =>
      node.reaches(node.role === 'participant' ? 'healthz' : 'readyz', READY_TIMEOUT_MS),
    );
    await Promise.all(waits);
    for (const { name } of this.participants) await this.ask('member', 'register', name);
    await this.ready(this.nodes);
  }

  async ready(nodes: readonly ChaosNode[], timeoutMs = READY_TIMEOUT_MS): Promise<void> {
    await Promise.all(nodes.map(node => node.reaches('readyz', timeoutMs)));
  }

  /** An open phase of all participants; answers its id. */
  async createPhase(project: string, phase: string): Promise<string> {
    const members = this.participants.flatMap(({ name }) => ['--participant', `${name}:contributor`]);
    const words = ['phase', 'add', phase, '--project', project, ...members, '--open'];
    return (await this.ask<{ phase: string }>(...words)).phase;
  }

  /** Runs a command of the program; answers its JSON. */
  async ask<T>(...words: string[]): Promise<T> {
    const { program, dir } = this.options;
    const { stdout } = await execute(
      process.execPath,
      [program, '--network', dir, '--output', 'json', ...words],
      { timeout: READY_TIMEOUT_MS, maxBuffer: 1 << 26 },
    );
    return JSON.parse(stdout) as T;
  }

  /** Re-executes and re-checks the database of a stopped consensus node from genesis. */
  async verify(node: ChaosNode): Promise<DatabaseReport> {
    const { program } = this.options;
    const words = ['--output', 'json', 'db', 'verify', '--dir', node.dir];
    // a database with a fault is reported, and the command fails
    const { stdout, stderr } = await execute(process.execPath, [program, ...words], {
      ...{ timeout: VERIFY_TIMEOUT_MS, maxBuffer: 1 << 24 },
    }).catch((error: { stdout?: string; stderr?: string }) => ({
      ...{ stdout: error.stdout ?? '', stderr: error.stderr ?? String(error) },
    }));
    if (stdout.trim() === '') return { blocks: 0, transactions: 0, fault: stderr.trim() };
    return JSON.parse(stdout) as DatabaseReport;
  }

  /** In order: members' nodes first, so that none of them complains that its sources went away. */
  async stop(): Promise<void> {
    for (const node of this.nodes) node.resume();
    await Promise.all(this.nodes.filter(node => node.role !== 'consensus').map(node => node.stop()));
    await Promise.all(this.consensus.map(node => node.stop()));
  }

  /** The end that cannot fail. */
  async destroy(): Promise<void> {
    await Promise.all(this.nodes.map(node => node.kill()));
    await this.links.close();
  }

  private async writeDirectories(): Promise<void> {
    const validators: Validator[] = [];
    const cards: MemberCard[] = [];
    for (const { name, role, dir } of this.nodes) {
      const identity = await createDataDirectory(dir, this.configOf(name, role, []), PASSPHRASE);
      await writePrivateFile(dataPaths(dir).passphrase, `${PASSPHRASE}\n`);
      if (identity.role === 'consensus') validators.push(identity.validator);
      else cards.push(identity.card);
    }
    const manager = cards[0]!;
    const genesis = formatGenesis({
      ...{ name: 'chaos', timeMs: Date.now(), parameters: DEFAULT_PARAMETERS, validators },
      ...{ administrators: [manager.id], administratorThreshold: 1, members: [manager] },
    });
    for (const { name, role, dir } of this.nodes) {
      const peers = [];
      for (const validator of validators) {
        if (validator.name === name) continue;
        const port = await this.links.add(name, validator.name);
        peers.push({ peerId: validator.peerId, addresses: [`/ip4/127.0.0.1/tcp/${port}`] });
      }
      await writeConfig(dir, this.configOf(name, role, peers));
      await writeFile(dataPaths(dir).genesis, genesis, { mode: 0o600 });
    }
  }

  private configOf(name: string, role: Role, peers: NodeConfig['network']['peers']): NodeConfig {
    const { place } = this.node(name);
    return {
      ...{ role, name: name as MemberId, displayName: name },
      network: { listen: [`/ip4/127.0.0.1/tcp/${place.linkPort}`], peers },
      rpc: {
        ...{ host: '127.0.0.1', port: place.rpcPort, portTries: 0 },
        ...{ allowedHosts: [], allowedOrigins: [], admin: false },
      },
      log: { level: 'info' },
    };
  }
}
