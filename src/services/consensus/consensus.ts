import { isReject, type Reject } from '../../core/base/reject.ts';
import { blockInFlight, createEngine, type Engine, step } from '../../core/pbft/engine.ts';
import type { Input } from '../../core/pbft/input.ts';
import type { Block, ValidatorSet } from '../../core/types/chain.ts';
import type { Clock } from '../../ports/clock.ts';
import { OperatingError } from '../../ports/lifecycle.ts';
import type { Logger } from '../../ports/logger.ts';
import { type Metrics, noMetrics } from '../../ports/metrics.ts';
import type { Transport } from '../../ports/transport.ts';
import type { ViewArchive } from '../../ports/view-archive.ts';
import type { Pool } from '../pool/pool.ts';
import type { Sync } from '../sync/sync.ts';
import { Builder } from './builder.ts';
import type { ChainReader } from './chain-reader.ts';
import { type Committed, Committer, type OnCommitted } from './committer.ts';
import { type EffectHandlers, type EffectOf, haltError, performEffect } from './effects.ts';
import { EvidenceBox } from './evidence.ts';
import { Executions } from './executions.ts';
import { Executor, type Overlay, wrapperOf } from './executor.ts';
import { CONSENSUS_LIMITS, type ConsensusLimits } from './limits.ts';
import { LostPeers } from './lost-peers.ts';
import { type ConsensusCounters, Meter } from './meter.ts';
import { ConsensusNetwork } from './network.ts';
import { Observer } from './observer.ts';
import type { SigningLog } from './signing-log.ts';
import { StateTransfer } from './state-transfer.ts';
import { type ConsensusStatus, consensusStatus, OBSERVER_HINT } from './status.ts';
import { Supervisor } from './supervisor.ts';
import { EngineTimers } from './timers.ts';
import { WalWriter } from './wal-writer.ts';

export interface ConsensusConfig {
  readonly chain: ChainReader;
  /** The log, opened and closed by who made it, and the right to sign with this node's consensus key. */
  readonly signing: SigningLog;
  readonly views: ViewArchive;
  readonly pool: Pool;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics?: Metrics;
  readonly limits?: Partial<ConsensusLimits>;
  /** Called once: voting has stopped for good, and the process must end (SCENARIOS 12, 67). */
  onFatal(error: unknown): void;
}

/**
 * Drives the PBFT engine: gives it one input at a time and performs its effects in order. The engine decides, this shell
 * does what it says; nothing here changes what is voted for.
 */
export class Consensus {
  readonly counters: ConsensusCounters;
  private readonly meter: Meter;
  private readonly limits: ConsensusLimits;
  private readonly executor: Executor;
  private readonly committer: Committer;
  private readonly executions: Executions;
  private readonly builder: Builder;
  private readonly network: ConsensusNetwork;
  private readonly writer: WalWriter;
  private readonly timers: EngineTimers;
  private readonly supervisor: Supervisor;
  private readonly lostPeers: LostPeers;
  private readonly observer: Observer;
  private readonly effects = this.handlers();
  private engine: Engine | null = null;
  private sync: Sync | null = null;
  private readonly inputs: Input[] = [];
  private stepping = false;
  private stopped = false;
  private pendingGiven = false;
  private complainedView = -1;
  private readonly abort = new AbortController();
  /** Proof against validators that signed two values. */
  readonly evidence: EvidenceBox;

  /** What synchronisation may do to this node. */
  readonly transfer: StateTransfer;

  constructor(private readonly config: ConsensusConfig) {
    const { chain, pool, clock, transport, logger, signing } = config;
    this.limits = { ...CONSENSUS_LIMITS, ...config.limits };
    const fail = (error: unknown) => this.fail(error);
    this.meter = new Meter(config.metrics ?? noMetrics, clock);
    this.counters = this.meter.counters;
    this.evidence = new EvidenceBox(logger, this.limits.evidenceMax, chain, pool);
    this.executor = new Executor(chain);
    this.committer = new Committer(chain, this.executor, certificate =>
      signing.inspect(certificate, chain.validatorSet()),
    );
    this.transfer = this.stateTransfer();
    this.executions = new Executions({
      chain,
      pool,
      clock,
      executor: this.executor,
      bodiesRetryMs: this.limits.bodiesRetryMs,
      executed: ({ executionId }, verdict, nextSet) => this.executed(executionId, verdict, nextSet),
      fail,
    });
    this.builder = new Builder({
      chain,
      pool,
      clock,
      executor: this.executor,
      batchTransactionsMin: this.limits.batchTransactionsMin,
      built: ({ buildId }, overlay) => void this.built(buildId, overlay),
      empty: ({ buildId }) => this.give({ type: 'buildEmpty', buildId }),
    });
    this.network = new ConsensusNetwork({
      chain,
      transport,
      logger,
      reign: () => (this.stopped ? null : (this.engine?.reign ?? null)),
      verified: message => {
        this.counters.messagesIn += 1;
        if (this.engine?.seat === null) this.observer.heard();
        this.give({ type: 'message', message });
      },
      otherSet: (validatorSetId, peerId) => this.give({ type: 'otherSet', validatorSetId, peerId }),
      connected: peerId => this.give({ type: 'connected', peerId }),
      block: hash => (this.engine === null ? null : blockInFlight(this.engine, hash)),
      newView: () => this.engine?.newView ?? null,
    });
    this.writer = new WalWriter(signing, effect => this.durable(effect), fail, this.meter);
    this.observer = new Observer(clock, this.limits.observerDelayMs, () => this.sync?.explore());
    this.timers = new EngineTimers(clock, (name, generation) =>
      this.give({ type: 'timer', name, generation }),
    );
    this.supervisor = new Supervisor({
      chain,
      pool,
      clock,
      reminderIdsMax: this.limits.reminderIdsMax,
      engine: () => this.engine,
      complain: reason => this.complain(reason),
    });
    this.lostPeers = new LostPeers({
      transport,
      clock,
      graceMs: this.limits.connectionGraceMs,
      startGraceMs: this.limits.startGraceMs,
      validators: () => (this.engine === null ? [] : chain.validatorPeers()),
      lost: peerIds => this.give({ type: 'unreachable', peerIds }),
    });
  }

