import { assert } from '../../src/core/base/assert.ts';
import { type Hash, ZERO_HASH } from '../../src/core/base/ids.ts';
import { isReject, reject } from '../../src/core/base/reject.ts';
import { headerHash } from '../../src/core/codec/chain.ts';
import { ENGINE_LIMITS, type EngineStart } from '../../src/core/pbft/config.ts';
import type { Effect } from '../../src/core/pbft/effect.ts';
import { createEngine, type Engine, step } from '../../src/core/pbft/engine.ts';
import type { Input } from '../../src/core/pbft/input.ts';
import { decodeMessage } from '../../src/core/pbft/message-codec.ts';
import type { ConsensusMessage, PreparedProof, ShownHead, Vote } from '../../src/core/pbft/messages.ts';
import { newViewDigest } from '../../src/core/pbft/signing.ts';
import { verifyVoteCertificate } from '../../src/core/pbft/verify.ts';
import type { Block, Certificate, ValidatorSet } from '../../src/core/types/chain.ts';
import { simulatedSign } from '../simulation/suite.ts';
import { CHAIN_ID } from '../support/toy-ledger.ts';
import { Consortium, PARAMETERS, suite } from '../unit/pbft/kit.ts';

/** Seats: one engine under test, f that are hostile, the others honest. */
export interface Seats {
  readonly n: number;
  readonly own: number;
  readonly hostile: readonly number[];
}

const CHAIN_BLOCKS = 6;
export const VIEWS = 5;

/**
 * What could have happened round one engine: honest validators voted for one chain and nothing else, whatever hostile ones
 * say. Certificates exist for that chain only, signed by everybody but the engine under test.
 */
export class EngineWorld {
  readonly consortium: Consortium;
  readonly honest: readonly number[];
  /** The chain that honest validators vote for; index 0 is height 1. */
  readonly chain: readonly Block[];
  /** Blocks that only hostile ones propose and vote for, on any parent. */
  readonly twins: readonly Block[];
  private readonly made = new Map<string, unknown>();
  private readonly verdicts = new WeakMap<ConsensusMessage, boolean>();

  constructor(readonly seats: Seats) {
    this.consortium = new Consortium(seats.n);
    const all = Array.from({ length: seats.n }, (_, index) => index);
    this.honest = all.filter(index => index !== seats.own && !seats.hostile.includes(index));
    const chain: Block[] = [];
    for (let height = 1; height <= CHAIN_BLOCKS; height += 1)
      chain.push(this.consortium.block(chain.at(-1)?.header ?? this.consortium.genesis, `chain ${height}`));
    this.chain = chain;
    const parents = [this.consortium.genesis, ...chain.map(({ header }) => header)];
    const twins = parents.map((header, height) => this.consortium.block(header, `twin ${height}`));
    this.twins = [...twins, ...twins.map(({ header }) => this.consortium.block(header, 'on a twin'))];
  }

  get blocks(): readonly Block[] {
    return [...this.chain, ...this.twins];
  }

  isChain(block: Block): boolean {
    return this.placeOf(block, this.chain) >= 0;
  }

  private hashesOf(blocks: readonly Block[]): readonly Hash[] {
    const name = blocks === this.chain ? 'chain' : 'twins';
    return this.once(name, () => blocks.map(({ header }) => headerHash(suite.sha256, header)));
  }

  /** By its hash: a block comes back from the log as another object. */
  private placeOf({ header }: Block, blocks: readonly Block[]): number {
    return this.hashesOf(blocks).indexOf(headerHash(suite.sha256, header));
  }

  /** Every other block of the hostile ones has a header that execution does not give. */
  isWrong(block: Block): boolean {
    return !this.isChain(block) && this.placeOf(block, this.twins) % 2 !== 0;
  }

  signers(): number[] {
    return [...this.honest, ...this.seats.hostile].sort((a, b) => a - b);
  }

  /** Signing and verifying are most of a run: each message is made once. */
  once<Value>(key: string, make: () => Value): Value {
    const known = this.made.get(key);
    if (known !== undefined) return known as Value;
    const value = make();
    this.made.set(key, value);
    return value;
  }

  /** The border that every message passes: it decodes to what was signed, and verifies. */
  verifies(message: ConsensusMessage): boolean {
    const known = this.verdicts.get(message);
    if (known !== undefined) return known;
    const decoded = decodeMessage(message.signed);
    const verdict = !isReject(decoded) && this.consortium.verifies(decoded);
    this.verdicts.set(message, verdict);
    return verdict;
  }

  certificate(kind: Vote['kind'], height: number, view: number): Certificate {
    return this.once(`${kind} ${height} ${view}`, () => this.certify(kind, height, view));
  }

  private certify(kind: Vote['kind'], height: number, view: number): Certificate {
    const block = this.chain[height - 1]!;
    const digest = this.digest(view);
    const signatures = this.signers().map(signer => {
      const { signed } = this.consortium.vote(signer, kind, block, view, digest);
      return { signer, signature: signed.signature };
    });
    const blockHash = headerHash(suite.sha256, block.header);
    return { validatorSetId: 0, view, newViewDigest: digest, height, blockHash, signatures };
  }

