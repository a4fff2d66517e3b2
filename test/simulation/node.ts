import type { Engine } from '../../src/core/pbft/engine.ts';
import type { Genesis } from '../../src/core/types/state.ts';
import type { KvOperation } from '../../src/ports/kv.ts';
import { OperatingError } from '../../src/ports/lifecycle.ts';
import { silentLogger } from '../../src/ports/logger.ts';
import type { WalContent } from '../../src/ports/wal.ts';
import { ConsensusNode } from '../../src/roles/consensus-node.ts';
import { FileWal } from '../../src/store/file-wal.ts';
import type { Checker, Watched } from './checker.ts';
import type { PoolParts } from './checker-bounds.ts';
import type { Consortium, Identity } from './consortium.ts';
import { DiskFault, LOG } from './disk.ts';
import { SimulatedKeys } from './keys.ts';
import { Machine, type World } from './machine.ts';
import type { SimulatedNetwork } from './network.ts';
import { simulatedSuite } from './suite.ts';
import { type Onlooker, watchEngine } from './transitions.ts';
import { type Disguise, SimulatedTransport } from './transport.ts';

/** What a node is run with. */
export interface NodeOptions {
  readonly identity: Identity;
  readonly place: number;
  /** Shown in traces; a twin shares its identity with another node. */
  readonly label: string;
  readonly disguise: Disguise | null;
  readonly isHonest: boolean;
  readonly eventMs: number;
  readonly flushMs: readonly [number, number];
  /** Null for a node that keeps all blocks. */
  readonly keepBlocks: number | null;
}

/** Failures that a node meets as it should: it stops, says why, and can be started again. */
const EXPECTED = new Set([
  ...['wal_failed', 'write_failed', 'corrupt', 'wal_corrupt', 'signing_state_lost'],
  'signing_records_damaged',
]);

/** By how many more an operator lets a node keep when it asks for it. */
const KEEP_MORE_BLOCKS = 50;

/** A state is to be built anew. */
const isHeadGone = ({ type, key }: KvOperation) => type === 'delete' && key === 'meta/head';

/** The log; says what it held when it was opened. */
class WatchedWal extends FileWal {
  onOpen: (content: WalContent | null) => void = () => {};

  override async open(): Promise<WalContent | null> {
    const content = await super.open();
    this.onOpen(content);
    return content;
  }
}

/** One consensus node: the whole real program on a simulated machine. */
export class SimulatedNode implements Watched {
  readonly machine: Machine;
  readonly keys: SimulatedKeys;
  program: ConsensusNode | null = null;
  /** Started and running; false while it opens its stores. */
  isReady = false;
  /** Stays down: its operator gave it up. */
  isRetired = false;
  private transport: SimulatedTransport | null = null;
  private backup: ReturnType<Machine['disk']['backup']> | null = null;
  private evidenceSeen = 0;
  /** Null for a node that keeps all blocks; its operator lets it keep more when it must. */
  private keepBlocks: number | null;
  /** Of its engine. */
  private readonly onlooker: Onlooker;
  private lastPlace: { readonly set: number; readonly view: number; readonly active: boolean } | null = null;

  constructor(
    readonly options: NodeOptions,
    private readonly world: World,
    private readonly consortium: Consortium,
    private readonly network: SimulatedNetwork,
    private readonly checker: Checker,
    private readonly peers: readonly Identity[],
    private readonly isHonestName: (name: string) => boolean,
  ) {
    const { label: name, place, identity, eventMs, flushMs, keepBlocks } = options;
    this.keepBlocks = keepBlocks;
    this.keys = new SimulatedKeys(identity.name, identity.signer);
    const { steps } = checker;
    this.onlooker = {
      given: (engine, input) => this.guarded(() => steps.given(this, engine, input)),
      asks: (engine, effect) => this.guarded(() => steps.asks(this, engine, effect)),
      rests: engine => this.guarded(() => steps.rests(this, engine)),
    };
    const machine = { name, place, eventMs, flushMs };
    this.machine = new Machine(
      world,
      machine,
      {
        crashed: error => this.fatal(error),
        powerLost: () => this.crash(true),
        done: () => this.look(),
        logDurable: bytes => this.guarded(() => checker.logDurable(this, bytes)),
        namesDurable: () => this.guarded(() => checker.namesDurable(this)),
        batchDurable: operations => {
          if (this.machine.disk.faults > 0 && operations.some(isHeadGone)) this.rebuilds();
          this.guarded(() => checker.batchDurable(this, operations));
        },
      },
      consortium.image,
    );
  }

