import { isSuspended } from '../../core/access/standing.ts';
import type { Hash, LogId, MemberId, Suite } from '../../core/base/ids.ts';
import { isReject, type Reject, reject } from '../../core/base/reject.ts';
import type { ScopeRef } from '../../core/codec/state.ts';
import { logIdOf } from '../../core/codec/transaction.ts';
import { createTransactionVerifier } from '../../core/ledger/signature.ts';
import type { VerifiedItem } from '../../core/light/log-update.ts';
import { advanceTrust, isForkReject, type Trust } from '../../core/light/trust.ts';
import type { MapProof } from '../../core/merkle/map.ts';
import type { SystemState } from '../../core/types/state.ts';
import type { PeerId } from '../../ports/transport.ts';
import { LIGHT_WIRE_LIMITS, type LogQuery } from '../../wire/light.ts';
import type { LogAnswer, LogsAnswer } from '../../wire/light-answer.ts';
import { PRUNED } from '../light-server/limits.ts';
import type { ForkWatch } from './fork-watch.ts';
import { type HeldLog, spansOf } from './held-log.ts';
import type { LightStore, Published } from './light-store.ts';
import type { LightClientLimits } from './limits.ts';
import { NamedLogs } from './named-logs.ts';
import { NO_QUESTION, type QuietAsked, QuietView } from './quiet-view.ts';
import type { Sources } from './sources.ts';
import { REFUSED, Stager, type Staging, type Target } from './stager.ts';

/**
 * How a pass over all logs with one source ended: everything is held up to a head of the source; everything that this source
 * may still be asked for; the source is behind, or began anew with a snapshot meanwhile. A Reject is a lie, or a refusal when its `peer` is `ignore`.
 */
export type PassEnd = 'complete' | 'without' | 'behind' | Reject;

export interface SyncerEvents {
  /** Verified and on disk. */
  items(log: HeldLog, from: number, items: readonly VerifiedItem[]): void;
  published(head: Published): void;
}

export interface SyncerConfig {
  readonly suite: Suite;
  readonly chainId: Hash;
  readonly member: MemberId;
  readonly store: LightStore;
  readonly sources: Sources;
  readonly limits: LightClientLimits;
  readonly signal: AbortSignal;
  readonly events: SyncerEvents;
  readonly forks: ForkWatch;
}

/** What one question has brought. */
interface Asked {
  /** Logs that are complete at the answer's height. */
  readonly complete: readonly LogId[];
  readonly progress: boolean;
}

function mapProofOf(answer: LogAnswer): { readonly logId: LogId; readonly mapProof: MapProof | null } {
  const { logId } = answer;
  if (answer.kind === 'part') return { logId, mapProof: answer.part.mapProof };
  return { logId, mapProof: answer.kind === 'unchanged' ? answer.mapProof : null };
}

/** Brings the held logs up to the head of a source, verifying everything, one atomic write an answer. */
export class Syncer {
  readonly logs = new Map<LogId, HeldLog>();
  /** Height up to which each log is complete; of this run only. */
  private readonly completeAt = new Map<LogId, Published>();
  private readonly named: NamedLogs;
  private readonly quiet: QuietView;
  private readonly stager: Stager;
  private readonly systemLogId: LogId;

  constructor(
    private readonly config: SyncerConfig,
    public trust: Trust,
    public published: Published,
    public system: SystemState,
    held: readonly HeldLog[],
  ) {
    const { suite, member, store, chainId, limits } = config;
    this.systemLogId = logIdOf(suite.sha256, chainId, 'system', chainId);
    const verify = createTransactionVerifier(suite, limits.signaturesRemembered);
    this.stager = new Stager({ suite, member, store, verify });
    this.quiet = new QuietView(suite.sha256, this.systemLogId);
    this.named = new NamedLogs(config, logId => this.logs.has(logId));
    for (const log of held) this.logs.set(log.logId, log);
  }

