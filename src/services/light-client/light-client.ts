import { assert, assertDefined } from '../../core/base/assert.ts';
import type { Hash, LogId, MemberId, PhaseId, ProjectId, TransactionId } from '../../core/base/ids.ts';
import { isReject, type Reject, reject } from '../../core/base/reject.ts';
import { decodeSystemState, STATE_KEYS } from '../../core/codec/state.ts';
import { logIdOf } from '../../core/codec/transaction.ts';
import { genesisBlock } from '../../core/ledger/genesis.ts';
import type { ForkEvidence } from '../../core/light/fork.ts';
import type { LogItem as RawItem } from '../../core/light/log-update.ts';
import { genesisTrust, type Trust } from '../../core/light/trust.ts';
import type { Frontier } from '../../core/merkle/log.ts';
import type { PhaseState, ProjectState, SystemState } from '../../core/types/state.ts';
import type { SignedTransaction } from '../../core/types/transaction.ts';
import type { Timer } from '../../ports/clock.ts';
import type { Service } from '../../ports/lifecycle.ts';
import type { PeerId } from '../../ports/transport.ts';
import { LIGHT_WIRE_LIMITS, type LightRequest, lightFrameCodec } from '../../wire/light.ts';
import type { LightAnswer, MemberPeer } from '../../wire/light-answer.ts';
import { LIGHT_PROTOCOL } from '../light-server/limits.ts';
import type { HeldSpans, LedgerAccess, LogItem, SubmitResult } from '../records/ports.ts';
import type { LightClientConfig, LightEvents } from './config.ts';
import { ForkWatch, forkedError } from './fork-watch.ts';
import { type HeldLog, type HeldRange, lastEnd, spansOf } from './held-log.ts';
import { Inquiries } from './inquiries.ts';
import { type Lag, LagWatch } from './lag-watch.ts';
import { LightStore, type Published } from './light-store.ts';
import { LIGHT_CLIENT_LIMITS, type LightClientLimits } from './limits.ts';
import { type Lie, SourceFailure, Sources, type SourceView } from './sources.ts';
import { Submitter } from './submitter.ts';
import { Syncer } from './syncer.ts';

/**
 * A member's verified part of the ledger: the system log, its project logs and its phase logs, from several consensus nodes
 * of which none is trusted (DESIGN.md section 2). `register` before the transport starts, `start` after it.
 */
export class LightClient implements LedgerAccess, Service {
  readonly chainId: Hash;
  private readonly limits: LightClientLimits;
  private readonly store: LightStore;
  private readonly sources: Sources;
  private readonly inquiries: Inquiries;
  private readonly submitter: Submitter;
  private readonly lagWatch: LagWatch;
  private readonly listeners = new Set<LightEvents>();
  /** As they were found last: an id's log is asked for more often than it changes. */
  private readonly logsByScope = new Map<Hash, HeldLog>();
  private readonly stopping = new AbortController();
  private readonly first: {
    readonly trust: Trust;
    readonly system: SystemState;
    readonly published: Published;
  };
  private syncer: Syncer | null = null;
  private forks: ForkWatch | null = null;
  private running: Promise<void> | null = null;
  private due = true;
  private crossCheckDue = false;
  private resume: (() => void) | null = null;
  private crossCheckTimer: Timer | null = null;
  private retryTimer: Timer | null = null;

