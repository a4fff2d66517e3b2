import type { Suite } from '../core/base/ids.ts';
import { isReject, reject } from '../core/base/reject.ts';
import { STATE_KEYS } from '../core/codec/state.ts';
import { logIdOf } from '../core/codec/transaction.ts';
import { checkGenesis, genesisBlock } from '../core/ledger/genesis.ts';
import type { Genesis } from '../core/types/state.ts';
import { nodeSuite, verifyAside } from '../crypto/suite.ts';
import type { ChainStore } from '../ports/chain-store.ts';
import type { Clock } from '../ports/clock.ts';
import type { KeyValueStore } from '../ports/kv.ts';
import { OperatingError, type Service } from '../ports/lifecycle.ts';
import type { Logger } from '../ports/logger.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { ConsensusKeys, FirstStart } from '../ports/signing-state.ts';
import type { PeerId, Transport } from '../ports/transport.ts';
import type { ViewArchive } from '../ports/view-archive.ts';
import type { WriteAheadLog } from '../ports/wal.ts';
import { ChainReader } from '../services/consensus/chain-reader.ts';
import type { Committed } from '../services/consensus/committer.ts';
import { Consensus } from '../services/consensus/consensus.ts';
import type { ConsensusLimits } from '../services/consensus/limits.ts';
import { SigningLog } from '../services/consensus/signing-log.ts';
import { LightServer } from '../services/light-server/light-server.ts';
import { POOL_LIMITS, type PoolLimits } from '../services/pool/limits.ts';
import { Pool } from '../services/pool/pool.ts';
import { rememberingSuite } from '../services/pool/verified.ts';
import type { SyncLimits } from '../services/sync/limits.ts';
import { Pruner } from '../services/sync/pruner.ts';
import { Repairer } from '../services/sync/repairer.ts';
import { Sync } from '../services/sync/sync.ts';
import { FileWal } from '../store/file-wal.ts';
import { FileFirstStart } from '../store/first-start.ts';
import { KvServedSnapshots } from '../store/kv-served-snapshots.ts';
import { KvSigningRecords } from '../store/kv-signing-records.ts';
import { KvViewArchive } from '../store/kv-view-archive.ts';
import { LevelStore } from '../store/level-store.ts';
import { MendingChainStore } from '../store/mending-chain-store.ts';
import { createLibp2pTransport } from '../transport/libp2p-transport.ts';
import { keepBlocksFault, replayWindowOf, versionFault } from './chain-checks.ts';
import { ConsensusLinks, type ValidatorAddresses } from './consensus-links.ts';
import { sequence } from './node-role.ts';
import { isDamage, StateRebuild } from './state-rebuild.ts';

/** Of the state's database. With LevelDB's own write buffer of 4 MiB a record was written to the disk 13 times over, so 5 times. */
const WRITE_BUFFER_BYTES = 16 * 1024 * 1024;
const CACHE_BYTES = 32 * 1024 * 1024;

/** Judged by the state of an earlier height, a transaction would be refused for good. */
const REBUILDING = reject('unavailable', 'this node builds its state anew', 'ignore');

/** The adapters of a node; tests bring memory ones. */
export interface ConsensusParts {
  readonly kv: KeyValueStore;
  readonly wal: WriteAheadLog;
  readonly transport: Transport;
  readonly firstStart: FirstStart;
  /** P-256 on node:crypto when it is left out; a simulation brings signatures that cost nothing. */
  readonly suite?: Suite;
}

export interface ConsensusNodeOptions {
  readonly name: string;
  readonly genesis: Genesis;
  /** The consensus keys: votes and nothing else. */
  readonly keys: ConsensusKeys;
  /** Where the validators listen; this node's own entry is left out by itself. */
  readonly validators: readonly ValidatorAddresses[];
  readonly logger: Logger;
  readonly clock: Clock;
  /** Called once when voting has stopped for good: the process must end (SCENARIOS 12, 67). */
  onFatal(error: unknown): void;
  readonly metrics?: Metrics;
  /** Blocks below the head that keep their transactions; all do when this is left out. */
  readonly keepBlocks?: number;
  readonly limits?: {
    readonly pool?: Partial<PoolLimits>;
    readonly sync?: Partial<SyncLimits>;
    readonly consensus?: Partial<ConsensusLimits>;
    readonly keepMarginBlocks?: number;
  };
}

