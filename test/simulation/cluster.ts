import type { Reject } from '../../src/core/base/reject.ts';
import { isReject } from '../../src/core/base/reject.ts';
import type { SignedMessage } from '../../src/core/pbft/messages.ts';
import type { Validator } from '../../src/core/types/chain.ts';
import type { Parameters } from '../../src/core/types/state.ts';
import { CONSENSUS_PROTOCOL } from '../../src/services/consensus/limits.ts';
import { type BehaviourKind, ByzantineDisguise, type Conspiracy } from './byzantine.ts';
import { Checker } from './checker.ts';
import { faultsOf } from './checker-certificate.ts';
import { Clients } from './clients.ts';
import { type Consortium, EPOCH_MS, foundConsortium, type Identity, identityOf } from './consortium.ts';
import { Coverage } from './coverage.ts';
import { Governors } from './governors.ts';
import { SimulatedLightNode } from './light-node.ts';
import type { World } from './machine.ts';
import { CLEAN_LINK, SimulatedNetwork, type Wiretap } from './network.ts';
import { SimulatedNode } from './node.ts';
import { Random } from './random.ts';
import { hasOwnedError } from './rejections.ts';
import { Schedule } from './schedule.ts';
import { consensusMessageCodec } from './shared-work.ts';
import { Trace } from './trace.ts';
import type { SimulatedTransport } from './transport.ts';

export interface ClusterOptions {
  readonly seed: number;
  /** Validators of the first set. */
  readonly validators: number;
  /** Further nodes, which observe until a change of the set brings them in. */
  readonly observers: number;
  /** Faulty validators of the first set, by kind. */
  readonly byzantine: readonly BehaviourKind[];
  readonly administrators: number;
  readonly threshold: number;
  readonly members: number;
  readonly parameters: Parameters;
  /** Processor time of one event, in milliseconds. */
  readonly eventMs: number;
  readonly flushMs: readonly [number, number];
  /** At most so long between two acts of governance; 0 for none. */
  readonly governanceMs: number;
  /** Nodes that keep the transactions of the newest blocks only, and transfer states by snapshots. */
  readonly pruned: boolean;
  /** Members' nodes that follow their logs. */
  readonly lights: number;
  /** Disks fail more often than anything else. */
  readonly worn: boolean;
  /** Numbers of validators that the administrators bring the set to, one after the other; none: as it comes. */
  readonly sizes?: readonly number[];
  readonly detailed: boolean;
  readonly linesMax: number;
}

/** A whole simulated consortium: nodes, network, clients, and the checker that watches them. */
export class Cluster implements World, Wiretap {
  readonly epochMs = EPOCH_MS;
  readonly trace: Trace;
  readonly schedule: Schedule;
  readonly random: Random;
  readonly coverage = new Coverage();
  readonly network: SimulatedNetwork;
  readonly identities: readonly Identity[];
  readonly nodes: SimulatedNode[] = [];
  readonly lights: SimulatedLightNode[] = [];
  readonly faulty = new Set<string>();
  readonly conspiracy: Conspiracy;
  readonly checker: Checker;
  readonly clients: Clients;
  readonly governors: Governors;
  steps = 0;
  /** Hears every consensus message on the wire. */
  onMessage: ((signed: SignedMessage) => void) | null = null;
  private failure: unknown = null;
  private readonly decoded = new WeakMap<Uint8Array, SignedMessage | null>();
  private lastFrame: Uint8Array | null = null;
  private lastDecoded: SignedMessage | null = null;

