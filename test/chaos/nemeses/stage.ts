import { setTimeout as delay } from 'node:timers/promises';
import type { History } from '../history/history.ts';
import type { ChaosNetwork } from '../network/network.ts';
import type { ChaosNode } from '../network/node.ts';
import type { Draws } from '../random.ts';

export interface ChainStatus {
  readonly head: { readonly height: number; readonly hash: string };
  readonly view: number;
  readonly leader: string;
  readonly evidence: number;
}

/** Who is hit: a name that the plan has drawn, or whoever leads at that moment. */
export type Target = 'the leader' | (string & {});

/** What a nemesis may use while it runs. */
export class Stage {
  constructor(
    readonly network: ChaosNetwork,
    readonly history: History,
    readonly say: (line: string) => void,
    private readonly signal: AbortSignal,
  ) {}

  /** @throws when the run is stopped */
  async sleep(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.signal });
  }

  /** @throws when the run is stopped: nothing may be started any more */
  checkRunning(): void {
    this.signal.throwIfAborted();
  }

  /** What the consensus node with the highest view says. */
  async chain(): Promise<ChainStatus> {
    const statuses = await Promise.all(
      this.network.consensus.map(node => node.call<ChainStatus>('chain_status').catch(() => null)),
    );
    const known = statuses.filter(status => status !== null).sort((a, b) => b.view - a.view);
    if (known[0] === undefined) throw new Error('no consensus node answers');
    return known[0];
  }

  async node(target: Target): Promise<ChaosNode> {
    return this.network.node(target === 'the leader' ? (await this.chain()).leader : target);
  }

  /** Asks again until it holds. */
  async until(what: string, holds: () => Promise<boolean>, timeoutMs: number): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (!(await holds().catch(() => false))) {
      if (performance.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain: ${what}`);
      await this.sleep(50);
    }
  }
}

/** What a plan knows of the network. */
export interface Shape {
  readonly consensus: readonly string[];
  readonly participants: readonly string[];
  /** Nodes that may fail at once without any harm: (n − 1) / 3. */
  readonly faultyMax: number;
}

export function shapeOf(consensus: number, participants: readonly string[]): Shape {
  const names = Array.from({ length: consensus }, (_, index) => `node-${index + 1}`);
  return { consensus: names, participants, faultyMax: Math.floor((consensus - 1) / 3) };
}

/** One fault, drawn. When it has run, the runner heals all links and starts every node that is down. */
export interface Fault {
  /** For the plan and the report. */
  readonly words: string;
  /** @throws when something happens that must not; answers a remark for the report */
  run(stage: Stage): Promise<string | null>;
}

export interface Nemesis {
  readonly name: string;
  /** Begins with the lines of the catalogue of faults; `npm run scenarios` reads it. */
  readonly title: string;
  /** Why this machine cannot do it; null when it can. */
  unavailable?(): Promise<string | null>;
  draw(draws: Draws, shape: Shape): Fault;
}

export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

/** The leader half of the time, else any. */
export function anyConsensus(draws: Draws, shape: Shape): Target {
  return draws.fraction() < 0.5 ? 'the leader' : draws.pick(shape.consensus);
}

export function anyNode(draws: Draws, shape: Shape): Target {
  return draws.fraction() < 0.6 ? anyConsensus(draws, shape) : draws.pick([...shape.participants, 'manager']);
}
