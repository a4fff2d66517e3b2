import { utf8 } from '../../src/core/base/bytes.ts';
import { isReject } from '../../src/core/base/reject.ts';
import type { EngineParameters } from '../../src/core/pbft/config.ts';
import type { Engine } from '../../src/core/pbft/engine.ts';
import { decodeMessage } from '../../src/core/pbft/message-codec.ts';
import type { ConsensusMessage, SignedMessage } from '../../src/core/pbft/messages.ts';
import { verifyConsensusMessage } from '../../src/core/pbft/verify.ts';
import { faultsTolerated } from '../../src/core/quorum/quorum.ts';
import type { Validator, ValidatorSet } from '../../src/core/types/chain.ts';
import { amnesiac, type Behaviour, capricious, equivocator, voteDropper } from './byzantine.ts';
import { Checker } from './checker.ts';
import type { Disk } from './disk.ts';
import type { SimulatedTransaction, Submitted } from './ledger.ts';
import { CLEAN_LINK, Network } from './network.ts';
import { type Identity, type Payload, SimulatedNode, type World } from './node.ts';
import { Random } from './random.ts';
import { Schedule } from './schedule.ts';
import { simulatedKey, simulatedSuite as suite } from './suite.ts';

export interface ClusterOptions {
  readonly seed: number;
  /** Validators of the first set. */
  readonly validators: number;
  /** Further nodes, which observe until a change of the set brings them in. */
  readonly observers: number;
  /** Byzantine ones among the validators, by behaviour; at most f. */
  readonly byzantine: readonly ('equivocator' | 'voteDropper' | 'amnesiac' | 'capricious')[];
  readonly parameters: EngineParameters;
}

const TRACE_LINES = 60;

/** A whole simulated consortium: nodes, network, clients, and the checker that watches them. */
export class Cluster implements World {
  readonly schedule = new Schedule();
  readonly random: Random;
  readonly submitted: Submitted = new Map();
  readonly parameters: EngineParameters;
  readonly identities: readonly Identity[];
  readonly checker: Checker;
  readonly network: Network<Payload>;
  readonly nodes: readonly SimulatedNode[];
  readonly faulty: ReadonlySet<string>;
  steps = 0;
  private readonly lines: string[] = [];
  private readonly verified = new WeakMap<SignedMessage, Map<string, ConsensusMessage | null>>();

  constructor(readonly options: ClusterOptions) {
    const { seed, validators, observers, byzantine, parameters } = options;
    this.random = new Random(seed);
    this.parameters = parameters;
    this.identities = Array.from({ length: validators + observers }, (_, index) => {
      const name = `n${index}`;
      return { index, name, peerId: `peer-${index}`, publicKey: simulatedKey(name) };
    });
    const genesis: ValidatorSet = { id: 0, validators: this.members(validators) };
    const seats = this.random.shuffled(genesis.validators.map((_, index) => index));
    const behaviours = new Map(byzantine.map((kind, place) => [seats[place], this.behaviour(kind)]));
    this.faulty = new Set([...behaviours.keys()].map(index => `n${index}`));
    this.checker = new Checker(this.submitted, parameters.windowBlocks, name => !this.faulty.has(name));
    this.network = new Network(this.schedule, this.random, (from, to, payload) =>
      this.nodes[to]?.receive(from, payload),
    );
    this.nodes = this.identities.map(
      identity => new SimulatedNode(identity, this, genesis, behaviours.get(identity.index) ?? null),
    );
  }

  private behaviour(kind: ClusterOptions['byzantine'][number]): Behaviour {
    if (kind === 'equivocator') return equivocator();
    if (kind === 'voteDropper') return voteDropper();
    return kind === 'amnesiac' ? amnesiac(this.random) : capricious(this.random);
  }

  private members(count: number): Validator[] {
    return this.identities
      .slice(0, count)
      .map(({ name, publicKey, peerId }) => ({ name, publicKey, peerId }));
  }

  get honest(): SimulatedNode[] {
    return this.nodes.filter(({ behaviour }) => behaviour === null);
  }

