import { assert, assertDefined, assertNever } from '../../src/core/base/assert.ts';
import type { BlockHash, TransactionId } from '../../src/core/base/ids.ts';
import { isReject, type Reject, reject } from '../../src/core/base/reject.ts';
import { headerHash } from '../../src/core/codec/chain.ts';
import type { Reign } from '../../src/core/pbft/config.ts';
import type { Effect } from '../../src/core/pbft/effect.ts';
import { createEngine, type Engine, step } from '../../src/core/pbft/engine.ts';
import type { Input } from '../../src/core/pbft/input.ts';
import { verifyVoteCertificate } from '../../src/core/pbft/verify.ts';
import type { Block, Certificate, ValidatorSet } from '../../src/core/types/chain.ts';
import { CHAIN_ID, genesisHeader, type MadeBlock, type Parent } from '../support/toy-ledger.ts';
import { ScenarioKeys } from './keys.ts';
import { CLOCK_DRIFT_MS, makeBlock, suite, transactionName } from './ledger.ts';
import type { Surroundings } from './surroundings.ts';
import { ScenarioTimers } from './timers.ts';

interface Stored {
  readonly made: MadeBlock;
  readonly certificate: Certificate | null;
  readonly reign: Reign;
}

const WRITES = ['persist', 'trim'] as const;
type Write = Extract<Effect, { type: (typeof WRITES)[number] }>;

/** A node of a transcript: the real engine, and a shell whose disk, clock and network the transcript moves by hand. */
export class ScenarioNode {
  engine: Engine | null = null;
  /** What is durable: the log and the chain. */
  log: Uint8Array[] = [];
  chain: Stored[];
  /** The node's disk takes nothing until `flush`. */
  diskHeld = false;
  /** Executions give no answer until `execute`. */
  executionHeld = false;
  /** The shell answers requests for a block at `build` only. */
  buildHeld = false;
  /** Execution gives another result than it should. */
  executesWrongly = false;
  clockSkewMs = 0;
  readonly timers = new ScenarioTimers();
  readonly keys: ScenarioKeys;
  private readonly pool = new Set<string>();
  private readonly overlays = new Map<BlockHash, MadeBlock>();
  private readonly writes: Write[] = [];
  private readonly executions: Extract<Effect, { type: 'execute' }>[] = [];
  private readonly builds: Extract<Effect, { type: 'build' }>[] = [];

  constructor(
    readonly name: string,
    genesis: ValidatorSet,
    private readonly around: Surroundings,
  ) {
    this.keys = new ScenarioKeys(name);
    const header = genesisHeader(genesis);
    const hash = headerHash(suite.sha256, header);
    const reign: Reign = { chainId: CHAIN_ID, set: genesis, startHeight: 0, startHash: hash };
    const block: Block = { header, entries: [] };
    around.printer.name(block, '0');
    this.chain = [{ made: { block, hash, nextSet: null }, certificate: null, reign }];
  }

  get head(): Stored {
    return assertDefined(this.chain.at(-1), 'genesis is there');
  }

  get height(): number {
    return this.head.made.block.header.height;
  }

  /** Log, blocks and keys are gone: it observes until a set knows it by another key. */
  wipe(): void {
    this.log = [];
    this.chain = this.chain.slice(0, 1);
    this.keys.lose();
  }

  start(): void {
    const { made, certificate, reign } = this.head;
    const start = { header: made.block.header, blockHash: made.hash, certificate, reign };
    const engine = createEngine(
      { suite, chainId: CHAIN_ID, findSeat: set => this.keys.findSeat(set) },
      { ...start, parameters: this.around.parameters },
      this.log,
    );
    if (isReject(engine)) {
      this.around.say(this.name, `refuses to start: ${engine.detail}`, 'result');
      return;
    }
    this.engine = engine;
    this.give({ type: 'start' });
  }

  /** What was not flushed is lost; of the write under way the first `torn` records stay. */
  crash(torn: number): void {
    const under = this.writes[0];
    if (under?.type === 'persist') this.log.push(...under.records.slice(0, torn));
    this.engine = null;
    this.writes.length = 0;
    this.executions.length = 0;
    this.builds.length = 0;
    this.overlays.clear();
    this.pool.clear();
    this.timers.clear();
    this.diskHeld = false;
    this.buildHeld = false;
  }

  give(input: Input): void {
    const { engine } = this;
    if (engine === null) return;
    const before = `${engine.view}${engine.active}`;
    let effects: Effect[];
    try {
      effects = step(engine, input);
    } catch (error) {
      this.around.say(this.name, `stops: ${(error as Error).message}`, 'result');
      this.engine = null;
      return;
    }
    if (before !== `${engine.view}${engine.active}`)
      this.around.say(this.name, `${engine.active ? 'enters' : 'asks for'} view ${engine.view}`, 'result');
    for (const effect of effects) this.perform(effect);
  }

  submit(name: string): void {
    this.pool.add(name);
    this.give({ type: 'pending', waiting: true });
  }

  flush(): void {
    this.diskHeld = false;
    for (let next = this.writes.shift(); next !== undefined; next = this.writes.shift()) this.write(next);
  }

