import { assert, assertNever } from '../../src/core/base/assert.ts';
import type { BlockHash, TransactionId } from '../../src/core/base/ids.ts';
import { isReject, type Reject, reject } from '../../src/core/base/reject.ts';
import { headerHash } from '../../src/core/codec/chain.ts';
import type { EngineParameters, Seat } from '../../src/core/pbft/config.ts';
import type { Effect } from '../../src/core/pbft/effect.ts';
import { blockInFlight, createEngine, type Engine, step } from '../../src/core/pbft/engine.ts';
import type { Input } from '../../src/core/pbft/input.ts';
import type { ConsensusMessage, SignedMessage } from '../../src/core/pbft/messages.ts';
import type { Block, Header, ValidatorSet } from '../../src/core/types/chain.ts';
import type { Behaviour } from './byzantine.ts';
import type { Checker } from './checker.ts';
import { Disk } from './disk.ts';
import {
  CHAIN_ID,
  CLOCK_DRIFT_MS,
  type Executed,
  makeBlock,
  pickTransactions,
  type SimulatedTransaction,
  type Submitted,
} from './ledger.ts';
import type { Random } from './random.ts';
import type { Schedule } from './schedule.ts';
import { simulatedSign, simulatedSuite as suite } from './suite.ts';

export type Payload =
  | { readonly type: 'consensus'; readonly message: SignedMessage }
  | { readonly type: 'fetch'; readonly blockHash: BlockHash; readonly height: number }
  | { readonly type: 'block'; readonly block: Block };

export interface Identity {
  readonly index: number;
  readonly name: string;
  readonly peerId: string;
  readonly publicKey: Uint8Array;
}

/** What a node reaches of the world around it. */
export interface World {
  readonly schedule: Schedule;
  readonly random: Random;
  readonly checker: Checker;
  readonly submitted: Submitted;
  readonly parameters: EngineParameters;
  readonly identities: readonly Identity[];
  send(from: number, to: number, payload: Payload): void;
  /** Another node's store, when both directions of the link are open and it is up. */
  reachableDisk(from: number, to: number): Disk | null;
  verify(engine: Engine, message: SignedMessage): ConsensusMessage | null;
  trace(line: string): void;
}

/** A consensus node: the real engine in a shell of simulated disk, network and clock. */
export class SimulatedNode {
  readonly disk: Disk;
  engine: Engine | null = null;
  clockSkewMs = 0;
  pausedUntilMs = 0;
  readonly pool = new Map<TransactionId, SimulatedTransaction>();
  private incarnation = 0;
  private readonly overlays = new Map<BlockHash, Executed>();
  private logBusy = false;
  private readonly logQueue: Extract<Effect, { type: 'persist' | 'trim' }>[] = [];
  private storeBusy = false;
  private readonly storeQueue: (() => void)[] = [];
  private syncing = false;

  constructor(
    readonly identity: Identity,
    private readonly world: World,
    genesis: ValidatorSet,
    readonly behaviour: Behaviour | null,
  ) {
    this.disk = new Disk(genesis);
  }

  get isUp(): boolean {
    return this.engine !== null;
  }

  start(): void {
    assert(this.engine === null, 'a node starts once');
    this.incarnation += 1;
    const { publicKey } = this.identity;
    const findSeat = (set: ValidatorSet): Seat | null => {
      const index = set.validators.findIndex(({ name }) => name === this.identity.name);
      return index < 0 ? null : { index, sign: bytes => simulatedSign(publicKey, bytes) };
    };
    const config = { suite, chainId: CHAIN_ID, findSeat };
    const engine = createEngine(config, this.disk.start(this.world.parameters), this.disk.log);
    assert(!isReject(engine), 'the log can be read again');
    this.engine = engine;
    this.world.trace(
      `${this.identity.name} starts at ${this.disk.height} with ${this.disk.log.length} records`,
    );
    this.give({ type: 'start' });
  }

  /** What was not flushed is lost, but for a part of the write under way. */
  crash(): void {
    const under = this.logBusy ? this.logQueue[0] : undefined;
    if (under?.type === 'persist')
      this.flushed(under.records.slice(0, this.world.random.between(0, under.records.length)));
    this.world.trace(`${this.identity.name} crashes`);
    this.engine = null;
    this.incarnation += 1;
    this.overlays.clear();
    this.pool.clear();
    this.logBusy = false;
    this.logQueue.length = 0;
    this.storeBusy = false;
    this.storeQueue.length = 0;
    this.syncing = false;
  }

  submit(transaction: SimulatedTransaction): void {
    if (!this.isUp || this.disk.committedIds.has(transaction.id)) return;
    this.pool.set(transaction.id, transaction);
    this.give({ type: 'pending', waiting: true });
  }

  connected(other: Identity): void {
    this.give({ type: 'connected', peerId: other.peerId });
  }

  complain(): void {
    this.give({ type: 'complain' });
  }