  get name(): string {
    return this.options.label;
  }

  get isHonest(): boolean {
    return this.options.isHonest;
  }

  get timeMs(): number {
    return this.world.schedule.nowMs;
  }

  get slowness(): number {
    return this.machine.slowness;
  }

  get isArchive(): boolean {
    return this.options.keepBlocks === null;
  }

  get isUp(): boolean {
    return this.machine.isOn;
  }

  /** The engine of the running program, which keeps it to itself; the checker looks from outside. */
  get engine(): Engine | null {
    if (this.program === null || !this.isReady) return null;
    return (this.program.consensus as unknown as { readonly engine: Engine | null }).engine;
  }

  get height(): number {
    return this.program !== null && this.isReady ? this.program.chain.headHeight() : 0;
  }

  start(): void {
    if (this.machine.isOn || this.isRetired) return;
    const { machine, world } = this;
    machine.boot();
    const { identity, disguise } = this.options;
    const fatal = (error: unknown) => this.fatal(error);
    this.transport = new SimulatedTransport(this.network, machine, identity.peerId, disguise, fatal);
    const wal = new WatchedWal(LOG, machine.disk);
    const { genesis } = this.consortium;
    const program = new ConsensusNode(this.programOptions(genesis), {
      kv: machine.disk,
      wal,
      transport: this.transport,
      firstStart: this.keys.firstStart,
      suite: simulatedSuite,
    });
    wal.onOpen = content => this.reopened(program, content);
    this.program = program;
    if (disguise === null) watchEngine(program.consensus, world.coverage, this.onlooker);
    else disguise.begins?.();
    this.isReady = false;
    this.evidenceSeen = 0;
    this.lastPlace = null;
    world.trace.line(`${this.name} starts`);
    program.start().then(
      () => {
        if (this.program === program) this.isReady = true;
      },
      error => {
        if (this.program === program) this.fatal(error);
      },
    );
  }

  private programOptions(genesis: Genesis): ConstructorParameters<typeof ConsensusNode>[0] {
    const { keepBlocks } = this;
    const { identity } = this.options;
    return {
      name: identity.name,
      genesis,
      keys: this.keys,
      validators: this.peers.map(({ peerId }) => ({ peerId, addresses: [] })),
      logger: silentLogger,
      clock: this.machine.clock(),
      onFatal: error => this.fatal(error),
      ...(keepBlocks === null ? {} : { keepBlocks }),
      limits: {
        keepMarginBlocks: 20,
        consensus: { bodiesRetryMs: 100 },
        sync: {
          // so that who is far behind hears how far before it has everything
          blocksPerRequest: 16,
          retryMs: 200,
          penaltyMs: 2000,
          requestTimeoutMs: 2000,
          snapshotPeriodMs: keepBlocks === null ? 5000 : 1000,
        },
      },
    };
  }

  private rebuilds(): void {
    this.world.coverage.hit('transition: state built anew');
    this.checker.rebuilds(this);
  }

  /** What the disk gives back, before anything new is written. */
  private reopened(program: ConsensusNode, content: WalContent | null): void {
    const head = program.store.head();
    if (head === null) return;
    const { header } = head.block;
    const records = content?.records ?? null;
    this.world.trace.line(`${this.name} runs at ${header.height}, ${records?.length ?? 'no'} records`);
    this.guarded(() => this.checker.reopened(this, { header, hash: head.hash }, records));
  }

  stored(key: string): Uint8Array | null {
    return this.machine.disk.values.get(key) ?? null;
  }

  get chainId(): string {
    return this.consortium.chainId;
  }

  /** A call from outside threw. */
  failed(error: unknown): void {
    this.fatal(error);
  }

  /** Ends the program at once. @param losesPower with the machine, which loses what was not flushed */
  crash(losesPower: boolean): void {
    if (!this.machine.isOn) return;
    this.world.trace.line(`${this.name} ${losesPower ? 'loses power' : 'is killed'} at ${this.height}`);
    this.end();
    this.machine.halt(losesPower);
  }

  get hasBackup(): boolean {
    return this.backup !== null;
  }