  execute(): void {
    this.executionHeld = false;
    for (const effect of this.executions.splice(0)) this.runExecution(effect);
  }

  answerBuilds(): void {
    for (const effect of this.builds.splice(0)) this.build(effect);
  }

  private write(effect: Write): void {
    if (effect.type === 'trim') {
      this.log = [...effect.records];
      return;
    }
    this.log.push(...effect.records);
    for (const then of effect.then) this.perform(then);
    this.around.soon(() => this.give({ type: 'persisted', ticket: effect.ticket }));
  }

  private perform(effect: Effect): void {
    const { around } = this;
    const { printer } = around;
    switch (effect.type) {
      case 'persist':
        if (effect.records.length > 0)
          around.say(
            this.name,
            `${this.diskHeld ? 'is writing' : 'writes'} ${printer.records(effect.records)}`,
            'detail',
          );
        this.writes.push(effect);
        if (!this.diskHeld) this.flush();
        return;
      case 'trim':
        around.say(this.name, `trims its log to ${printer.records(effect.records)}`, 'result');
        this.writes.push(effect);
        if (!this.diskHeld) this.flush();
        return;
      case 'send':
        around.send(this, effect.to === 'all' ? 'all' : effect.to.peerId, effect.message);
        return;
      case 'setTimer':
        this.timers.set(effect.name, effect);
        return;
      case 'cancelTimer':
        this.timers.stop(effect.name);
        return;
      case 'build':
        if (this.buildHeld) this.holdBuild(effect);
        else around.soon(() => this.build(effect));
        return;
      case 'execute':
        if (this.executionHeld) this.executions.push(effect);
        else around.soon(() => this.runExecution(effect));
        return;
      case 'commit':
        around.soon(() => this.commit(effect));
        return;
      default:
        this.tell(effect);
    }
  }

  private holdBuild(effect: Extract<Effect, { type: 'build' }>): void {
    this.builds.push(effect);
    const parent = this.around.printer.label(effect.parentHash);
    this.around.say(this.name, `is asked for block ${effect.height} on ${parent}`, 'result');
  }

  private tell(
    effect: Exclude<
      Effect,
      Write | { type: 'send' | 'setTimer' | 'cancelTimer' | 'build' | 'execute' | 'commit' }
    >,
  ): void {
    const { around } = this;
    const { printer } = around;
    switch (effect.type) {
      case 'discard':
        for (const hash of effect.blockHashes) this.overlays.delete(hash);
        around.say(
          this.name,
          `drops ${effect.blockHashes.map(hash => printer.label(hash)).join(' ')}`,
          'result',
        );
        return;
      case 'returnToPool': {
        const back = effect.blocks.flatMap(({ entries }) => entries.map(({ id }) => transactionName(id)));
        around.say(this.name, `takes back ${back.join(' ')}`, 'result');
        for (const each of back) if (!this.isExecuted(each)) around.soon(() => this.submit(each));
        return;
      }
      case 'sync':
        if (effect.head !== null)
          around.say(this.name, `asks for blocks up to ${effect.head.header.height}`, 'result');
        return;
      case 'fetchBlock':
        around.say(this.name, `asks for block ${printer.label(effect.blockHash)}`, 'result');
        return;
      case 'evidence': {
        const [first, second] = [effect.first, effect.second].map(message => printer.message(message));
        around.say(
          this.name,
          `has evidence against #${effect.first.signer}: ${first} and ${second}`,
          'result',
        );
        return;
      }
      case 'halt':
        around.say(this.name, `HALTS at height ${effect.height}: ${effect.reason}`, 'result');
        return;
      case 'fetchNewView':
        around.say(this.name, `asks for the NEW-VIEW of a view above ${effect.view}`, 'result');
        return;
      case 'archive':
        around.say(this.name, `archives ${printer.message(effect.newView)}`, 'detail');
        return;
      default:
        assertNever(effect);
    }
  }

  private parent(hash: BlockHash): Parent | null {
    const { made } = this.head;
    const found = hash === made.hash ? made : this.overlays.get(hash);
    return found === undefined ? null : { header: found.block.header, hash };
  }

  /** Names in the chain and in the blocks that `hash` stands on. */
  private executedBelow(hash: BlockHash): Set<string> {
    const blocks = this.chain.map(({ made }) => made.block);
    for (
      let at = this.overlays.get(hash);
      at !== undefined;
      at = this.overlays.get(at.block.header.parentHash)
    )
      blocks.push(at.block);
    return new Set(blocks.flatMap(({ entries }) => entries.map(({ id }) => transactionName(id))));
  }

  isExecuted(name: string): boolean {
    return this.executedBelow(this.head.made.hash).has(name);
  }