  receive(from: number, payload: Payload): void {
    const { engine } = this;
    if (engine === null) return;
    const peer = this.world.identities[from] as Identity;
    if (payload.type === 'block') this.give({ type: 'fetched', block: payload.block });
    else if (payload.type === 'fetch') {
      const stored = this.disk.chain[payload.height];
      const block =
        stored?.hash === payload.blockHash ? stored.block : blockInFlight(engine, payload.blockHash);
      if (block !== null) this.world.send(this.identity.index, from, { type: 'block', block });
    } else if (payload.message.validatorSetId !== engine.reign.set.id) {
      const { validatorSetId } = payload.message;
      this.give({ type: 'otherSet', validatorSetId, peerId: peer.peerId });
    } else {
      const message = this.world.verify(engine, payload.message);
      if (message !== null) this.give({ type: 'message', message });
    }
  }

  private give(input: Input): void {
    const { engine } = this;
    if (engine === null) return;
    const effects = step(engine, input);
    this.world.checker.afterStep(this, engine);
    for (const effect of effects) this.perform(effect);
  }

  /** Later, unless the node crashed meanwhile; a paused node does it when it goes on. */
  private later(delayMs: number, run: () => void): void {
    const { incarnation } = this;
    this.world.schedule.after(delayMs, () => {
      if (incarnation !== this.incarnation) return;
      const pauseMs = this.pausedUntilMs - this.world.schedule.nowMs;
      if (pauseMs > 0) this.later(pauseMs, run);
      else run();
    });
  }

  private perform(effect: Effect): void {
    const { random } = this.world;
    switch (effect.type) {
      case 'persist':
      case 'trim':
        this.logQueue.push(effect);
        this.writeLog();
        break;
      case 'send':
        this.send(effect.to, effect.message);
        break;
      case 'setTimer': {
        const { name, generation, delayMs } = effect;
        this.later(delayMs, () => this.give({ type: 'timer', name, generation }));
        break;
      }
      case 'cancelTimer':
        break;
      case 'build':
        this.later(random.between(0, 3), () => this.build(effect));
        break;
      case 'execute':
        this.later(random.chance(0.01) ? 200 : random.between(0, 5), () => this.execute(effect));
        break;
      case 'commit':
        this.store(() => this.commit(effect));
        break;
      case 'discard':
        for (const hash of effect.blockHashes) this.overlays.delete(hash);
        break;
      case 'returnToPool':
        for (const block of effect.blocks)
          for (const { id } of block.entries) {
            const transaction = this.world.submitted.get(id);
            if (transaction !== undefined) this.later(0, () => this.submit(transaction));
          }
        break;
      case 'sync':
        this.sync(effect.peerIds);
        break;
      case 'fetchBlock':
        for (const { index, peerId } of this.world.identities)
          if (effect.peerIds.includes(peerId))
            this.world.send(this.identity.index, index, { ...effect, type: 'fetch' });
        break;
      case 'fetchNewView':
      case 'archive':
        break;
      case 'evidence':
        if (this.engine !== null) this.world.checker.evidence(this.engine.reign, effect.first, effect.second);
        break;
      case 'halt':
        this.world.checker.fail(`${this.identity.name} halts at ${effect.height}: ${effect.reason}`);
        break;
      default:
        assertNever(effect);
    }
  }

  private send(to: 'all' | { readonly peerId: string }, message: SignedMessage): void {
    const { checker, identities } = this.world;
    if (this.behaviour === null) checker.sent(this, message);
    for (const { index, peerId } of identities) {
      if (index === this.identity.index || (to !== 'all' && to.peerId !== peerId)) continue;
      const outgoing = this.behaviour === null ? [message] : this.behaviour(message, index, this);
      for (const each of outgoing)
        this.world.send(this.identity.index, index, { type: 'consensus', message: each });
    }
  }

  private flushed(records: readonly Uint8Array[]): void {
    this.disk.log.push(...records);
    this.world.checker.flushed(this, records);
  }

  private writeLog(): void {
    const next = this.logQueue[0];
    if (this.logBusy || next === undefined) return;
    this.logBusy = true;
    const { random } = this.world;
    this.later(random.chance(0.02) ? 120 : random.between(0, 3), () => {
      if (next.type === 'persist') this.flushed(next.records);
      else this.disk.log = [...next.records];
      this.logQueue.shift();
      this.logBusy = false;
      this.writeLog();
      if (next.type === 'trim') return;
      for (const effect of next.then) this.perform(effect);
      this.give({ type: 'persisted', ticket: next.ticket });
    });
  }

  private store(operation: () => void): void {
    this.storeQueue.push(operation);
    this.runStore();
  }

  private runStore(): void {
    const operation = this.storeQueue[0];
    if (this.storeBusy || operation === undefined) return;
    this.storeBusy = true;
    this.later(this.world.random.between(0, 4), () => {
      this.storeQueue.shift();
      this.storeBusy = false;
      operation();
      this.runStore();
    });
  }

  /** The state that a block stands on: an overlay, or the durable head. */
  private parent(hash: BlockHash): { header: Header; hash: BlockHash } | null {
    if (hash === this.disk.head.hash) return { header: this.disk.head.block.header, hash };
    const overlay = this.overlays.get(hash);
    return overlay === undefined ? null : { header: overlay.block.header, hash };
  }