  private constructor(
    readonly options: ClusterOptions,
    readonly consortium: Consortium,
    identities: readonly Identity[],
  ) {
    const { seed, detailed, linesMax, parameters } = options;
    this.random = new Random(seed);
    this.trace = new Trace(detailed, linesMax);
    this.schedule = new Schedule(this.trace);
    this.identities = identities;
    this.network = new SimulatedNetwork(this, this);
    const known = { twins: new Map(), misled: new Set<number>(), backers: new Map(), spoke: new Map() };
    const { validators } = options;
    this.conspiracy = { ...known, hoarders: new Set(), validators, faultsMax: faultsOf(validators) };
    const { genesis } = consortium;
    const set = { id: 0, validators: genesis.validators };
    this.clients = new Clients(
      this,
      consortium,
      this,
      () => this.checker,
      Math.min(parameters.replayWindowBlocks, 400),
    );
    this.checker = new Checker(
      this.coverage,
      { set, chainId: consortium.chainId, startHeight: 0, startHash: consortium.genesisHash },
      id => this.clients.ids.has(id),
      parameters.windowBlocks,
      parameters.replayWindowBlocks,
    );
    this.governors = new Governors(this, this);
    this.makeNodes();
  }

  static async create(options: ClusterOptions): Promise<Cluster> {
    const identities = Array.from({ length: options.validators + options.observers }, (_, index) =>
      identityOf(index),
    );
    const { administrators, threshold, members, parameters } = options;
    const people = { administrators, threshold, members };
    const consortium = await foundConsortium(identities.slice(0, options.validators), people, parameters);
    return new Cluster(options, consortium, identities);
  }

  private makeNodes(): void {
    const { validators, byzantine } = this.options;
    const shuffled = this.random.shuffled(Array.from({ length: validators }, (_, index) => index));
    // One leaves the view to the other.
    const sideBySide = shuffled.map((_, at) => ((shuffled[0] as number) + at) % validators);
    const seats = byzantine.includes('hoarder') ? sideBySide : shuffled;
    const kinds = new Map(byzantine.map((kind, index) => [seats[index], kind]));
    for (const index of kinds.keys()) this.faulty.add(`n${index}`);
    for (const identity of this.identities) {
      const kind = kinds.get(identity.index) ?? null;
      this.makeNode(identity, identity.name, kind);
      if (kind === 'twin') this.makeNode(identity, `${identity.name}-twin`, kind);
    }
    this.makeLights();
  }

  private makeLights(): void {
    const { consortium, network, identities, options } = this;
    const isHonest = (peer: string) =>
      identities.some(({ name, peerId }) => peerId === peer && !this.faulty.has(name));
    const people = this.random.shuffled([...consortium.members, ...consortium.administrators]);
    for (const actor of people.slice(0, options.lights)) {
      const place = this.nodes.length + this.lights.length;
      this.lights.push(new SimulatedLightNode(actor, place, this, consortium, network, identities, isHonest));
    }
  }

  /** One honest node keeps everything where light nodes read: what all have pruned nobody can give them. */
  private keepBlocks(isHonest: boolean): number | null {
    const { pruned, lights, parameters } = this.options;
    const isArchive = lights > 0 && isHonest && !this.nodes.some(node => node.isHonest && node.isArchive);
    return pruned && this.random.chance(0.7) && !isArchive ? parameters.replayWindowBlocks + 20 : null;
  }

  private makeNode(identity: Identity, label: string, kind: BehaviourKind | null): void {
    const { eventMs, flushMs } = this.options;
    const disguise = kind === null ? null : new ByzantineDisguise(kind, identity, this, this.conspiracy);
    const options = {
      identity,
      label,
      place: this.nodes.length,
      disguise,
      isHonest: kind === null,
      eventMs: eventMs * this.random.pick([1, 1, 1, 3]),
      keepBlocks: this.keepBlocks(kind === null),
      flushMs,
    };
    const isHonest = (name: string) => !this.faulty.has(name);
    const { consortium, network, checker, identities } = this;
    const node = new SimulatedNode(options, this, consortium, network, checker, identities, isHonest);
    if (disguise !== null) disguise.node = node;
    this.nodes.push(node);
  }

  get honest(): SimulatedNode[] {
    return this.nodes.filter(({ isHonest }) => isHonest);
  }

