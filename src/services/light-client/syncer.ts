import type { ScopeValue } from '../../core/access/apply.ts';
import { assert, assertDefined } from '../../core/base/assert.ts';
import type { Hash, LogId, MemberId, Suite } from '../../core/base/ids.ts';
import { isReject, type Reject, reject } from '../../core/base/reject.ts';
import { decodeSystemState, type ScopeRef, scopeDigest } from '../../core/codec/state.ts';
import { logIdOf } from '../../core/codec/transaction.ts';
import { foldLeaf } from '../../core/ledger/fold.ts';
import { createTransactionVerifier, type VerifyTransaction } from '../../core/ledger/signature.ts';
import { checkAuthorship } from '../../core/light/authorship.ts';
import type { VerifiedItem } from '../../core/light/log-update.ts';
import { advanceTrust, type ForkReject, isForkReject, type Trust } from '../../core/light/trust.ts';
import type { SystemState } from '../../core/types/state.ts';
import type { KvOperation } from '../../ports/kv.ts';
import type { PeerId } from '../../ports/transport.ts';
import { LIGHT_WIRE_LIMITS, type LogQuery } from '../../wire/light.ts';
import type { LogAnswer, LogPart, LogsAnswer } from '../../wire/light-answer.ts';
import { checkLogPart, checkState, type LogStep } from './check-part.ts';
import type { HeldLog } from './held-log.ts';
import type { LightStore, Published } from './light-store.ts';
import type { LightClientLimits } from './limits.ts';
import { decodeScopeValue, encodeScopeValue } from './scope-value.ts';
import type { Sources } from './sources.ts';

/** How a pass over all logs with one source ended; a Reject is a lie, or a refusal when its `peer` is `ignore`. */
export type PassEnd = 'complete' | 'partial' | 'behind' | Reject;

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
}

/** A log that a source has named and of which nothing is held yet. */
interface Named {
  readonly ref: ScopeRef;
  readonly teller: PeerId;
}

interface Target {
  readonly logId: LogId;
  readonly ref: ScopeRef;
  readonly held: HeldLog | null;
}

interface Staged {
  readonly log: HeldLog;
  readonly from: number;
  readonly items: readonly VerifiedItem[];
}

/** What one answer changes, before it is on disk. */
interface Staging {
  readonly operations: KvOperation[];
  readonly logs: Staged[];
  system: SystemState;
  complete: boolean;
  itemCount: number;
}

/** Brings the held logs up to the head of a source, verifying everything, one atomic write an answer. */
export class Syncer {
  readonly logs = new Map<LogId, HeldLog>();
  readonly forks: ForkReject[] = [];
  private readonly named = new Map<LogId, Named>();
  private readonly scopesTold = new Map<PeerId, number>();
  private readonly verify: VerifyTransaction;
  private readonly systemLogId: LogId;

  constructor(
    private readonly config: SyncerConfig,
    public trust: Trust,
    public published: Published,
    public system: SystemState,
    held: readonly HeldLog[],
  ) {
    const { suite, chainId, limits } = config;
    this.systemLogId = logIdOf(suite.sha256, chainId, 'system', chainId);
    this.verify = createTransactionVerifier(suite, limits.signaturesRemembered);
    for (const log of held) this.logs.set(log.logId, log);
  }

  /** One request for each 1023 logs; `partial` asks to be called again at once. */
  async pass(peer: PeerId): Promise<PassEnd> {
    const targets = this.targets();
    const perRequest = LIGHT_WIRE_LIMITS.logsPerQuery - 1;
    let complete = true;
    let height: number | null = null;
    for (let from = 0; from === 0 || from < targets.length; from += perRequest) {
      // The system log comes first each time: authors are checked against the state of the same head.
      const end = await this.ask(peer, [this.systemTarget(), ...targets.slice(from, from + perRequest)]);
      if (typeof end === 'string' || isReject(end)) return end;
      complete = complete && end.complete && (height === null || height === end.height);
      height = end.height;
    }
    if (!complete || this.named.size > 0 || height !== this.trust.header.height) return 'partial';
    await this.publish();
    return 'complete';
  }

  /** Compares heads and scope lists with a source that is not the one in use. @returns its fault */
  async crossCheck(peer: PeerId): Promise<Reject | null> {
    const fault = await this.catchUp(peer);
    if (fault !== null) return fault;
    const { sources, signal } = this.config;
    const scopesFrom = this.scopesTold.get(peer) ?? 0;
    const query = { kind: 'logs' as const, knownHeight: this.trust.header.height, scopesFrom, logs: [] };
    const answer = await sources.ask(peer, query, signal);
    if (isReject(answer)) return answer;
    if (answer.kind !== 'logs') return reject('wrong_answer', answer.kind);
    this.learnScopes(peer, answer);
    return null;
  }