export interface ConsensusNodeConfig extends ConsensusNodeOptions {
  /** Directory of the database. */
  readonly statePath: string;
  /** File of the consensus log. */
  readonly walPath: string;
  /** File that is there until the consensus key may sign for the first time. */
  readonly firstStartPath: string;
  /** Ed25519 seed, 32 bytes. */
  readonly transportSeed: Uint8Array;
  /** Multiaddrs. */
  readonly listen: readonly string[];
}

/**
 * A consensus node. Nothing happens before `start`, which opens the stores, applies or checks genesis, listens, and resumes
 * consensus where its log ends. A failed start leaves nothing open.
 */
export class ConsensusNode implements Service {
  readonly chain: ChainReader;
  readonly store: ChainStore;
  readonly pool: Pool;
  readonly sync: Sync;
  readonly consensus: Consensus;
  readonly transport: Transport;
  /** The NEW-VIEWs that this node has entered, for whoever investigates (SCENARIOS 36). */
  readonly views: ViewArchive;
  private readonly light: LightServer;
  private readonly served: KvServedSnapshots;
  private readonly pruner: Pruner;
  readonly repairer: Repairer;
  readonly signing: SigningLog;
  readonly rebuild: StateRebuild;
  private running: Service | null = null;
  /** Validators that were linked at the last change of the system. */
  private told: ReadonlySet<PeerId> = new Set();
  private registered = false;
  private readonly links: ConsensusLinks;

  constructor(
    readonly options: ConsensusNodeOptions,
    private readonly parts: ConsensusParts,
  ) {
    const { clock, logger, limits, keys } = options;
    const onFatal = (error: unknown) => this.fatal(error);
    const metrics = pick('metrics', options.metrics);
    const { kv, wal, transport, firstStart } = parts;
    this.transport = transport;
    const suite = parts.suite ?? rememberingSuite(nodeSuite, POOL_LIMITS.verifiedSignaturesMax);
    const replayWindowBlocks = () => replayWindowOf(store, options.genesis);
    const store: MendingChainStore = new MendingChainStore(kv, { replayWindowBlocks }, damage =>
      this.repairer.noticed(damage),
    );
    this.store = store;
    const chain = new ChainReader(store, suite, transport, parts.suite === undefined ? verifyAside : null);
    const links = new ConsensusLinks(chain, transport, clock, options.validators, {
      votes: () => this.signing.seatIn(chain.validatorSet()) !== null,
      rebuilding: () => this.rebuild.validators,
    });
    this.links = links;
    this.chain = chain;
    const pool = new Pool({
      chain,
      suite,
      transport,
      clock,
      logger,
      ...metrics,
      ...pick('limits', limits?.pool),
    });
    this.pool = pool;
    const records = new KvSigningRecords(kv);
    const signing = new SigningLog({ wal, records, firstStart, keys, peerId: transport.peerId });
    this.signing = signing;
    this.views = new KvViewArchive(kv);
    this.consensus = new Consensus({
      chain,
      signing,
      views: this.views,
      pool,
      transport,
      clock,
      logger,
      onFatal,
      ...metrics,
      ...pick('limits', limits?.consensus),
    });
    this.rebuild = new StateRebuild({
      kv,
      logger,
      generation: () => store.generation,
      hasPeers: () => links.vouched.length > 0 || chain.validatorPeers().length > 0,
      done: () => {
        links.follow();
        return this.consensus.start();
      },
      fail: error => this.consensus.transfer.fail(error),
    });
    const { keepBlocks = Number.POSITIVE_INFINITY } = options;
    const served = new KvServedSnapshots(kv, store, suite.sha256, onFatal);
    this.served = served;
    this.sync = new Sync({
      store,
      served,
      suite,
      target: this.consensus.transfer,
      transport,
      clock,
      logger,
      snapshotBehindBlocks: keepBlocks,
      vouched: () => links.vouched,
      // two that build their states anew may each have what the other lacks
      serves: peer => this.rebuild.validators?.some(({ peerId }) => peerId === peer) ?? false,
      refused: peer => links.refused(peer),
      ownBlock: height => this.rebuild.ownBlock(height),
      ...pick('limits', limits?.sync),
    });
    this.repairer = new Repairer({
      store,
      suite,
      genesisSet: { id: 0, validators: options.genesis.validators },
      logger,
      peers: () => this.sync.usablePeers(),
      ask: (peer, request) => this.sync.ask(peer, request),
      bodies: (entries, peers) => pool.fetch(entries, peers),
      penalise: (peer, fault) => this.sync.penalise(peer, fault),
      fail: onFatal,
    });
    const systemLog = () => logIdOf(suite.sha256, chain.chainId(), 'system', chain.chainId());
    this.pruner = new Pruner({ store, served, keepBlocks, systemLog, fail: onFatal });
    this.light = new LightServer({
      store,
      suite,
      transport,
      clock,
      logger,
      submit: signed => this.submit(signed),
      isPending: id => pool.get(id) !== null,
      vouch: bytes => {
        const seat = this.isBehind() ? null : signing.seatIn(chain.validatorSet());
        return seat === null ? null : { signer: seat.index, signature: seat.sign(bytes) };
      },
    });
  }