  /** A copy of the database, as `phaseline backup` makes one. */
  backUp(): void {
    this.backup = this.machine.disk.backup();
  }

  /** Another disk is put in: with what a backup had, or empty. */
  loseDisk(): void {
    this.crash(true);
    const { disk } = this.machine;
    if (this.backup !== null) this.backup(false);
    else disk.wipe(this.consortium.image);
    this.checker.wiped(this);
    this.start();
  }

  private end(): void {
    this.program = null;
    this.isReady = false;
    this.transport?.leave();
    this.transport = null;
  }

  /** An orderly stop, as before an upgrade. */
  async stop(): Promise<void> {
    const { program } = this;
    if (program === null || !this.isReady) return;
    this.world.trace.line(`${this.name} is stopped at ${this.height}`);
    await program.stop();
    if (this.program === program) this.crash(false);
  }

  /** The program stops itself: as it should when the disk failed or it was shown a fork, and for no other reason. */
  private fatal(error: unknown): void {
    if (!this.machine.isOn) return;
    const code = error instanceof OperatingError ? error.code : (error as Error | null)?.name;
    const isDisk =
      error instanceof DiskFault || (error instanceof OperatingError && EXPECTED.has(error.code));
    const isFork = code === 'consensus_halted' && this.checker.chain.onFork !== null;
    const keepsTooFew = code === 'bad_config' && this.keepBlocks !== null;
    // What the error asks for; the replay window has grown.
    if (keepsTooFew) this.keepBlocks = (this.keepBlocks as number) + KEEP_MORE_BLOCKS;
    const isExpected = isFork || keepsTooFew || (isDisk && this.machine.disk.faults > 0);
    if (isExpected || !this.isHonest) {
      this.world.trace.line(`${this.name} stops: ${code}`);
      this.world.coverage.hit(`node stops: ${code}`);
      this.end();
      this.machine.halt(false);
      return;
    }
    this.world.broken(error instanceof Error ? error : new Error(String(error)));
  }

  /** The program must not take what the checker finds for a failure of its own. */
  private guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.world.broken(error);
    }
  }

  /** After every event of this machine. */
  private look(): void {
    const { engine, program } = this;
    if (engine === null || program === null) return;
    this.count(engine);
    if (!this.isHonest) return;
    this.guarded(() => {
      const pairs = program.consensus.evidence.list();
      this.checker.afterEvent(this, engine, program.pool as unknown as PoolParts, pairs.length);
      for (; this.evidenceSeen < pairs.length; this.evidenceSeen += 1) {
        const { first, second } = pairs[this.evidenceSeen] as (typeof pairs)[number];
        this.checker.evidence(first, second, this.isHonestName);
      }
    });
  }

  private count(engine: Engine): void {
    const { view, active, reign } = engine;
    const set = reign.set.id;
    const last = this.lastPlace;
    if (last !== null && last.set === set && last.view === view && last.active === active) return;
    if (last !== null) {
      if (last.set !== set) this.world.coverage.hit('transition: new validator set');
      else this.world.coverage.hit(active ? 'transition: view opened' : 'transition: view change started');
      this.world.trace.line(
        `${this.name} is in view ${view} of set ${reign.set.id}${active ? '' : ', waiting'}`,
      );
    }
    this.lastPlace = { set, view, active };
  }

  /** What one needs to see of a node that is stuck. */
  describe(): string {
    const { engine, program } = this;
    if (engine === null || program === null) return `${this.name} down`;
    const slots = [...engine.slots.values()].map(
      slot =>
        `${slot.height}:${slot.execution}${slot.proposed ? '+proposed' : ''}${slot.accepted ? '+accepted' : ''}` +
        `${slot.preparedHere ? '+prepared' : ''}${slot.decided ? '+decided' : ''} ${slot.prepares.size}/${slot.commits.size}`,
    );
    return (
      `${this.name} height ${this.height}/${engine.head.header.height} stable ${engine.stableHeight} ` +
      `set ${engine.reign.set.id} seat ${engine.seat?.index} view ${engine.view} ${engine.active ? 'active' : 'waiting'} ` +
      `pool ${program.pool.size} waiting ${engine.waiting}/${engine.buildable} build ${engine.build?.height} ` +
      `tickets ${engine.tickets.length} links ${this.transport?.links.size} slots [${slots.join(', ')}]`
    );
  }
}