  head(height: number, view: number): ShownHead {
    if (height === 0) return { header: this.consortium.genesis, certificate: null };
    return { header: this.chain[height - 1]!.header, certificate: this.certificate('commit', height, view) };
  }

  prepared(height: number, view: number): PreparedProof {
    return { header: this.chain[height - 1]!.header, certificate: this.certificate('prepare', height, view) };
  }

  /** Honest ones show that they prepared the whole chain, so that no view of theirs leaves a block out. */
  viewChange(signer: number, view: number): ConsensusMessage {
    return this.once(`view change ${signer} ${view}`, () => {
      const proofs = this.chain.map(({ header }) => this.prepared(header.height, 0));
      return this.consortium.viewChange(signer, view, proofs);
    });
  }

  /** The one NEW-VIEW of a view under which honest validators vote. */
  newView(view: number, signers = this.signers()): ConsensusMessage {
    return this.once(`new view ${view} ${signers}`, () => {
      const viewChanges = signers.map(signer => this.viewChange(signer, view).signed);
      const window = this.chain.map(({ header }) => headerHash(suite.sha256, header));
      return this.consortium.sign(view % this.seats.n, { kind: 'newView', view, viewChanges, window });
    });
  }

  digest(view: number): Hash {
    if (view === 0 || view % this.seats.n === this.seats.own) return ZERO_HASH;
    return this.once(`digest ${view}`, () => {
      const { content } = this.newView(view);
      assert(content.kind === 'newView', 'a NEW-VIEW is one');
      return newViewDigest(suite.sha256, CHAIN_ID, 0, content);
    });
  }

  /** The engine under test, from a head and a log. */
  engine(start: EngineStart, records: readonly Uint8Array[]): Engine {
    const index = this.seats.own;
    const findSeat = ({ validators }: ValidatorSet) => {
      const { publicKey } = validators[index]!;
      return { index, sign: (bytes: Uint8Array) => simulatedSign(publicKey, bytes) };
    };
    const engine = createEngine({ suite, chainId: CHAIN_ID, findSeat }, start, records);
    assert(!isReject(engine), 'the log can be read');
    return engine;
  }

  /** State transfer to a height of the chain. */
  start(height: number): EngineStart {
    const { header, certificate } = this.head(height, 0);
    return { ...this.consortium.start(), header, certificate, blockHash: headerHash(suite.sha256, header) };
  }
}

/** The shell round the engine: answers its effects when the test says so, in the order that the port promises. */
export class Shell {
  engine: Engine;
  readonly committed = new Map<number, Hash>();
  private log: Uint8Array[] = [];
  private durableHead: EngineStart;
  private persists: Extract<Effect, { type: 'persist' | 'trim' }>[] = [];
  private commits: Extract<Effect, { type: 'commit' }>[] = [];
  private executions: Extract<Effect, { type: 'execute' }>[] = [];
  private builds: Extract<Effect, { type: 'build' }>[] = [];
  private timers: Extract<Effect, { type: 'setTimer' }>[] = [];
  halted = false;

  /** @param trusted at most f of the others are hostile: then what they agree on holds, and nothing stops the engine */
  constructor(
    private readonly world: EngineWorld,
    private readonly trusted = true,
  ) {
    this.durableHead = world.consortium.start();
    this.engine = world.engine(this.durableHead, []);
    this.give({ type: 'start' });
  }

  give(input: Input): void {
    const effects = step(this.engine, input);
    checkBounds(this.engine);
    for (const effect of effects) this.perform(effect);
  }

  private perform(effect: Effect): void {
    if (effect.type === 'halt') {
      assert(!this.trusted, `halts at ${effect.height}: ${effect.reason}`);
      this.halted = true;
    }
    if (effect.type === 'persist' || effect.type === 'trim') this.persists.push(effect);
    else if (effect.type === 'commit') this.checkCommit(effect);
    else if (effect.type === 'execute') this.executions.push(effect);
    else if (effect.type === 'build') this.builds.push(effect);
    else if (effect.type === 'setTimer') this.timers.push(effect);
    else if (effect.type === 'evidence') this.checkEvidence(effect);
  }

  /** Nothing commits without a quorum, and then only what honest validators voted for. */
  private checkCommit(effect: Extract<Effect, { type: 'commit' }>): void {
    const { certificate, block, blockHash } = effect;
    const { reign } = this.world.consortium;
    assert(verifyVoteCertificate(suite, reign, 'commit', certificate), 'a commit has a certificate');
    assert(certificate.blockHash === blockHash, 'it is the block that is certified');
    assert(headerHash(suite.sha256, block.header) === blockHash, 'the block has its hash');
    assert(!this.trusted || this.world.isChain(block), 'only the chain of the honest is committed');
    this.committed.set(block.header.height, blockHash);
    this.commits.push(effect);
  }

