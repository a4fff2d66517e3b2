import { unwatchFile, watchFile } from 'node:fs';
import { lstat, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DEFAULT_PARAMETERS, formatGenesis } from '../../config/genesis-file.ts';
import { dataPaths, type NodeConfig, readNodeConfig } from '../../config/node-config.ts';
import { toHex } from '../../core/base/bytes.ts';
import type { MemberId } from '../../core/base/ids.ts';
import type { Validator } from '../../core/types/chain.ts';
import type { MemberCard } from '../../core/types/operation.ts';
import { systemRandom } from '../../crypto/random.ts';
import { OperatingError } from '../../ports/lifecycle.ts';
import {
  createDataDirectory,
  openKeys,
  publicIdentity,
  writeConfig,
  writePrivateFile,
} from '../../roles/data-directory.ts';
import { type DirectoryLock, lockDirectory } from '../../store/directory-lock.ts';
import { MANAGER_NAME, MEMBER_NAMES } from './names.ts';
import { NodeProcess } from './node-process.ts';
import { type PlannedNode, planPath, readBegun, readPlan, writeBegun, writePlan } from './plan.ts';
import { freePorts } from './ports.ts';

const FIRST_PORT = 7701;
const READY_TIMEOUT_MS = 60_000;
const RESTART_DELAY_MS = 500;
const PLAN_POLL_MS = 300;
/** Starts of a network whose ports others took between looking and listening. */
const START_TRIES = 3;

export interface NetworkOptions {
  readonly dir: string;
  readonly consensus: number;
  readonly participants: number;
}

/** What a devnet tells while it works; one short line each. */
export type Tell = (line: string) => void;

function planNodes(options: NetworkOptions): PlannedNode[] {
  const consensus = Array.from({ length: options.consensus }, (_, index) => ({
    role: 'consensus' as const,
    name: `node-${index + 1}`,
  }));
  const participants = MEMBER_NAMES.slice(0, options.participants).map(name => ({
    role: 'participant' as const,
    name,
  }));
  return [...consensus, { role: 'manager', name: MANAGER_NAME }, ...participants];
}

function displayNameOf(name: string): string {
  return name.charAt(0).toUpperCase() + name.slice(1);
}

/** A whole network on this machine: every node a process with its own data directory below `dir`. */
export class DevNetwork {
  readonly nodes: NodeProcess[] = [];
  private stopping = false;
  private lock: DirectoryLock | null = null;

  constructor(
    private readonly options: NetworkOptions,
    private readonly tell: Tell,
  ) {}

  get dir(): string {
    return this.options.dir;
  }

  node(name: string): NodeProcess | null {
    return this.nodes.find(node => node.name === name) ?? null;
  }

  /**
   * Makes what is missing and starts every process; resolves when the consensus nodes and the manager are ready, and the
   * participants answer: until their members are registered they cannot be more. Nor can a validator that was removed since:
   * where a chain goes on, the manager tells whether there is a quorum.
   */
  async start(signal?: AbortSignal): Promise<{ continued: boolean }> {
    await mkdir(this.dir, { recursive: true, mode: 0o700 });
    this.lock = await lockDirectory(this.dir);
    const plan = await readPlan(this.dir);
    const nodes = plan ?? planNodes(this.options);
    if (plan === null) await this.claim(nodes.map(({ name }) => name));
    for (let tries = 1; ; tries += 1) {
      // Another network that starts over at the same time must not look where this one looks.
      const from = tries === 1 ? FIRST_PORT : FIRST_PORT + (process.pid % 256) * 32;
      await this.writeConfigs(nodes, plan !== null || tries > 1, from);
      try {
        await this.startNodes(nodes, plan !== null, signal);
        this.watchPlan();
        return { continued: plan !== null };
      } catch (error) {
        // Ports are looked up before the nodes take them: another network may have been faster.
        const taken = error instanceof OperatingError && error.message.includes('port is taken');
        if (!taken || tries === START_TRIES) throw error;
        this.tell('another program took a port meanwhile; starting again with the next ones');
        await this.stopNodes();
      }
    }
  }

