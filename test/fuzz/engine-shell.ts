import { assert, assertDefined } from '../../src/core/base/assert.ts';
import type { Hash } from '../../src/core/base/ids.ts';
import { reject } from '../../src/core/base/reject.ts';
import { headerHash } from '../../src/core/codec/chain.ts';
import { ENGINE_LIMITS, type EngineStart } from '../../src/core/pbft/config.ts';
import type { Effect } from '../../src/core/pbft/effect.ts';
import { type Engine, step } from '../../src/core/pbft/engine.ts';
import type { Input } from '../../src/core/pbft/input.ts';
import { changesSet } from '../../src/core/pbft/state.ts';
import { verifyVoteCertificate } from '../../src/core/pbft/verify.ts';
import { suite } from '../unit/pbft/kit.ts';
import type { EngineWorld } from './engine-world.ts';

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
  /** What surrounds it under the present set. */
  world: EngineWorld;

  /** @param trusted at most f of the others are hostile: then what they agree on holds, and nothing stops the engine */
  constructor(
    private readonly first: EngineWorld,
    private readonly trusted = true,
  ) {
    this.world = first;
    this.durableHead = first.start(0);
    this.engine = first.engine(this.durableHead, []);
    this.give({ type: 'start' });
  }

  give(input: Input): void {
    const effects = step(this.engine, input);
    checkBounds(this.engine);
    if (this.engine.reign.set.id !== this.world.consortium.set.id) this.enterSet();
    for (const effect of effects) this.perform(effect);
  }

  /** The set that the chain brings in: views start again, and nothing of the old one counts. */
  private enterSet(): void {
    this.world = assertDefined(this.world.next, 'the chain brings in a set');
    const { view, active, seat, slots, ownViewChange, newView } = this.engine;
    assert(this.engine.reign.set.id === this.world.consortium.set.id, 'the set of the durable head');
    assert(view === 0 && active && slots.size === 0, 'views start again');
    assert((seat?.index ?? -1) === this.world.seats.own, 'the seat of the new set');
    assert(ownViewChange === null && newView === null, 'nothing of the old set');
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
    const { reign } = this.engine;
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
    this.give({ type: 'executed', executionId, verdict, nextSet: this.world.nextSetOf(block) });
  }

  commit(): void {
    const next = this.commits.shift();
    if (next === undefined) return;
    const { header } = next.block;
    const { blockHash, certificate } = next;
    const { parameters } = this.world;
    const { reign } =
      changesSet(header) && this.world.next !== null ? this.world.next.consortium : this.durableHead;
    if (header.height > this.durableHead.header.height)
      this.durableHead = { header, blockHash, certificate, reign, parameters };
    this.give({ type: 'committed', height: header.height, parameters });
  }

  settle(): void {
    this.flush();
    this.execute(1);
    this.commit();
  }

  /** @param count of blocks of the present chain that were transferred */
  sync(count: number): void {
    const head = this.world.start(count);
    const { height } = head.header;
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
    // who decides alone decides for the chain
    const { blocks, chain } = this.world;
    const known = (this.world.signers().length === 0 ? chain : blocks).find(
      ({ header }) => header.parentHash === parentHash,
    );
    if (parent === undefined || known === undefined || choice % 3 === 0)
      this.give({ type: 'buildEmpty', buildId });
    else this.give({ type: 'built', buildId, block: known, nextSet: this.world.nextSetOf(known) });
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
    else this.give({ type: 'committed', height: id, parameters: this.world.parameters });
  }

  /** What was not flushed is gone; the log and the durable head are not. */
  crash(): void {
    this.persists = [];
    this.commits = [];
    this.executions = [];
    this.builds = [];
    this.timers = [];
    this.engine = this.first.engine(this.durableHead, this.log);
    const { ownViewChange, newView, reign } = this.engine;
    for (const restored of [ownViewChange, newView])
      assert(
        (restored?.signed.validatorSetId ?? reign.set.id) === reign.set.id,
        'the log of another set is over',
      );
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