  /**
   * Asks until every log is complete at a head that is not older than the first answer's. Logs that take several answers may
   * be complete at different heads; the lowest of them is published.
   */
  async pass(peer: PeerId): Promise<PassEnd> {
    const done = new Set<LogId>();
    for (;;) {
      const quiet = this.asking(peer);
      const open = this.open(peer, done).filter(({ logId }) => !quiet.logs.has(logId));
      if (open.length === 0 && done.has(this.systemLogId)) break;
      // Which of its logs are quiet can be said once a source has named them all.
      const targets = this.withSystem(quiet, this.named.hasToldAll(peer) ? open : []);
      const asked = await this.ask(peer, targets, quiet);
      if (asked === 'behind' || isReject(asked)) return asked;
      const before = done.size;
      for (const logId of asked.complete) done.add(logId);
      if (asked.progress || done.size > before) continue;
      const fault = this.withheld(peer, targets, done);
      if (fault !== null) return fault;
    }
    await this.publish();
    const all = this.targets().every(({ logId }) => done.has(logId));
    return all ? 'complete' : 'without';
  }

  /** True when these logs are held, complete at this height or above. */
  includes(logIds: readonly LogId[], height: number): boolean {
    return logIds.every(logId => (this.completeAt.get(logId)?.height ?? -1) >= height);
  }

  /** Logs that are not complete at the trusted head. */
  lagging(): readonly ScopeRef[] {
    const { height } = this.trust.header;
    return this.targets().flatMap(({ logId, ref }) => (this.includes([logId], height) ? [] : [ref]));
  }

  /** Compares histories, heads and scope lists with a source that is not the one in use. @returns its fault */
  async crossCheck(peer: PeerId): Promise<Reject | null> {
    const fault = await this.catchUp(peer, true);
    if (fault !== null) return fault;
    // Only a source can tell that a removed member was added again.
    const quiet = this.asking(peer);
    const open = this.open(peer, new Set()).filter(({ logId }) => !quiet.logs.has(logId));
    const ended = open.filter(({ held }) => held?.ended === true);
    const asked = await this.ask(peer, this.withSystem(quiet, ended), quiet);
    return isReject(asked) ? asked : null;
  }

  private asking(peer: PeerId): QuietAsked {
    if (this.isSuspended) return NO_QUESTION;
    const { sources } = this.config;
    return this.quiet.asking(this.named.toldBy(peer), logId => sources.isUseless(peer, logId));
  }

  /** The system log comes with every answer: authors are checked against the state of the same head. */
  private withSystem(quiet: QuietAsked, targets: readonly Target[]): Target[] {
    const first = targets.slice(0, LIGHT_WIRE_LIMITS.logsPerQuery - 1);
    return quiet.logs.has(this.systemLogId) ? first : [this.systemTarget(), ...first];
  }

  /** True when a source has named a log of which nothing is held yet. */
  get wanting(): boolean {
    return this.named.size > 0;
  }

  private systemTarget(): Target {
    const held = this.logs.get(this.systemLogId) ?? null;
    return { logId: this.systemLogId, ref: { scope: 'system', id: this.config.chainId }, held };
  }

  /** Then no source serves anything but the system log, where the end of it will stand. */
  private get isSuspended(): boolean {
    return isSuspended(this.system, this.config.member);
  }

  /** All logs but that of the system. */
  private targets(): Target[] {
    const targets: Target[] = [];
    if (this.isSuspended) return targets;
    for (const held of this.logs.values()) {
      if (held.logId !== this.systemLogId) targets.push({ logId: held.logId, ref: held.ref, held });
    }
    for (const [logId, ref] of this.named.all()) targets.push({ logId, ref, held: null });
    return targets;
  }

  /** What is still to be asked of a source, those first that have waited longest. */
  private open(peer: PeerId, done: ReadonlySet<LogId>): Target[] {
    const height = ({ logId }: Target) => this.completeAt.get(logId)?.height ?? -1;
    return this.targets()
      .filter(({ logId }) => !done.has(logId) && !this.config.sources.isUseless(peer, logId))
      .sort((a, b) => height(a) - height(b));
  }

