import { assert } from '../../../src/core/base/assert.ts';
import { isReject } from '../../../src/core/base/reject.ts';
import { headerHash } from '../../../src/core/codec/chain.ts';
import type { EngineParameters, EngineStart } from '../../../src/core/pbft/config.ts';
import type { Effect } from '../../../src/core/pbft/effect.ts';
import { blockInFlight, createEngine, type Engine, step } from '../../../src/core/pbft/engine.ts';
import type { Input } from '../../../src/core/pbft/input.ts';
import { decodeMessage } from '../../../src/core/pbft/message-codec.ts';
import type { ConsensusMessage } from '../../../src/core/pbft/messages.ts';
import type { Block, Header } from '../../../src/core/types/chain.ts';
import { simulatedSign } from '../../simulation/suite.ts';
import { CHAIN_ID } from '../../support/toy-ledger.ts';
import { Consortium, PARAMETERS, suite } from './kit.ts';

/** Milliseconds of simulated time. */
const LINK_MS = 2;
const FLUSH_MS = 3;
const EXECUTE_MS = 1;
/** A block has to fill first: so few blocks are in flight, and a test is quick. */
const BUILD_MS = 20;

interface Due {
  readonly atMs: number;
  readonly order: number;
  run(): void;
}

function isBefore(a: Due, b: Due): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}

/** A node of the network: the real engine, and what is durable. */
interface Node {
  engine: Engine | null;
  log: Uint8Array[];
  head: EngineStart;
  readonly blocks: Map<number, { readonly block: Block; readonly start: EngineStart }>;
  /** Effects that a shell of a dead process would have answered. */
  life: number;
}

/**
 * Engines that talk to each other in simulated time, without faults but those that a test makes: small enough to read, and
 * the same every time. The simulator in test/simulation is the place for everything else.
 */
export class EngineNetwork {
  readonly consortium: Consortium;
  readonly nodes: Node[];
  nowMs = 0;
  readonly sent: { readonly atMs: number; readonly from: number; readonly message: ConsensusMessage }[] = [];
  private queue: Due[] = [];
  private order = 0;
  private waiting = false;
  /** Links that carry nothing: `from>to`. */
  private readonly cut = new Set<string>();

  constructor(
    n: number,
    private readonly parameters: EngineParameters = PARAMETERS,
    /** Without a seat: they follow. */
    private readonly observers: readonly number[] = [],
  ) {
    this.consortium = new Consortium(n);
    this.nodes = Array.from({ length: n }, () => ({
      engine: null,
      log: [],
      head: { ...this.consortium.start(), parameters },
      blocks: new Map(),
      life: 0,
    }));
    for (let index = 0; index < n; index += 1) this.start(index);
  }

  engine(index: number): Engine {
    const { engine } = this.nodes[index]!;
    assert(engine !== null, 'the node runs');
    return engine;
  }

  get running(): Engine[] {
    return this.nodes.flatMap(({ engine }) => (engine === null ? [] : [engine]));
  }

  heights(): number[] {
    return this.nodes.map(({ head }) => head.header.height);
  }

  start(index: number): void {
    const node = this.nodes[index]!;
    const { publicKey } = this.consortium.set.validators[index]!;
    const seat = { index, sign: (bytes: Uint8Array) => simulatedSign(publicKey, bytes) };
    const findSeat = () => (this.observers.includes(index) ? null : seat);
    const engine = createEngine({ suite, chainId: CHAIN_ID, findSeat }, node.head, node.log);
    assert(!isReject(engine), 'the log can be read');
    node.engine = engine;
    node.life += 1;
    this.give(index, { type: 'start' });
    if (this.waiting) this.give(index, { type: 'pending', waiting: true });
  }

  /** What is not flushed is lost. */
  kill(...indices: readonly number[]): void {
    for (const index of indices) {
      this.nodes[index]!.engine = null;
      this.nodes[index]!.life += 1;
    }
  }

  /** Says to everybody that these connections are lost, as the shell does after its grace. */
  lose(...indices: readonly number[]): void {
    const peerIds = indices.map(index => `peer-${index}`);
    for (const index of this.nodes.keys()) this.give(index, { type: 'unreachable', peerIds });
  }

  isolate(index: number): void {
    for (const other of this.nodes.keys())
      for (const link of [`${index}>${other}`, `${other}>${index}`]) this.cut.add(link);
  }

  heal(): void {
    this.cut.clear();
  }

  /** Transactions wait everywhere, for ever. */
  load(): void {
    this.waiting = true;
    for (const index of this.nodes.keys()) this.give(index, { type: 'pending', waiting: true });
  }

  /** @returns simulated milliseconds until the condition held; fails when it does not within `limitMs` */
  until(condition: () => boolean, limitMs: number): number {
    const startMs = this.nowMs;
    while (!condition()) {
      const next = this.takeNext();
      assert(next !== null && next.atMs - startMs <= limitMs, `it happens within ${limitMs} ms`);
      this.nowMs = next.atMs;
      next.run();
    }
    return this.nowMs - startMs;
  }

  run(durationMs: number): void {
    const endMs = this.nowMs + durationMs;
    for (let next = this.takeNext(); next !== null; next = this.takeNext()) {
      if (next.atMs > endMs) {
        this.queue.push(next);
        break;
      }
      this.nowMs = next.atMs;
      next.run();
    }
    this.nowMs = endMs;
  }

  give(index: number, input: Input): void {
    const { engine } = this.nodes[index]!;
    if (engine !== null) for (const effect of step(engine, input)) this.perform(index, effect);
  }