  /** Whether so many validators can vote without this one that the others are never stuck, whatever is proposed now. */
  maySpare(node: SimulatedNode): boolean {
    const { governanceMs, pruned, lights, sizes } = this.options;
    const validators = [...this.checker.chain.sets.values()].at(-1)?.validators ?? [];
    const isMember = validators.some(({ name }) => name === node.name);
    if (!node.isHonest || !isMember || node.keys.signers().length > 1) return false;
    if (node.isArchive && pruned && lights > 0) return false;
    // A proposal under way may take two away, or three where the set is brought from seven to four.
    const leaving = sizes === undefined ? 2 : 3;
    const least = validators.length - (governanceMs > 0 ? leaving : 0);
    return this.unable(validators).length < faultsOf(least);
  }

  /** Faulty, or without the votes of its key. */
  unable(validators: readonly Validator[]): readonly Validator[] {
    return validators.filter(
      validator => this.faulty.has(validator.name) || this.checker.keys.isDoubtful(validator),
    );
  }

  broken(error: unknown): void {
    this.failure ??= error;
  }

  // The wire.

  private decode(frame: Uint8Array): SignedMessage | null {
    // To all at once: one look is enough.
    if (frame === this.lastFrame) return this.lastDecoded;
    let signed = this.decoded.get(frame);
    if (signed === undefined) {
      const read = consensusMessageCodec.decode(frame);
      signed = isReject(read) ? null : read;
      this.decoded.set(frame, signed);
    }
    this.lastFrame = frame;
    this.lastDecoded = signed;
    return signed;
  }

  sent(from: SimulatedTransport, to: SimulatedTransport, protocol: string, frame: Uint8Array): void {
    if (protocol !== CONSENSUS_PROTOCOL) return;
    const signed = this.decode(frame);
    if (signed === null) return;
    this.coverage.hit(sentNameOf(signed.kind));
    const node = this.nodes[from.place] as SimulatedNode;
    if (this.trace.detailed) this.trace.line(`${node.name} → ${this.nodes[to.place]?.name} ${signed.kind}`);
    try {
      this.onMessage?.(signed);
      this.checker.sent(node, signed);
    } catch (error) {
      this.broken(error);
    }
  }

  refused(by: SimulatedTransport, from: SimulatedTransport, { reject: code, peer, detail }: Reject): void {
    this.coverage.hit(`refused: ${code}`);
    const isHonest = ({ place }: SimulatedTransport) => this.nodes[place]?.isHonest ?? true;
    if (peer === 'penalise' && isHonest(by) && isHonest(from))
      this.broken(new Error(`honest ${by.peerId} penalises honest ${from.peerId}: ${code} (${detail})`));
  }

  // Time.

  /** Runs the events up to a time; promises settle before the next event. */
  async runUntil(untilMs: number, stepsMax = 20_000_000): Promise<void> {
    while (this.schedule.runNext(untilMs)) {
      this.steps += 1;
      if (hasOwnedError() || this.steps % REJECTION_STEPS === 0) await rejectionsTold();
      else await promisesSettled();
      if (this.failure !== null) throw this.failure;
      if (this.steps > stepsMax) this.checker.fail('the simulation does not come to rest');
    }
    if (this.failure !== null) throw this.failure;
  }

  start(): void {
    for (const node of [...this.nodes, ...this.lights])
      this.schedule.after(this.random.between(0, 200), () => node.start());
  }

  /** Perfect links, every node up. */
  heal(): void {
    this.network.quality = CLEAN_LINK;
    this.network.healAll();
    for (const node of [...this.nodes, ...this.lights]) {
      node.machine.heal();
      node.start();
    }
  }
}

const sentNames = new Map<SignedMessage['kind'], string>();

/** One string for each kind: a new one would have to be hashed for each frame. */
function sentNameOf(kind: SignedMessage['kind']): string {
  const name = sentNames.get(kind) ?? `sent: ${kind}`;
  sentNames.set(kind, name);
  return name;
}

/** Steps between two looks for rejections that nobody handled; those of a faulty disk are looked for at once. */
const REJECTION_STEPS = 32;

/** All promises that can settle have settled when this one has: ticks are run when no promise is left to settle. */
export function promisesSettled(): Promise<void> {
  return new Promise(resolve => process.nextTick(resolve));
}

/** Besides, rejections that nobody handled have been told: Node tells of them at the end of a turn of the event loop. */
function rejectionsTold(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve));
}