  constructor(private readonly config: LightClientConfig) {
    const { suite, clock, transport, logger, genesis } = config;
    this.limits = { ...LIGHT_CLIENT_LIMITS, ...config.limits };
    this.store = new LightStore(config.kv, suite.sha256);
    const peers = new Set(config.sources.map(source => source.peer));
    this.sources = new Sources(peers, transport, clock, logger, this.limits);
    this.inquiries = new Inquiries(this.sources, this.stopping.signal);
    const { block, diff } = genesisBlock(suite, genesis);
    const { header } = block;
    this.chainId = header.chainId;
    const system = decodeSystemState(
      assertDefined(diff.state.get(STATE_KEYS.system), 'genesis has the system scope'),
    );
    assert(!isReject(system), 'the state of genesis decodes');
    const trust = genesisTrust(suite, header, system.validatorSet);
    assert(!isReject(trust), 'genesis is its own anchor');
    this.first = { trust, system, published: { height: 0, timeMs: header.timeMs } };
    this.lagWatch = new LagWatch(
      clock,
      () => this.head().height,
      () => Math.max(this.trust().header.height, this.sources.announced()),
      () => this.syncer?.lagging() ?? [],
    );
    this.submitter = new Submitter({
      suite,
      chainId: this.chainId,
      sources: this.sources,
      clock,
      limits: this.limits,
      signal: this.stopping.signal,
      publishedHeight: () => this.head().height,
      includes: (logIds, height) => this.syncer?.includes(logIds, height) ?? false,
      validatorSet: id => {
        const { set, proof } = this.syncer?.trust ?? trust;
        return [set, proof?.set].find(entry => entry?.id === id) ?? this.store.validatorSet(id);
      },
    });
  }

  /** Before the transport starts. */
  register(): void {
    const { transport } = this.config;
    transport.register(LIGHT_PROTOCOL, { message: (from, frame) => this.onFrame(from, frame) });
    transport.onEvents({
      connected: peer => this.onConnected(peer),
      disconnected: peer => this.sources.onDisconnected(peer),
    });
  }

  /** After the transport has started. */
  async start(): Promise<void> {
    const { suite, member, sources, transport } = this.config;
    const held = await this.store.logs();
    const systemLog = held.find(log => log.ref.scope === 'system');
    const system = (systemLog && this.store.systemState(systemLog)) ?? this.first.system;
    const trust = this.store.trust() ?? this.first.trust;
    const published = this.store.published() ?? this.first.published;
    const events = {
      items: (log: HeldLog, from: number, items: readonly { leaf: LogItem['leaf'] }[]) => {
        for (const { leaf } of items) this.submitter.found(leaf.transactionId, leaf.outcome, leaf.height);
        if (items.length > 0)
          for (const listener of this.listeners) listener.updated?.(log.logId, from, from + items.length);
      },
      published: (head: Published) => {
        this.lagWatch.published();
        this.submitter.advanced();
        this.sources.follow(this.system());
        for (const listener of this.listeners) listener.head?.(head);
      },
    };
    const { chainId, store, limits } = this;
    const { signal } = this.stopping;
    const found = (evidence: ForkEvidence) => {
      for (const listener of this.listeners) listener.forked?.(evidence);
    };
    const genesis = this.first.trust;
    const watched = { suite, chainId, store, sources: this.sources, signal, genesis, found };
    this.forks = new ForkWatch(watched, store.fork());
    const { forks } = this;
    const config = { suite, chainId, member, store, sources: this.sources, limits, events, signal, forks };
    this.syncer = new Syncer(config, trust, published, system, held);
    for (const source of sources) transport.keepConnected(source.peer, source.addresses);
    this.sources.follow(system);
    this.scheduleCrossCheck();
    this.running = this.run(this.syncer).catch(error => this.config.fail(error));
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    this.crossCheckTimer?.cancel();
    this.retryTimer?.cancel();
    this.submitter.wake();
    this.wake();
    await this.running;
  }

  /** @returns ends the subscription */
  onEvents(events: LightEvents): () => void {
    this.listeners.add(events);
    return () => this.listeners.delete(events);
  }

  head(): Published {
    return this.syncer?.published ?? this.store.published() ?? this.first.published;
  }

  /** The highest certified head that was verified; `head()` follows when every log is held up to it. */
  trust(): Trust {
    return this.syncer?.trust ?? this.first.trust;
  }

  /** Null while the published head is the highest that is known. */
  lag(): Lag | null {
    return this.lagWatch.lag();
  }

  system(): SystemState {
    return this.syncer?.system ?? this.first.system;
  }

  project(id: ProjectId): ProjectState | null {
    const log = this.heldLog('project', id);
    return log === null ? null : this.store.projectState(log);
  }