  private stateTransfer(): StateTransfer {
    const { chain, signing } = this.config;
    return new StateTransfer({
      chain,
      committer: this.committer,
      signing,
      isStopped: () => this.stopped,
      synced: () => {
        this.give({ type: 'synced', head: chain.engineStart() });
        this.builder.reconsider();
      },
      fail: error => this.fail(error),
    });
  }

  /** Before the transport starts. */
  register(sync: Sync): void {
    this.sync = sync;
    this.network.register();
    this.lostPeers.register();
    this.config.pool.onEvents({ added: () => this.pending(), dismissed: () => {} });
    this.committer.onCommitted(committed => this.committed(committed));
  }

  /** After genesis was applied, the log opened and the transport started. Resumes where the log ends. */
  async start(): Promise<void> {
    const { chain, signing, logger } = this.config;
    const records = signing.take();
    const engine = this.restore(records);
    if (isReject(engine)) {
      throw new OperatingError(
        'bad_consensus_log',
        `the consensus log does not fit this chain: ${engine.detail}`,
        'Restore the data directory from a backup; a validator that lost its log needs a new consensus key.',
      );
    }
    this.engine = engine;
    logger.info(
      { height: chain.headHeight(), records: records.length, view: engine.view },
      'consensus starts',
    );
    const observes = signing.observes(chain.validatorSet());
    if (observes !== null) {
      logger.warn({ reason: observes, hint: OBSERVER_HINT }, 'this node observes and does not vote');
    }
    this.give({ type: 'start' });
    for (const peerId of chain.connectedValidators()) this.give({ type: 'connected', peerId });
    if (this.config.pool.size > 0) this.pending();
    this.supervisor.start();
    this.lostPeers.start();
  }

  private restore(records: readonly Uint8Array[]): Engine | Reject {
    const { chain, signing } = this.config;
    const { findSeat } = signing;
    return createEngine(
      { suite: chain.suite, chainId: chain.chainId(), findSeat },
      chain.engineStart(),
      records,
    );
  }

  async stop(): Promise<void> {
    this.end();
    await this.writer.idle();
    await this.committer.idle();
  }

  private end(): void {
    this.stopped = true;
    this.supervisor.stop();
    this.lostPeers.stop();
    this.observer.stop();
    this.timers.stop();
    this.builder.cancel();
    this.executions.stop();
    this.abort.abort();
  }

  /** Called after each committed block, in order; the returned function ends it. */
  onCommitted(listener: OnCommitted): () => void {
    return this.committer.onCommitted(listener);
  }

  status(): ConsensusStatus {
    const { chain, signing } = this.config;
    const set = chain.validatorSet();
    return consensusStatus(this.engine, set, this.executor.size, signing.observes(set));
  }

  private headHeight(): number {
    return this.config.chain.headHeight();
  }

  // Inputs.

  private give(input: Input): void {
    if (this.engine === null || this.stopped) return;
    this.inputs.push(input);
    if (this.stepping) return;
    this.stepping = true;
    try {
      for (let next = this.inputs.shift(); next !== undefined; next = this.inputs.shift()) {
        const view: number = this.engine.view;
        for (const effect of step(this.engine, next)) performEffect(effect, this.effects);
        if (this.engine.view !== view) this.viewChanged();
      }
    } catch (error) {
      this.fail(error);
    } finally {
      this.stepping = false;
    }
  }

  private viewChanged(): void {
    this.meter.viewChanged();
    const { view, primary } = this.status();
    this.config.logger.info({ view, primary, height: this.headHeight() }, 'view changed');
  }

  /** One input for all transactions that arrive in one turn of the event loop. */
  private pending(): void {
    if (this.pendingGiven) return;
    this.pendingGiven = true;
    this.give({ type: 'pending', waiting: true });
    this.builder.reconsider();
    this.config.clock.defer(() => {
      this.pendingGiven = false;
      this.builder.reconsider();
    });
  }