  /** True when a source has named a log of which nothing is held yet. */
  get wanting(): boolean {
    return this.named.size > 0;
  }

  private systemTarget(): Target {
    const held = this.logs.get(this.systemLogId) ?? null;
    return { logId: this.systemLogId, ref: { scope: 'system', id: this.config.chainId }, held };
  }

  private targets(): Target[] {
    const targets: Target[] = [];
    for (const held of this.logs.values()) {
      if (held.logId !== this.systemLogId) targets.push({ logId: held.logId, ref: held.ref, held });
    }
    for (const [logId, { ref }] of this.named) targets.push({ logId, ref, held: null });
    return targets;
  }

  private async ask(
    peer: PeerId,
    targets: readonly Target[],
  ): Promise<{ complete: boolean; height: number } | PassEnd> {
    const { sources, signal } = this.config;
    const logs = targets.map(
      ({ logId, held }): LogQuery => ({
        logId,
        from: held?.to ?? 0,
        digest: held?.digest ?? null,
        ended: held?.ended ?? false,
      }),
    );
    const scopesFrom = this.scopesTold.get(peer) ?? 0;
    const before = this.trust;
    const query = { kind: 'logs' as const, knownHeight: before.header.height, scopesFrom, logs };
    const answer = await sources.ask(peer, query, signal);
    if (isReject(answer)) return answer;
    if (answer.kind !== 'logs') return reject('wrong_answer', answer.kind);
    const ahead = await this.advance(peer, answer);
    if (ahead !== null) return ahead;
    const named = this.learnScopes(peer, answer);
    const staging = this.stage(peer, answer, targets);
    if (isReject(staging)) return staging;
    const progress = staging.itemCount > 0 || named > 0 || this.trust !== before;
    if (!staging.complete && !progress) return reject('withheld', 'a log is not served to its end');
    await this.commit(staging);
    return { complete: staging.complete, height: answer.height };
  }

  /** Null when the trusted head is the answer's. */
  private async advance(peer: PeerId, answer: LogsAnswer): Promise<PassEnd | null> {
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
    if (next.reject !== 'set_change_withheld') return this.faulty(next);
    const fault = await this.catchUp(peer);
    if (fault !== null) return fault;
    return this.trust.header.height === answer.height ? null : 'partial';
  }

  /** Head updates until the source has no more: set changes may need several. */
  private async catchUp(peer: PeerId): Promise<Reject | null> {
    const { suite, sources, signal } = this.config;
    for (;;) {
      const { trust } = this;
      const answer = await sources.ask(peer, { kind: 'head', knownHeight: trust.header.height }, signal);
      if (isReject(answer)) return answer;
      if (answer.kind !== 'head') return reject('wrong_answer', answer.kind);
      const { certified, changes } = answer;
      // Genesis has no certificate, and a source that is behind shows nothing new.
      if (certified === null || certified.header.height < trust.header.height) return null;
      const next = advanceTrust(suite, trust, { setChanges: changes, head: certified });
      if (isReject(next)) return this.faulty(next);
      if (next === trust) return null;
      this.trust = next;
      await this.config.store.write(this.config.store.putTrust(next));
    }
  }

  private faulty(fault: Reject): Reject {
    if (isForkReject(fault)) this.forks.push(fault);
    return fault;
  }

  /** A list of scopes is a source's word: a lie by omission is met by asking every source. @returns the new ones */
  private learnScopes(peer: PeerId, answer: LogsAnswer): number {
    const { suite, chainId, limits } = this.config;
    let added = 0;
    for (const ref of answer.scopes) {
      const logId = logIdOf(suite.sha256, chainId, ref.scope, ref.id);
      if (this.logs.has(logId) || this.named.has(logId) || ref.scope === 'system') continue;
      if (this.named.size >= limits.unverifiedScopesMax) break;
      this.named.set(logId, { ref, teller: peer });
      added += 1;
    }
    this.scopesTold.set(peer, (this.scopesTold.get(peer) ?? 0) + answer.scopes.length);
    return added;
  }