  private takeNext(): Due | null {
    let first = 0;
    for (const [at, due] of this.queue.entries()) if (isBefore(due, this.queue[first]!)) first = at;
    return this.queue.splice(first, 1)[0] ?? null;
  }

  private after(delayMs: number, index: number, run: () => void): void {
    const { life } = this.nodes[index]!;
    this.order += 1;
    const due = () => {
      if (this.nodes[index]!.life === life) run();
    };
    this.queue.push({ atMs: this.nowMs + delayMs, order: this.order, run: due });
  }

  private perform(index: number, effect: Effect): void {
    const node = this.nodes[index]!;
    switch (effect.type) {
      case 'persist':
        this.after(FLUSH_MS, index, () => {
          node.log.push(...effect.records);
          for (const then of effect.then) this.perform(index, then);
          this.give(index, { type: 'persisted', ticket: effect.ticket });
        });
        return;
      case 'trim':
        this.after(FLUSH_MS, index, () => {
          node.log = [...effect.records];
        });
        return;
      case 'send':
        this.send(index, effect);
        return;
      case 'setTimer': {
        const { name, generation } = effect;
        this.after(effect.delayMs, index, () => this.give(index, { type: 'timer', name, generation }));
        return;
      }
      case 'build':
        this.after(BUILD_MS, index, () => this.build(index, effect));
        return;
      case 'execute': {
        const { executionId } = effect;
        this.after(EXECUTE_MS, index, () =>
          this.give(index, { type: 'executed', executionId, verdict: null, nextSet: null }),
        );
        return;
      }
      case 'commit':
        this.after(FLUSH_MS, index, () => this.commit(index, effect));
        return;
      case 'sync':
        this.after(2 * LINK_MS, index, () => this.sync(index));
        return;
      case 'fetchBlock':
        this.after(2 * LINK_MS, index, () => this.fetch(index, effect));
        return;
      case 'fetchNewView':
        this.after(2 * LINK_MS, index, () => this.fetchNewView(index, effect));
        return;
      case 'halt':
        throw new Error(`node ${index} halts at ${effect.height}: ${effect.reason}`);
      default:
    }
  }

  private isOpen(from: number, to: number): boolean {
    return this.nodes[to]!.engine !== null && !this.cut.has(`${from}>${to}`);
  }

  private send(from: number, { to, message }: Extract<Effect, { type: 'send' }>): void {
    const decoded = decodeMessage(message);
    assert(!isReject(decoded), 'own messages decode');
    assert(this.consortium.verifies(decoded), 'own messages verify');
    this.sent.push({ atMs: this.nowMs, from, message: decoded });
    for (const other of this.nodes.keys()) {
      if (other === from || (to !== 'all' && to.peerId !== `peer-${other}`)) continue;
      if (!this.isOpen(from, other)) continue;
      this.after(LINK_MS, other, () => this.give(other, { type: 'message', message: decoded }));
    }
  }

  private build(index: number, { buildId, height, parentHash }: Extract<Effect, { type: 'build' }>): void {
    const parent = this.headerOf(index, height - 1, parentHash);
    if (parent === null) {
      this.give(index, { type: 'buildEmpty', buildId });
      return;
    }
    const block = this.consortium.block(parent, `by ${index} at ${this.nowMs}`);
    this.give(index, { type: 'built', buildId, block, nextSet: null });
  }

  private headerOf(index: number, height: number, hash: string): Header | null {
    const { head } = this.nodes[index]!;
    if (head.blockHash === hash) return head.header;
    const { block } = this.engine(index).slots.get(height) ?? { block: null };
    return block !== null && headerHash(suite.sha256, block.header) === hash ? block.header : null;
  }

  private commit(
    index: number,
    { block, blockHash, certificate }: Extract<Effect, { type: 'commit' }>,
  ): void {
    const node = this.nodes[index]!;
    const { height } = block.header;
    if (height > node.head.header.height) {
      node.head = { ...node.head, header: block.header, blockHash, certificate };
      node.blocks.set(height, { block, start: node.head });
    }
    this.give(index, { type: 'committed', height, parameters: this.parameters });
  }

  /** The highest head of anybody in reach. */
  private sync(index: number): void {
    const node = this.nodes[index]!;
    for (const [other, { head, blocks }] of this.nodes.entries()) {
      if (other === index || !this.isOpen(index, other) || head.header.height <= node.head.header.height)
        continue;
      node.head = head;
      for (const [height, entry] of blocks) node.blocks.set(height, entry);
    }
    this.give(index, { type: 'synced', head: node.head });
  }

  private fetch(index: number, { blockHash, height }: Extract<Effect, { type: 'fetchBlock' }>): void {
    for (const [other, { engine, blocks }] of this.nodes.entries()) {
      if (other === index || engine === null || !this.isOpen(index, other)) continue;
      const block = blocks.get(height)?.block ?? blockInFlight(engine, blockHash);
      if (block !== null && headerHash(suite.sha256, block.header) === blockHash) {
        this.give(index, { type: 'fetched', block });
        return;
      }
    }
  }

  private fetchNewView(index: number, { view, peerIds }: Extract<Effect, { type: 'fetchNewView' }>): void {
    for (const [other, { engine }] of this.nodes.entries()) {
      if (!peerIds.includes(`peer-${other}`) || engine === null || !this.isOpen(index, other)) continue;
      const { newView } = engine;
      if (newView !== null && newView.content.view > view)
        this.give(index, { type: 'message', message: newView });
    }
  }
}