  /** The source brings nothing new of what is open. @returns its fault where that is the system log */
  private withheld(peer: PeerId, targets: readonly Target[], done: ReadonlySet<LogId>): Reject | null {
    for (const { logId, ref } of targets) {
      if (done.has(logId)) continue;
      const fault = reject('withheld', `${ref.scope} ${ref.id} is not served to its end`);
      if (ref.scope === 'system') return fault;
      this.config.sources.liedAbout(peer, logId, fault);
    }
    return null;
  }

  private async ask(
    peer: PeerId,
    targets: readonly Target[],
    asked: QuietAsked,
  ): Promise<Asked | 'behind' | Reject> {
    const { sources, signal } = this.config;
    const logs = targets.map(
      ({ logId, held }): LogQuery => ({
        logId,
        held: held === null ? [] : spansOf(held),
        digest: held?.digest ?? null,
        ended: held?.ended ?? false,
      }),
    );
    const scopesFrom = this.named.toldBy(peer).length;
    const before = this.trust;
    const quiet = asked.query === null ? {} : { quiet: asked.query };
    const query = { kind: 'logs' as const, knownHeight: before.header.height, scopesFrom, logs, ...quiet };
    const answer = await sources.ask(peer, query, signal);
    if (isReject(answer)) return answer;
    if (answer.kind !== 'logs') return reject('wrong_answer', answer.kind);
    const ahead = await this.advance(peer, answer);
    if (ahead === 'moved') return { complete: [], progress: true };
    if (ahead !== null) return ahead;
    const named = this.named.learn(peer, answer);
    // the bits that said which logs are quiet counted in the order before: the answer is about others
    if (named === null && asked.query !== null) return 'behind';
    const taken = await this.take(targets, asked, answer);
    if (isReject(taken)) return taken;
    const { staging, complete } = taken;
    for (const { target, fault } of staging.faults) this.refuse(peer, target, fault);
    const { height, timeMs } = this.trust.header;
    for (const logId of complete) this.completeAt.set(logId, { height, timeMs });
    const { logs: changed, faults } = staging;
    const forgotten = asked.query !== null && answer.quiet === null;
    const progress = changed.length + faults.length + (named ?? 1) > 0 || this.trust !== before || forgotten;
    return { complete, progress };
  }

  /** Verifies an answer of the trusted head and stores what it brings: of the logs asked for, and of quiet ones that changed. */
  private async take(
    targets: readonly Target[],
    asked: QuietAsked,
    answer: LogsAnswer,
  ): Promise<{ readonly staging: Staging; readonly complete: readonly LogId[] } | Reject> {
    const { header } = this.trust;
    const { logs } = answer;
    const woken = new Set(logs.slice(targets.length).map(({ logId }) => logId));
    if (logs.length !== targets.length + woken.size) return reject('wrong_answer', 'another number of logs');
    const followed = this.quiet.follow(header, asked, woken, answer.quiet);
    if (isReject(followed)) return followed;
    const changed = [...woken].map(logId => this.targetOf(logId));
    // the system log is the first of either
    const [first, second] = woken.has(this.systemLogId) ? [changed, targets] : [targets, changed];
    const answers =
      first === targets ? logs : [...logs.slice(targets.length), ...logs.slice(0, targets.length)];
    const staging = this.stager.stage(header, this.system, [...first, ...second], answers);
    if (isReject(staging)) return staging;
    await this.commit(staging);
    const proven = new Set(staging.complete);
    const shown = answers.filter(({ logId }) => proven.has(logId)).map(mapProofOf);
    this.quiet.settle(header, followed, shown);
    return { staging, complete: [...staging.complete, ...followed.logs] };
  }