  /** Transactions of the overlays that a block on `hash` would stand on. */
  private inFlightIds(hash: BlockHash): Set<TransactionId> {
    const ids = new Set(this.disk.committedIds);
    for (let overlay = this.overlays.get(hash); overlay !== undefined; ) {
      for (const { id } of overlay.block.entries) ids.add(id);
      overlay = this.overlays.get(overlay.block.header.parentHash);
    }
    return ids;
  }

  private localMs(): number {
    return this.world.schedule.nowMs + this.clockSkewMs;
  }

  private make(parentHash: BlockHash, timeMs: number, ids: readonly TransactionId[]): Executed | Reject {
    const parent = this.parent(parentHash);
    if (parent === null) return reject('parent', 'the parent is not here');
    const { set, startHeight } = this.disk.head.reign;
    return makeBlock(this.world.submitted, parent, set, startHeight, timeMs, ids);
  }

  private build(effect: Extract<Effect, { type: 'build' }>): void {
    const { buildId, parentHash } = effect;
    const parent = this.parent(parentHash);
    const ids = pickTransactions(this.pool.values(), this.inFlightIds(parentHash));
    const timeMs = Math.max(this.localMs(), (parent?.header.timeMs ?? 0) + 1, 1);
    const made = this.make(parentHash, timeMs, ids);
    if (isReject(made)) {
      this.give({ type: 'buildEmpty', buildId });
      return;
    }
    this.overlays.set(made.hash, made);
    this.give({ type: 'built', buildId, block: made.block, nextSet: made.nextSet });
  }

  private execute(effect: Extract<Effect, { type: 'execute' }>): void {
    const { executionId, block, blockHash, checkClock } = effect;
    const ids = block.entries.map(({ id }) => id);
    const seen = this.inFlightIds(block.header.parentHash);
    const made = this.make(block.header.parentHash, block.header.timeMs, ids);
    let verdict: Reject | null = null;
    if (isReject(made)) {
      // Overtaken by state transfer or a view change: nobody waits for this answer any more.
      if (made.reject === 'parent') return;
      verdict = made;
    } else if (made.hash !== blockHash) verdict = reject('result', 'another result');
    else if (ids.some(id => seen.has(id))) verdict = reject('replay', 'executed before');
    else if (checkClock && block.header.timeMs > this.localMs() + CLOCK_DRIFT_MS)
      verdict = reject('time', 'ahead of the clock', 'ignore');
    else this.overlays.set(blockHash, made);
    const nextSet = isReject(made) ? null : made.nextSet;
    this.give({ type: 'executed', executionId, verdict, nextSet });
  }

  private append(block: Block, hash: BlockHash, certificate: Parameters<Disk['append']>[2]): boolean {
    const { header, entries } = block;
    const ids = entries.map(({ id }) => id);
    const made = this.make(header.parentHash, header.timeMs, ids);
    if (isReject(made) || made.hash !== hash) return false;
    this.world.checker.committed(this, block, hash, certificate, this.disk.head.reign);
    this.disk.append(block, hash, certificate, made.nextSet);
    this.overlays.delete(hash);
    for (const id of ids) this.pool.delete(id);
    return true;
  }

  private commit(effect: Extract<Effect, { type: 'commit' }>): void {
    const { block, blockHash, certificate } = effect;
    const { height } = block.header;
    if (height > this.disk.height)
      assert(this.append(block, blockHash, certificate), 'a committed block executes');
    this.give({ type: 'committed', height, parameters: this.world.parameters });
    if (this.pool.size === 0) this.give({ type: 'pending', waiting: false });
  }

  private sync(peerIds: readonly string[]): void {
    if (this.syncing) return;
    this.syncing = true;
    const { random, identities } = this.world;
    const others = identities.filter(({ index }) => index !== this.identity.index);
    const named = others.filter(({ peerId }) => peerIds.includes(peerId));
    const source = random.pick(named.length > 0 && random.chance(0.7) ? named : others);
    this.later(random.between(2, 30), () => {
      const disk = source === undefined ? null : this.world.reachableDisk(this.identity.index, source.index);
      if (disk === null || disk.height <= this.disk.height) {
        this.syncing = false;
        return;
      }
      this.store(() => this.transfer(disk, 8));
    });
  }

  private transfer(source: Disk, blocksMax: number): void {
    const before = this.disk.height;
    const to = Math.min(source.height, before + blocksMax);
    for (const { block, hash, certificate } of source.chain.slice(before + 1, to + 1)) {
      const { reign } = this.disk.head;
      if (certificate === null || headerHash(suite.sha256, block.header) !== hash) break;
      if (!this.world.checker.isCertified(reign, block.header, hash, certificate)) break;
      if (!this.append(block, hash, certificate)) break;
    }
    this.syncing = false;
    if (this.disk.height === before) return;
    this.give({ type: 'synced', head: this.disk.start(this.world.parameters) });
    if (this.pool.size === 0) this.give({ type: 'pending', waiting: false });
  }
}