  async start(): Promise<void> {
    this.register();
    const { kv } = this.parts;
    const { transport, consensus, pool, sync, light, signing, chain, served, pruner, rebuild } = this;
    const steps: Service[] = [
      starting(() => rebuild.begin()),
      starting(() => this.applyGenesis()),
      { start: () => served.open(), stop: () => served.idle() },
      ending(() => pruner.stop()),
      ending(() => this.repairer.idle()),
      // votes up to the height that the state had need no log, as if it were whole
      {
        start: () => signing.open(Math.max(chain.headHeight(), rebuild.target ?? 0)),
        stop: () => signing.close(),
      },
      starting(() => this.checkChain()),
      { start: () => transport.start(), stop: () => transport.stop() },
      ending(async () => pool.stop()),
      { start: () => this.startConsensus(), stop: () => consensus.stop() },
      ending(() => rebuild.idle()),
      ending(async () => light.stop()),
      { start: async () => this.links.connect(), stop: () => sync.stop() },
    ];
    const running = sequence([
      { start: () => kv.open(), stop: () => kv.close() },
      ...steps.map(step => ({ start: () => this.noting(step), stop: () => step.stop() })),
    ]);
    await running.start();
    this.running = running;
  }

  /** What `Pool.submit` does, by a state that is whole. */
  async submit(signed: Uint8Array): ReturnType<Pool['submit']> {
    return this.rebuild.target === null ? this.pool.submit(signed) : REBUILDING;
  }

  /** What its state says is known to be old: who vouches for it would help whoever shows an old head as the newest (SCENARIOS 76). */
  private isBehind(): boolean {
    return this.rebuild.target !== null || (this.sync.targetHeight ?? 0) > this.chain.headHeight();
  }

  /** A start that meets damage leaves a mark for the next one. */
  private async noting(step: Service): Promise<void> {
    try {
      await step.start();
    } catch (error) {
      throw await this.rebuild.noted(error);
    }
  }

  private fatal(error: unknown): void {
    const { onFatal } = this.options;
    if (isDamage(error)) void this.rebuild.noted(error).then(onFatal);
    else onFatal(error);
  }

  /** A node whose state is not whole takes no part: the engine starts when the state has its height again [68]. */
  private async startConsensus(): Promise<void> {
    const { target } = this.rebuild;
    if (target === null) return this.consensus.start();
    this.rebuild.onCommitted(this.chain.headHeight());
    this.sync.catchUp(target);
  }