  private stage(peer: PeerId, answer: LogsAnswer, targets: readonly Target[]): Staging | Reject {
    const staging: Staging = {
      operations: this.config.store.putTrust(this.trust),
      logs: [],
      system: this.system,
      complete: true,
      itemCount: 0,
    };
    if (answer.logs.length !== targets.length) return reject('wrong_answer', 'another number of logs');
    for (const [index, target] of targets.entries()) {
      const found = answer.logs[index]!;
      if (found.logId !== target.logId) return reject('wrong_answer', 'another log');
      const fault = this.stageLog(peer, target, found, staging);
      if (fault !== null) return fault;
    }
    return staging;
  }

  private stageLog(peer: PeerId, target: Target, answer: LogAnswer, staging: Staging): Reject | null {
    const { held, logId, ref } = target;
    if (answer.kind === 'part') return this.stagePart(target, answer.part, staging);
    if (held?.ended) return null;
    if (answer.kind === 'unchanged') return reject('wrong_answer', `log ${logId} has not ended`);
    const teller = this.named.get(logId)?.teller;
    // One source named the log and another refuses it: only the first can be caught.
    if (held === null && teller !== undefined && teller !== peer) {
      this.named.delete(logId);
      return null;
    }
    return reject('own_log_refused', `${ref.scope} ${ref.id}: ${answer.code}`);
  }

  private stagePart(target: Target, part: LogPart, staging: Staging): Reject | null {
    const { suite, member } = this.config;
    const { logId, ref, held } = target;
    const step = checkLogPart(suite, this.trust.header, { logId, member, held }, part);
    if (isReject(step)) return step;
    const from = step.restarted || held === null ? step.from : held.from;
    const state = part.ended ? this.fold(target, step) : (part.state ?? this.config.store.state(logId));
    if (isReject(state)) return state;
    const stateFault = part.ended ? null : checkState(suite, member, ref, part, state, from);
    if (stateFault !== null) return stateFault;
    if (ref.scope === 'system') {
      const system = decodeSystemState(assertDefined(state, 'a checked state is there'));
      if (isReject(system)) return system;
      staging.system = system;
    }
    for (const { leaf, transaction } of step.items) {
      const fault = checkAuthorship(suite, staging.system, leaf, transaction, this.verify);
      if (fault !== null) return fault;
    }
    this.stageStep(target, part, step, from, state, staging);
    return null;
  }

  private stageStep(
    { logId, ref, held }: Target,
    part: LogPart,
    step: LogStep,
    from: number,
    state: Uint8Array | null,
    staging: Staging,
  ): void {
    const { store, suite } = this.config;
    const { to, frontier, ended, items } = step;
    const digest = state === null ? null : scopeDigest(suite.sha256, state);
    const statePosition = part.ended ? to : part.entry.size;
    const log: HeldLog = { logId, ref, from, to, frontier, digest, statePosition, ended };
    staging.complete = staging.complete && step.complete;
    if (held !== null && items.length === 0 && held.digest === digest && held.ended === ended) return;
    staging.itemCount += items.length;
    staging.operations.push(...store.putLog(log, state));
    for (const [index, item] of items.entries()) {
      const position = step.from + index;
      staging.operations.push(...store.putItem(logId, position, item.leaf.transactionId, part.items[index]!));
    }
    staging.logs.push({ log, from: step.from, items });
  }

  /**
   * A removed participant is not shown the current state; the one that removed it is the fold of its own leaves. Null when
   * it holds no state and not the first leaf either.
   */
  private fold({ logId, ref, held }: Target, step: LogStep): Uint8Array | null | Reject {
    assert(ref.scope !== 'system', 'the system log never ends');
    const before = held === null || step.restarted ? null : this.config.store.state(logId);
    const position = before === null ? 0 : assertDefined(held, 'a state is of a held log').statePosition;
    if (before === null && step.from > 0) return null;
    let value: ScopeValue | Reject = decodeScopeValue(ref, before);
    for (const { leaf, transaction } of step.items) {
      if (isReject(value)) return value;
      if (leaf.position >= position) value = foldLeaf(value, leaf, transaction);
    }
    return isReject(value) ? value : encodeScopeValue(value);
  }

  private async commit(staging: Staging): Promise<void> {
    await this.config.store.write(staging.operations);
    this.system = staging.system;
    for (const { log, from, items } of staging.logs) {
      this.logs.set(log.logId, log);
      this.named.delete(log.logId);
      this.config.events.items(log, from, items);
    }
  }

  private async publish(): Promise<void> {
    const { height, timeMs } = this.trust.header;
    if (height === this.published.height) return;
    this.published = { height, timeMs };
    await this.config.store.write([this.config.store.putPublished(this.published)]);
    this.config.events.published(this.published);
  }
}