  private targetOf(logId: LogId): Target {
    const held = this.logs.get(logId);
    return held === undefined ? this.systemTarget() : { logId, ref: held.ref, held };
  }

  /** Null when the trusted head is the answer's; `moved` when it changed and is another. */
  private async advance(peer: PeerId, answer: LogsAnswer): Promise<'behind' | 'moved' | Reject | null> {
    const { trust } = this;
    if (answer.height < trust.header.height) return 'behind';
    if (answer.height === trust.header.height) return null;
    const { certified } = answer;
    if (certified === null || certified.header.height !== answer.height) {
      return reject('no_certificate', `height ${answer.height}`);
    }
    const next = advanceTrust(this.config.suite, trust, { setChanges: [], head: certified });
    if (!isReject(next)) {
      this.trust = next;
      return null;
    }
    // a head that a later set decided needs the set changes on the way to it
    if (next.reject !== 'set_change_withheld' && next.reject !== 'wrong_set') return this.faulty(peer, next);
    const fault = await this.catchUp(peer);
    if (fault !== null) return fault;
    if (this.trust.header.height === answer.height) return null;
    return this.trust === trust ? next : 'moved';
  }

  /**
   * Head updates until the source has no more: set changes may need several.
   * @param compare whether the source's block at the trusted height is the trusted one
   */
  private async catchUp(peer: PeerId, compare = false): Promise<Reject | null> {
    const { suite, sources, signal, store } = this.config;
    for (;;) {
      const { trust } = this;
      const { height } = trust.header;
      const knownHash = compare && trust.proof !== undefined ? trust.hash : null;
      const answer = await sources.ask(peer, { kind: 'head', knownHeight: height, knownHash }, signal);
      if (isReject(answer)) return answer;
      if (answer.kind !== 'head') return reject('wrong_answer', answer.kind);
      const { certified, changes, conflicting } = answer;
      sources.told(peer, certified?.header.height ?? 0);
      if (conflicting !== null) return this.config.forks.compare(peer, trust, conflicting);
      // Genesis has no certificate, and a source that is behind shows nothing new.
      if (certified === null || certified.header.height < height) return null;
      const next = advanceTrust(suite, trust, { setChanges: changes, head: certified });
      if (isReject(next)) return this.faulty(peer, next);
      if (next === trust) return null;
      this.trust = next;
      await store.write([...store.putSetChanges(changes), ...store.putTrust(next)]);
    }
  }

  private async faulty(peer: PeerId, fault: Reject): Promise<Reject> {
    if (!isForkReject(fault)) return fault;
    return this.config.forks.compare(peer, this.trust, fault.conflicting.certified);
  }

  private refuse(peer: PeerId, { logId, held }: Target, fault: Reject): void {
    const { sources } = this.config;
    const isDoubt = fault.reject === REFUSED && held === null && this.named.doubt(peer, logId);
    if (isDoubt || fault.reject === PRUNED) sources.lacks(peer, logId);
    else sources.liedAbout(peer, logId, fault);
  }

  private async commit(staging: Staging): Promise<void> {
    const { store } = this.config;
    await store.write([...store.putTrust(this.trust), ...staging.operations]);
    this.system = staging.system;
    for (const { log, from, items } of staging.logs) {
      this.logs.set(log.logId, log);
      this.named.held(log.logId);
      this.config.events.items(log, from, items);
    }
  }

  /** The lowest head at which a log is complete, once every log that was named is held. */
  private async publish(): Promise<void> {
    if (this.named.isOpen) return;
    let lowest: Published | undefined = this.completeAt.get(this.systemLogId);
    for (const logId of this.logs.keys()) {
      const at = this.completeAt.get(logId);
      if (at === undefined) return;
      if (lowest === undefined || at.height < lowest.height) lowest = at;
    }
    if (lowest === undefined || lowest.height <= this.published.height) return;
    await this.config.store.write([this.config.store.putPublished(lowest)]);
    this.published = lowest;
    this.config.events.published(lowest);
  }
}