  async stop(): Promise<void> {
    const { running } = this;
    this.running = null;
    this.links.stop();
    await running?.stop();
  }

  private register(): void {
    if (this.registered) return;
    this.registered = true;
    this.pool.register();
    this.sync.register();
    this.consensus.register(this.sync);
    this.light.register();
    this.consensus.onCommitted(committed => {
      const { height } = committed.stored.block.header;
      // first: a snapshot is of the state before anything else is written
      this.sync.onCommitted(height);
      this.pruner.onCommitted(height);
      this.light.onCommitted(committed.diff);
      this.followMembership(committed);
      this.rebuild.onCommitted(height);
      const fault = versionFault(this.chain);
      if (fault !== null) this.fatal(fault);
    });
    this.links.register();
  }

  private followMembership({ diff }: Committed): void {
    const changed = diff.state.has(STATE_KEYS.system);
    this.links.committed(changed);
    if (!changed) return;
    void this.settleKeys();
    this.tellNewcomers();
  }

  /** Who was linked before it became a validator is told what waits, as is who connects. */
  private tellNewcomers(): void {
    const peers = this.chain.connectedValidators();
    const waiting = this.pool.pending(() => true, POOL_LIMITS.transactionsMax);
    for (const peer of peers) if (!this.told.has(peer)) this.pool.announce(peer, waiting);
    this.told = new Set(peers);
  }

  private async checkChain(): Promise<void> {
    const { keepBlocks, limits } = this.options;
    const fault =
      versionFault(this.chain) ?? keepBlocksFault(this.chain, keepBlocks, limits?.keepMarginBlocks);
    if (fault !== null) throw fault;
    await this.settleKeys();
  }

  /** The key before is erased once the reign that it served is over; a crash before that does it at the next start [58]. */
  private async settleKeys(): Promise<void> {
    const { chain, signing } = this;
    const { logger } = this.options;
    try {
      const { id } = chain.validatorSet();
      const isNew = await signing.settle(chain.validatorSet());
      if (isNew) logger.info({ validatorSetId: id }, 'votes with the new consensus key; erased the old one');
    } catch (error) {
      this.fatal(error);
    }
  }

  private async applyGenesis(): Promise<void> {
    const { genesis } = this.options;
    const fault = checkGenesis(genesis);
    if (isReject(fault)) {
      throw new OperatingError('bad_genesis', `the genesis file is not valid: ${fault.detail}`);
    }
    const { block, hash, diff } = genesisBlock(this.chain.suite, genesis);
    const first = this.store.block(0);
    if (first === null) await this.store.commit({ block, hash, certificate: null }, diff, []);
    else if (first.hash !== hash) {
      throw new OperatingError(
        'wrong_genesis',
        'the database belongs to another chain than the genesis file',
        'Use the genesis file that the data directory was made with, or another data directory.',
      );
    }
  }
}

const starting = (start: () => Promise<void>): Service => ({ start, stop: async () => {} });
const ending = (stop: () => Promise<void>): Service => ({ start: async () => {}, stop });

/** An optional field is either there or left out. */
function pick<Name extends string, T>(name: Name, value: T | undefined): { [Key in Name]?: T } {
  return value === undefined ? {} : ({ [name]: value } as { [Key in Name]?: T });
}

/** A node on disk and libp2p. */
export async function createConsensusNode(config: ConsensusNodeConfig): Promise<ConsensusNode> {
  const { statePath, walPath, firstStartPath, transportSeed, listen, logger, clock } = config;
  const transport = await createLibp2pTransport({ privateKeySeed: transportSeed, listen, logger, clock });
  return new ConsensusNode(config, {
    kv: new LevelStore(statePath, CACHE_BYTES, WRITE_BUFFER_BYTES),
    wal: new FileWal(walPath),
    transport,
    firstStart: new FileFirstStart(firstStartPath),
  });
}