  trace(line: string): void {
    this.lines.push(`${this.schedule.nowMs} ${line}`);
    if (this.lines.length > TRACE_LINES) this.lines.shift();
  }

  get recent(): string {
    return this.lines.join('\n');
  }

  send(from: number, to: number, payload: Payload): void {
    this.network.send(from, to, payload);
  }

  reachableDisk(from: number, to: number): Disk | null {
    const node = this.nodes[to];
    const open = this.network.isOpen(from, to) && this.network.isOpen(to, from);
    return open && node?.isUp ? node.disk : null;
  }

  /** Verification is pure, so the result of one receiver serves all that are in the same reign. */
  verify(engine: Engine, signed: SignedMessage): ConsensusMessage | null {
    const { reign } = engine;
    const key = `${reign.set.id}:${reign.startHash}`;
    const known = this.verified.get(signed) ?? new Map<string, ConsensusMessage | null>();
    this.verified.set(signed, known);
    let result = known.get(key);
    if (result === undefined) {
      const message = decodeMessage(signed);
      result = !isReject(message) && verifyConsensusMessage(suite, reign, message) ? message : null;
      known.set(key, result);
    }
    return result;
  }

  start(): void {
    for (const node of this.nodes) this.schedule.after(this.random.between(0, 200), () => this.restart(node));
  }

  /** Starts a node that is down; its connections come up a little later. */
  restart(node: SimulatedNode): void {
    if (node.isUp) return;
    node.start();
    this.schedule.after(this.random.between(1, 50), () => this.connect(node));
  }

  connect(node: SimulatedNode): void {
    for (const other of this.nodes) {
      if (other === node) continue;
      node.connected(other.identity);
      other.connected(node.identity);
    }
  }

  private transaction(validators: SimulatedTransaction['validators']): SimulatedTransaction {
    const id = suite.sha256(utf8(`transaction ${this.submitted.size}`));
    const transaction = { id, validators };
    this.submitted.set(id, transaction);
    return transaction;
  }

  /** A client gives a transaction to every node that it reaches. */
  submit(validators: SimulatedTransaction['validators'] = null): void {
    const transaction = this.transaction(validators);
    for (const node of this.nodes)
      if (this.random.chance(0.8))
        this.schedule.after(this.random.between(1, 20), () => node.submit(transaction));
  }

  /** A change of the set to some of the nodes, with no more faulty ones than it tolerates. */
  submitSetChange(): void {
    const count = this.random.between(1, this.identities.length);
    const chosen = this.random.shuffled(this.members(this.identities.length)).slice(0, count);
    const faulty = chosen.filter(({ name }) => this.faulty.has(name)).length;
    if (faulty <= faultsTolerated(chosen.length)) this.submit(chosen);
  }

  /** Clients ask again for what is not committed everywhere. */
  resubmit(): void {
    for (const transaction of this.submitted.values())
      for (const node of this.nodes)
        if (!node.disk.committedIds.has(transaction.id)) node.submit(transaction);
  }

  /** Perfect links, every node up but those that stay down for good. */
  heal(down: ReadonlySet<SimulatedNode>): void {
    this.network.quality = CLEAN_LINK;
    this.network.unblockAll();
    for (const node of down) if (node.isUp) node.crash();
    for (const node of this.nodes) {
      if (down.has(node)) continue;
      node.pausedUntilMs = 0;
      node.clockSkewMs = 0;
      this.restart(node);
      this.connect(node);
    }
  }

  /** Runs the events up to a time; the number of events a run may take is bounded. */
  runUntil(untilMs: number, stepsMax = 3_000_000): void {
    while (this.schedule.runNext(untilMs)) {
      this.steps += 1;
      if (this.steps > stepsMax) this.checker.fail('the simulation does not come to rest');
    }
  }

  /** Everything submitted is committed on every honest node that is up. */
  get isSettled(): boolean {
    return this.honest.every(node => !node.isUp || node.disk.committedIds.size === this.submitted.size);
  }
}