  private executed(executionId: number, verdict: Reject | null, nextSet: ValidatorSet | null): void {
    if (verdict !== null && !this.stopped) {
      this.config.logger.warn({ code: verdict.reject, detail: verdict.detail }, 'proposal refused');
    }
    this.give({ type: 'executed', executionId, verdict, nextSet });
  }

  private async built(buildId: number, { block, hash, entries, nextSet }: Overlay): Promise<void> {
    this.meter.began(hash, block.header.height);
    try {
      await this.config.chain.store.putAhead(entries.map(wrapperOf));
      this.give({ type: 'built', buildId, block, nextSet });
    } catch (error) {
      this.fail(error);
    }
  }

  /** Once a view: the complaint lasts until the view ends. */
  private complain(reason: string): void {
    if (!this.engine?.active || this.engine.seat === null || this.status().isPrimary) return;
    const { view } = this.engine;
    if (view === this.complainedView) return;
    this.complainedView = view;
    this.config.logger.warn({ view, reason }, 'complaint about the primary');
    this.give({ type: 'complain' });
  }

  private committed(committed: Committed): void {
    const { stored, ids } = committed;
    const { pool, chain } = this.config;
    const { height } = stored.block.header;
    this.meter.committed(committed);
    this.supervisor.committed(ids.length, new Set(ids.map(id => pool.get(id)?.transaction.body.sender)));
    pool.committed(height, ids);
    this.config.logger.debug({ height, transactions: ids.length, hash: stored.hash }, 'committed');
    if (chain.headHeight() !== height) return;
    // what comes in from now on is told of, in this turn too
    if (pool.size === 0) this.pendingGiven = false;
    this.give({ type: 'pending', waiting: pool.size > 0 });
  }

  private durable(effect: EffectOf<'persist'>): void {
    if (this.stopped) return;
    for (const then of effect.then) performEffect(then, this.effects);
    this.give({ type: 'persisted', ticket: effect.ticket });
  }

  private handlers(): EffectHandlers {
    return {
      log: effect => this.writer.add(effect),
      send: effect => {
        this.counters.messagesOut += 1;
        this.config.signing.leaves(effect.message);
        this.network.send(effect.to, effect.message);
      },
      timer: effect =>
        effect.type === 'setTimer' ? this.timers.set(effect) : this.timers.cancel(effect.name),
      build: effect => this.builder.request(effect),
      execute: effect => {
        this.meter.began(effect.blockHash, effect.block.header.height);
        this.executions.start(effect);
      },
      commit: effect => void this.commit(effect),
      discard: effect => {
        this.meter.gaveUp(effect.blockHashes);
        this.executions.discard(effect.blockHashes);
        this.executor.discard(effect.blockHashes);
      },
      returnToPool: effect => this.returnToPool(effect.blocks),
      sync: effect =>
        effect.head === null ? this.sync?.explore() : this.sync?.catchUp(effect.head.header.height),
      fetchBlock: effect => void this.fetchBlock(effect),
      fetchNewView: ({ view, peerIds }) => {
        const options = { timeoutMs: this.limits.newViewFetchTimeoutMs, signal: this.abort.signal };
        void this.network.fetchNewView(view, peerIds, options);
      },
      archive: ({ newView }) => void this.config.views.add(newView).catch(error => this.fail(error)),
      evidence: effect => this.keepEvidence(effect),
      halt: effect => this.fail(haltError(effect.height, effect.reason)),
    };
  }

  private async commit({ block, blockHash, certificate }: EffectOf<'commit'>): Promise<void> {
    try {
      // should it conflict with another, it is traced by the view that it came of (SCENARIOS 36)
      await this.config.views.settled();
      await this.committer.commit(block, blockHash, certificate);
    } catch (error) {
      return this.fail(error);
    }
    const { height } = block.header;
    this.give({ type: 'committed', height, parameters: this.config.chain.parameters() });
    this.builder.reconsider();
  }

  private returnToPool(blocks: readonly Block[]): void {
    this.config.pool.returned(blocks.flatMap(block => block.entries));
    if (this.config.pool.size > 0) this.give({ type: 'pending', waiting: true });
  }

  private async fetchBlock({ blockHash, height, peerIds }: EffectOf<'fetchBlock'>): Promise<void> {
    const options = { timeoutMs: this.limits.blockFetchTimeoutMs, signal: this.abort.signal };
    const block = await this.network.fetchBlock(blockHash, height, peerIds, options);
    if (block !== null) this.give({ type: 'fetched', block });
  }

  private keepEvidence({ first, second }: EffectOf<'evidence'>): void {
    this.counters.evidence += 1;
    const validator = this.engine?.reign.set.validators[first.signer]?.name ?? '';
    this.evidence.add({ validator, first, second });
  }

  /** Stops voting at once; what the process does next is the role's decision. */
  private fail(error: unknown): void {
    if (this.stopped) return;
    this.end();
    const { code, message } = error as { code?: string; message?: string };
    this.config.logger.error({ code, error: message }, 'consensus stopped');
    this.config.onFatal(error);
  }
}