  projects(): readonly ProjectState[] {
    const logs = this.heldLogs().filter(log => log.ref.scope === 'project');
    return logs.flatMap(log => this.store.projectState(log) ?? []);
  }

  phase(id: PhaseId): PhaseState | null {
    const log = this.heldLog('phase', id);
    return log === null ? null : this.store.phaseState(log);
  }

  phases(): readonly PhaseState[] {
    const logs = this.heldLogs().filter(log => log.ref.scope === 'phase');
    return logs.flatMap(log => this.store.phaseState(log) ?? []);
  }

  held(logId: LogId): (HeldSpans & { readonly ended: boolean }) | null {
    const log = this.syncer?.logs.get(logId);
    const ranges = log === undefined ? [] : spansOf(log);
    const [first] = ranges;
    if (log === undefined || first === undefined) return null;
    return { from: first.from, to: lastEnd(log).size, ranges, ended: log.ended };
  }

  /** Each range that is held with what it starts from and leads to; the last goes on with the log. */
  rangesOf(logId: LogId): readonly HeldRange[] {
    return this.syncer?.logs.get(logId)?.ranges ?? [];
  }

  /** The encoded state that is held of a log's scope, with its digest; null without one. */
  stateOf(logId: LogId): { readonly digest: Hash; readonly state: Uint8Array } | null {
    const digest = this.syncer?.logs.get(logId)?.digest ?? null;
    const state = this.store.state(logId);
    return digest === null || state === null ? null : { digest, state };
  }

  /** Of the leaves [0, held.to): with it a log's root is known. Empty when nothing is held. */
  frontierOf(logId: LogId): Frontier {
    return lastEnd({ ranges: this.rangesOf(logId) });
  }

  async items(logId: LogId, from: number, to: number): Promise<readonly LogItem[]> {
    const held = this.held(logId);
    return held === null ? [] : this.store.items(logId, from, Math.min(to, held.to));
  }

  async itemOf(logId: LogId, id: TransactionId): Promise<LogItem | null> {
    const position = this.store.positionOf(logId, id);
    return position === null ? null : this.store.item(logId, position);
  }

  /** The stored bytes of one item, for proofs and dossiers. */
  rawItem(logId: LogId, position: number): RawItem | null {
    return this.store.rawItem(logId, position);
  }

  async submit(signed: readonly SignedTransaction[]): Promise<readonly SubmitResult[]> {
    if (this.fork() !== null) throw forkedError();
    return this.submitter.submit(signed);
  }

  /** What sources said that did not verify, newest last. */
  lies(): readonly Lie[] {
    return this.sources.lies;
  }

  /** Two certified histories: evidence against at least f+1 validators. While there is any, nothing newer is believed. */
  fork(): ForkEvidence | null {
    return this.forks?.evidence ?? null;
  }

  sourceViews(): readonly SourceView[] {
    return this.sources.views();
  }

  /** Addresses of the connected nodes of members, by the word of the consensus nodes; connections prove who answers. */
  addressesOf(members: readonly MemberId[]): Promise<readonly MemberPeer[]> {
    return this.inquiries.addressesOf(members);
  }

  /** Null when f+1 validators vouch now for the highest verified head; otherwise why it may be old [76]. */
  async checkFresh(): Promise<Reject | null> {
    if (this.fork() !== null) return reject('forked', 'validators have certified two histories', 'ignore');
    const nonce = this.config.random(LIGHT_WIRE_LIMITS.nonceBytes);
    return this.inquiries.checkFresh(this.config.suite, this.trust(), nonce);
  }

  /**
   * The answer of the first source that gives one, unverified: the caller checks it.
   * @throws OperatingError `no_source` when none answers
   */
  askAny(request: LightRequest): Promise<LightAnswer | Reject> {
    return this.inquiries.askAny(request);
  }

  /** One peer's answer, unverified. */
  askPeer(peer: PeerId, request: LightRequest): Promise<LightAnswer | Reject> {
    return this.sources.ask(peer, request, this.stopping.signal);
  }