  private checkEvidence({ first, second }: Extract<Effect, { type: 'evidence' }>): void {
    assert(first.signer === second.signer && first.kind === second.kind, 'evidence is against one signer');
    assert(first.signer !== this.world.seats.own, 'no evidence against itself');
    if (this.trusted)
      assert(this.world.seats.hostile.includes(first.signer), 'no evidence against the honest');
  }

  flush(): void {
    const next = this.persists.shift();
    if (next === undefined) return;
    if (next.type === 'trim') {
      this.log = [...next.records];
      return;
    }
    this.log.push(...next.records);
    for (const effect of next.then) this.perform(effect);
    this.give({ type: 'persisted', ticket: next.ticket });
  }

  /** A block executes or is wrong, the same every time; one that is new may be ahead of the clock. */
  execute(choice: number): void {
    const next = this.executions.splice(choice % (this.executions.length || 1), 1)[0];
    if (next === undefined) return;
    const { executionId, block, checkClock } = next;
    let verdict = this.world.isWrong(block) ? reject('result', 'another result') : null;
    if (checkClock && choice % 5 === 0) verdict = reject('time', 'ahead', 'ignore');
    this.give({ type: 'executed', executionId, verdict, nextSet: null });
  }

  commit(): void {
    const next = this.commits.shift();
    if (next === undefined) return;
    const { header } = next.block;
    if (header.height > this.durableHead.header.height)
      this.durableHead = {
        ...this.durableHead,
        header,
        blockHash: next.blockHash,
        certificate: next.certificate,
      };
    this.give({ type: 'committed', height: header.height, parameters: PARAMETERS });
  }

  settle(): void {
    this.flush();
    this.execute(1);
    this.commit();
  }

  sync(height: number): void {
    const head = this.world.start(height);
    if (height <= this.durableHead.header.height) return;
    this.durableHead = head;
    this.commits = this.commits.filter(({ block }) => block.header.height > height);
    this.give({ type: 'synced', head });
  }

  build(choice: number): void {
    const next = this.builds.shift();
    if (next === undefined) return;
    const { buildId, parentHash } = next;
    const parents = [this.world.consortium.genesis, ...this.world.blocks.map(({ header }) => header)];
    const parent = parents.find(header => headerHash(suite.sha256, header) === parentHash);
    const known = this.world.blocks.find(({ header }) => header.parentHash === parentHash);
    if (parent === undefined || known === undefined || choice % 3 === 0)
      this.give({ type: 'buildEmpty', buildId });
    else this.give({ type: 'built', buildId, block: known, nextSet: null });
  }

  fire(choice: number): void {
    const timer = this.timers[choice % (this.timers.length || 1)];
    if (timer !== undefined) this.give({ type: 'timer', name: timer.name, generation: timer.generation });
  }

  /** Answers that nobody waits for any more. */
  giveUnasked(kind: number, choice: number): void {
    const id = 1_000_000 + choice;
    const block = this.world.blocks[choice % this.world.blocks.length]!;
    if (kind % 4 === 0) this.give({ type: 'built', buildId: id, block, nextSet: null });
    else if (kind % 4 === 1) this.give({ type: 'buildEmpty', buildId: id });
    else if (kind % 4 === 2) this.give({ type: 'executed', executionId: id, verdict: null, nextSet: null });
    else this.give({ type: 'committed', height: id, parameters: PARAMETERS });
  }

  /** What was not flushed is gone; the log and the durable head are not. */
  crash(): void {
    this.persists = [];
    this.commits = [];
    this.executions = [];
    this.builds = [];
    this.timers = [];
    this.engine = this.world.engine(this.durableHead, this.log);
    this.give({ type: 'start' });
  }
}

/** Buffers of the engine after every step [70]. */
export function checkBounds(engine: Engine): void {
  const { windowBlocks } = engine.parameters;
  const { length } = engine.reign.set.validators;
  assert(engine.slots.size <= windowBlocks + ENGINE_LIMITS.windowBlocksMax, 'slots are bounded');
  let count = 0;
  for (const { messages, bytes } of engine.future.bySigner.values()) {
    count += messages.length;
    assert(messages.length <= ENGINE_LIMITS.futurePerSignerWindows * windowBlocks, 'a signer has its share');
    assert(bytes <= ENGINE_LIMITS.futureBytesPerSigner, 'a signer has its share of bytes');
  }
  assert(count === engine.future.count && count <= ENGINE_LIMITS.futureMessagesTotal, 'all together too');
  assert(engine.viewChanges.size <= length && engine.complaints.size <= length, 'one a signer');
  for (const messages of engine.checkpoints.values())
    assert(messages.length <= ENGINE_LIMITS.checkpointsPerSigner, 'few checkpoints a signer');
  assert(engine.checkpoints.size <= length, 'checkpoints of signers only');
  assert(engine.evidenceGiven.size <= length * 8, 'evidence once a signer and kind');
  assert(engine.signedValues.size <= 16 * windowBlocks + 64, 'signed values are pruned');
  assert(engine.timers.size <= 2, 'two timers');
}