  private build({ buildId, parentHash }: Extract<Effect, { type: 'build' }>): void {
    const parent = this.parent(parentHash);
    const executed = this.executedBelow(parentHash);
    const [next] = [...this.pool].filter(name => !executed.has(name) && !name.startsWith('bad'));
    if (parent === null || next === undefined) {
      this.give({ type: 'buildEmpty', buildId });
      return;
    }
    const { set, startHeight } = this.head.reign;
    const localMs = this.around.nowMs + this.clockSkewMs;
    const made = makeBlock(parent, set, startHeight, [next], Math.max(localMs, parent.header.timeMs + 1));
    this.around.printer.name(made.block);
    this.overlays.set(made.hash, made);
    this.give({ type: 'built', buildId, block: made.block, nextSet: made.nextSet });
  }

  private verdict(block: Block, blockHash: BlockHash, checkClock: boolean): MadeBlock | Reject {
    const { header, entries } = block;
    const parent = this.parent(header.parentHash);
    if (parent === null) return reject('unknown_parent', 'the parent is not here', 'ignore');
    const names = entries.map(({ id }: { id: TransactionId }) => transactionName(id));
    const executed = this.executedBelow(header.parentHash);
    const again = names.find(name => executed.has(name));
    if (again !== undefined) return reject('duplicate', `${again} was executed before`);
    const bad = names.find(name => name.startsWith('bad'));
    if (bad !== undefined) return reject('invalid', `${bad} is no valid transaction`);
    const latestMs = this.around.nowMs + this.clockSkewMs + CLOCK_DRIFT_MS;
    if (checkClock && header.timeMs > latestMs)
      return reject('time_ahead', `it is ${header.timeMs - latestMs} ms too early`, 'ignore');
    const { set, startHeight } = this.head.reign;
    const made = makeBlock(parent, set, startHeight, names, header.timeMs);
    if (made.hash !== blockHash || this.executesWrongly)
      return reject('wrong_result', 'execution gives another result');
    return made;
  }

  private runExecution({
    executionId,
    block,
    blockHash,
    checkClock,
  }: Extract<Effect, { type: 'execute' }>): void {
    const made = this.verdict(block, blockHash, checkClock);
    if (isReject(made)) {
      this.around.say(this.name, `rejects ${this.around.printer.name(block)}: ${made.detail}`, 'result');
      this.give({ type: 'executed', executionId, verdict: made, nextSet: null });
      return;
    }
    this.overlays.set(blockHash, made);
    this.give({ type: 'executed', executionId, verdict: null, nextSet: made.nextSet });
  }

  private append(made: MadeBlock, certificate: Certificate): void {
    const { height } = made.block.header;
    const { reign } = this.head;
    assert(
      verifyVoteCertificate(suite, reign, 'commit', certificate),
      'a block is committed with its certificate',
    );
    const next: Reign | null =
      made.nextSet === null
        ? null
        : { chainId: CHAIN_ID, set: made.nextSet, startHeight: height, startHash: made.hash };
    this.chain.push({ made, certificate, reign: next ?? reign });
    for (const { id } of made.block.entries) this.pool.delete(transactionName(id));
    this.overlays.delete(made.hash);
  }

  private commit({ block, blockHash, certificate }: Extract<Effect, { type: 'commit' }>): void {
    const { height } = block.header;
    const { printer, parameters } = this.around;
    if (height > this.height) {
      const made = assertDefined(this.overlays.get(blockHash), 'a committed block was executed');
      this.append(made, certificate);
      const signers = this.around.brief ? '' : ` by COMMITs of ${printer.signers(certificate)}`;
      this.around.say(this.name, `commits ${printer.name(block)}${signers}`, 'result');
    }
    this.give({ type: 'committed', height, parameters });
    this.give({ type: 'pending', waiting: this.pool.size > 0 });
  }

  /** State transfer by snapshot: the head with what it certifies, and no block below. */
  snapshot(source: ScenarioNode): void {
    this.chain = source.chain.slice();
    this.around.say(this.name, `has the state of ${this.height}`, 'result');
    this.synced();
  }

  /** State transfer: certified blocks of another node, each verified and executed again. */
  transfer(source: ScenarioNode, toHeight: number): void {
    const before = this.height;
    for (const { made, certificate } of source.chain.slice(before + 1, toHeight + 1)) {
      const { reign } = this.head;
      const fits =
        certificate?.blockHash === made.hash && verifyVoteCertificate(suite, reign, 'commit', certificate);
      const parent = this.parent(made.block.header.parentHash);
      if (!fits || parent === null) {
        this.around.say(
          this.name,
          `refuses ${this.around.printer.name(made.block)}: it is not certified`,
          'result',
        );
        break;
      }
      const names = made.block.entries.map(({ id }) => transactionName(id));
      const again = makeBlock(parent, reign.set, reign.startHeight, names, made.block.header.timeMs);
      assert(again.hash === made.hash, 'a certified block executes to its header');
      this.append(again, certificate);
    }
    this.around.say(this.name, `has blocks up to ${this.height}`, 'result');
    this.synced(this.chain[toHeight]);
  }

  /** @param stored up to which was transferred; the node may have more by now */
  private synced(stored = this.head): void {
    const { made, certificate, reign } = stored;
    const head = { header: made.block.header, blockHash: made.hash, certificate, reign };
    this.give({ type: 'synced', head: { ...head, parameters: this.around.parameters } });
    this.give({ type: 'pending', waiting: this.pool.size > 0 });
  }
}