  private heldLog(scope: 'project' | 'phase', id: Hash): HeldLog | null {
    const known = this.logsByScope.get(id);
    if (known?.ref.scope === scope && this.syncer?.logs.get(known.logId) === known) return known;
    const log = this.syncer?.logs.get(logIdOf(this.config.suite.sha256, this.chainId, scope, id)) ?? null;
    if (log !== null) this.logsByScope.set(id, log);
    return log;
  }

  private heldLogs(): HeldLog[] {
    return [...(this.syncer?.logs.values() ?? [])];
  }

  private onFrame(from: PeerId, bytes: Uint8Array): Reject | null {
    const frame = lightFrameCodec.decode(bytes);
    if (isReject(frame)) return frame;
    if (frame.kind !== 'notice') return null;
    this.sources.noticed(from, frame.height);
    this.lagWatch.look();
    if (frame.height > this.head().height) this.wake();
    return null;
  }

  private onConnected(peer: PeerId): void {
    if (!this.sources.onConnected(peer)) return;
    const { transport, member } = this.config;
    const addresses = transport
      .addresses()
      .filter(address => address.length <= LIGHT_WIRE_LIMITS.addressBytes)
      .slice(0, LIGHT_WIRE_LIMITS.addressesPerPeer);
    transport.send(peer, LIGHT_PROTOCOL.id, lightFrameCodec.encode({ kind: 'hello', member, addresses }));
    this.submitter.wake();
    this.wake();
  }

  private wake(): void {
    this.due = true;
    this.resume?.();
  }

  private scheduleCrossCheck(): void {
    this.crossCheckTimer = this.config.clock.setTimer(this.limits.crossCheckMs, () => {
      this.crossCheckDue = true;
      this.resume?.();
      this.scheduleCrossCheck();
    });
  }

  private async run(syncer: Syncer): Promise<void> {
    while (!this.stopping.signal.aborted) {
      if (!this.due && !this.crossCheckDue) {
        await new Promise<void>(resolve => {
          this.resume = resolve;
        });
        this.resume = null;
        continue;
      }
      if (this.crossCheckDue) await this.crossCheck(syncer);
      this.due = false;
      await this.round(syncer);
      this.lagWatch.look();
      this.submitter.advanced();
    }
  }

  /** One source after the other until one has brought everything up to its head. */
  private async round(syncer: Syncer): Promise<void> {
    const tried = new Set<PeerId>();
    for (;;) {
      const peer = this.sources.usable().find(candidate => !tried.has(candidate));
      if (this.fork() !== null) return;
      if (peer === undefined || this.stopping.signal.aborted) return;
      tried.add(peer);
      let complete = false;
      await this.guarded(peer, async () => {
        const end = await syncer.pass(peer);
        if (isReject(end)) return end;
        complete = end === 'complete';
        return end === 'behind' ? undefined : null;
      });
      // one that announces a high head and has a low one is not the only one to be asked
      if (complete && syncer.trust.header.height >= this.sources.announced()) return;
    }
  }

  private async crossCheck(syncer: Syncer): Promise<void> {
    this.crossCheckDue = false;
    this.sources.expect(syncer.trust.header.height);
    for (const peer of this.sources.usable()) {
      if (this.fork() !== null) return;
      await this.guarded(peer, () => syncer.crossCheck(peer));
    }
    this.due = this.due || syncer.wanting || syncer.trust.header.height > syncer.published.height;
  }

  /** @param ask answers null when all is well, undefined when the source is of no use now, or its fault */
  private async guarded(peer: PeerId, ask: () => Promise<Reject | null | undefined>): Promise<void> {
    try {
      const fault = await ask();
      if (fault?.peer === 'penalise') this.sources.lied(peer, fault);
      else if (fault) this.retryLater(peer);
    } catch (error) {
      if (!(error instanceof SourceFailure)) throw error;
      this.retryLater(peer);
    }
  }

  private retryLater(peer: PeerId): void {
    this.sources.failed(peer);
    if (this.stopping.signal.aborted || this.retryTimer !== null) return;
    this.retryTimer = this.config.clock.setTimer(this.limits.failedMs, () => {
      this.retryTimer = null;
      this.wake();
    });
  }
}