  /** @throws OperatingError `directory_exists`: whatever stands there was made by somebody else, and would be replaced */
  private async claim(names: readonly string[]): Promise<void> {
    const begun = await readBegun(this.dir);
    for (const name of names) {
      const path = join(this.dir, name);
      const found = await lstat(path).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return null;
        throw error;
      });
      if (found === null || begun.includes(name)) continue;
      const hint = 'Nothing was changed. Give another directory with --dir, or move away what is there.';
      throw new OperatingError('directory_exists', `${path} is there, and no devnet made it`, hint);
    }
    await writeBegun(this.dir, names);
  }

  private async startNodes(
    plan: readonly PlannedNode[],
    continued: boolean,
    signal?: AbortSignal,
  ): Promise<void> {
    for (const { name } of plan) {
      this.nodes.push(new NodeProcess(name, join(this.dir, name), (node, how) => this.crashed(node, how)));
    }
    for (const node of this.nodes) await node.start();
    await this.writePids();
    await Promise.all(
      this.nodes.map((node, index) => {
        const { role } = plan[index]!;
        const awaited = role === 'manager' || (role === 'consensus' && !continued);
        return awaited ? node.ready(READY_TIMEOUT_MS, signal) : node.answers(READY_TIMEOUT_MS, signal);
      }),
    );
  }

  /** The rest of the start, once the participants' members are registered. */
  async participantsReady(signal?: AbortSignal): Promise<void> {
    const members = this.nodes.filter(node => !node.name.startsWith('node-'));
    await Promise.all(members.map(node => node.ready(READY_TIMEOUT_MS, signal)));
  }

  /** From the end of the start on: `phaseline devnet add-node` writes a node into the plan. */
  private watchPlan(): void {
    watchFile(planPath(this.dir), { interval: PLAN_POLL_MS, persistent: false }, () => {
      void this.startAdded();
    });
  }

  private async startAdded(): Promise<void> {
    const plan = (await readPlan(this.dir)) ?? [];
    for (const { name } of plan) {
      if (this.stopping || this.node(name) !== null) continue;
      const node = new NodeProcess(name, join(this.dir, name), (ended, how) => this.crashed(ended, how));
      this.nodes.push(node);
      await node.start();
      await this.writePids();
      this.tell(`${name} was added; its log: ${node.logFile}`);
    }
  }

  /** Participants and manager first, so that none of them complains that its sources went away. */
  async stop(): Promise<void> {
    this.stopping = true;
    unwatchFile(planPath(this.dir));
    await this.stopNodes();
    await this.lock?.release();
  }

  private async stopNodes(): Promise<void> {
    const nodes = this.nodes.splice(0);
    const consensus = nodes.filter(node => node.name.startsWith('node-'));
    await Promise.all(nodes.filter(node => !consensus.includes(node)).map(node => node.stop()));
    await Promise.all(consensus.map(node => node.stop()));
  }

  private crashed(node: NodeProcess, how: string): void {
    if (this.stopping) return;
    this.tell(`${node.name} ended (${how}); starting it again. Its log: ${node.logFile}`);
    setTimeout(() => {
      if (this.nodes.includes(node)) void node.start().then(() => this.writePids());
    }, RESTART_DELAY_MS);
  }

  private async writePids(): Promise<void> {
    const pids = Object.fromEntries(this.nodes.map(node => [node.name, node.pid]));
    await writeFile(join(this.dir, 'pids.json'), `${JSON.stringify(pids)}\n`);
  }

  /** Data directories and genesis at the first start; ports are chosen anew at every start, and what else a node's file says stays. */
  private async writeConfigs(plan: readonly PlannedNode[], continued: boolean, from: number): Promise<void> {
    const taken = (port: number) => this.tell(`port ${port} is taken; using the next one`);
    const ports = await freePorts(plan.length * 2, from, taken);
    const addressOf = (index: number) => `/ip4/127.0.0.1/tcp/${ports[plan.length + index]}`;
    const passphrase = continued ? null : toHex(systemRandom(24));
    const configOf = (index: number): NodeConfig => ({
      role: plan[index]!.role,
      name: plan[index]!.name as MemberId,
      displayName: displayNameOf(plan[index]!.name),
      network: { listen: [addressOf(index)], peers: [] },
      rpc: {
        ...{ host: '127.0.0.1', port: ports[index]!, portTries: 20 },
        ...{ allowedHosts: [], allowedOrigins: [], admin: true },
      },
      log: { level: 'info' },
    });
    const validators: Validator[] = [];
    const cards: MemberCard[] = [];
    for (const [index, { role, name }] of plan.entries()) {
      const dir = join(this.dir, name);
      const identity =
        passphrase === null
          ? await publicIdentity(role, name, displayNameOf(name), await openKeys(dataPaths(dir)))
          : await this.createNode(dir, configOf(index), passphrase);
      if (identity.role === 'consensus') validators.push(identity.validator);
      else cards.push(identity.card);
    }
    const peers = validators.map((validator, index) => ({
      peerId: validator.peerId,
      addresses: [addressOf(index)],
    }));
    for (const [index, { name }] of plan.entries()) {
      const dir = join(this.dir, name);
      const { rpc, ...own } = await readNodeConfig(dir);
      const network = { listen: [addressOf(index)], peers };
      await writeConfig(dir, { ...own, network, rpc: { ...rpc, port: ports[index]! } });
    }
    if (!continued) await this.writeGenesis(plan, validators, cards[0]!);
  }

  /** The passphrase lies beside the keystore: a devnet must start unattended. */
  private async createNode(dir: string, config: NodeConfig, passphrase: string) {
    await rm(dir, { recursive: true, force: true });
    const identity = await createDataDirectory(dir, config, passphrase);
    await writePrivateFile(dataPaths(dir).passphrase, `${passphrase}\n`);
    return identity;
  }

  private async writeGenesis(plan: readonly PlannedNode[], validators: Validator[], manager: MemberCard) {
    const genesis = formatGenesis({
      name: 'devnet',
      timeMs: Date.now(),
      parameters: DEFAULT_PARAMETERS,
      validators,
      administrators: [manager.id],
      administratorThreshold: 1,
      members: [manager],
    });
    for (const { name } of plan)
      await writeFile(dataPaths(join(this.dir, name)).genesis, genesis, { mode: 0o600 });
    await writeFile(join(this.dir, 'genesis.json'), genesis);
    await writePlan(this.dir, plan);
  }
}
