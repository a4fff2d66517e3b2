import { isSuspended } from '../../core/access/standing.ts';
import { firstMissing } from '../../core/access/visibility.ts';
import { assertDefined } from '../../core/base/assert.ts';
import type { LogId, MemberId, Suite } from '../../core/base/ids.ts';
import { isReject, type Reject, reject } from '../../core/base/reject.ts';
import { decodeSystemState, type ScopeRef, scopeDigest } from '../../core/codec/state.ts';
import { foldLeaf } from '../../core/ledger/fold.ts';
import type { VerifyTransaction } from '../../core/ledger/signature.ts';
import { checkAuthorship } from '../../core/light/authorship.ts';
import { checkLogEntry, type VerifiedItem } from '../../core/light/log-update.ts';
import { frontierRoot } from '../../core/merkle/log.ts';
import type { MapProof } from '../../core/merkle/map.ts';
import type { Header } from '../../core/types/chain.ts';
import type { SystemState } from '../../core/types/state.ts';
import type { KvOperation } from '../../ports/kv.ts';
import type { LogAnswer, LogPart } from '../../wire/light-answer.ts';
import { PRUNED, SUSPENDED } from '../light-server/limits.ts';
import { checkLogPart, type LogStep, readableIn, readableNow } from './check-part.ts';
import { type HeldLog, lastEnd, spansOf } from './held-log.ts';
import type { LightStore } from './light-store.ts';
import { decodeScopeValue, encodeScopeValue } from './scope-value.ts';

/** Code of the fault of a source that does not serve a log of this member. */
export const REFUSED = 'own_log_refused';

export interface Target {
  readonly logId: LogId;
  readonly ref: ScopeRef;
  readonly held: HeldLog | null;
}

/** New items of one log. */
export interface Staged {
  readonly log: HeldLog;
  readonly from: number;
  readonly items: readonly VerifiedItem[];
}

/** What one answer changes, before it is on disk. */
export interface Staging {
  readonly operations: KvOperation[];
  readonly logs: Staged[];
  /** Logs of which everything readable at the header is held, proven. */
  readonly complete: LogId[];
  /** Logs of which the answer says what does not verify; nothing of them is staged. */
  readonly faults: { readonly target: Target; readonly fault: Reject }[];
  system: SystemState;
}

export interface StagerConfig {
  readonly suite: Suite;
  readonly member: MemberId;
  readonly store: LightStore;
  readonly verify: VerifyTransaction;
}

/** The state after a step, as it is kept. */
interface Folded {
  readonly state: Uint8Array | null;
  readonly position: number;
}

/** Verifies the logs of one answer under one certified header. */
export class Stager {
  constructor(private readonly config: StagerConfig) {}

  /**
   * The system log comes first: authors are checked against its state. A fault in it refuses the answer; one in another log
   * refuses that log only.
   */
  stage(
    header: Header,
    system: SystemState,
    targets: readonly Target[],
    answers: readonly LogAnswer[],
  ): Staging | Reject {
    const staging: Staging = { operations: [], logs: [], complete: [], faults: [], system };
    if (answers.length !== targets.length) return reject('wrong_answer', 'another number of logs');
    for (const [index, target] of targets.entries()) {
      const answer = answers[index]!;
      if (answer.logId !== target.logId) return reject('wrong_answer', 'another log');
      const fault = this.stageLog(header, target, answer, staging);
      if (fault === null) continue;
      if (target.ref.scope === 'system') return fault;
      staging.faults.push({ target, fault });
    }
    return staging;
  }

  private stageLog(header: Header, target: Target, answer: LogAnswer, staging: Staging): Reject | null {
    switch (answer.kind) {
      case 'part':
        return this.stagePart(header, target, answer.part, staging);
      case 'unchanged':
        return this.stageUnchanged(header, target, answer.mapProof, staging);
      case 'ended':
        return this.stageEnded(target, staging);
      case 'later':
        return target.ref.scope === 'system' ? reject('wrong_answer', 'no system log') : null;
      case 'refused':
        if (answer.code === SUSPENDED && isSuspended(staging.system, this.config.member)) return null;
        return answer.code === PRUNED
          ? reject(PRUNED, `${target.ref.scope} ${target.ref.id}`, 'ignore')
          : reject(REFUSED, `${target.ref.scope} ${target.ref.id}: ${answer.code}`);
    }
  }

  /** The header's map has exactly the size, root and digest that are held: nothing was added and nothing withheld [77]. */
  private stageUnchanged(
    header: Header,
    { logId, ref, held }: Target,
    mapProof: MapProof,
    staging: Staging,
  ): Reject | null {
    const { suite, member, store } = this.config;
    if (held === null || held.digest === null || held.ended) {
      return reject('wrong_answer', `log ${logId} is not held to its end`);
    }
    const top = lastEnd(held);
    const entry = { size: top.size, root: frontierRoot(suite.sha256, top), digest: held.digest };
    const fault = checkLogEntry(suite.sha256, header, logId, entry, mapProof);
    if (fault !== null) return fault;
    const state = assertDefined(store.state(logId), 'a digest is of a stored state');
    const readable = readableNow(member, ref, state);
    if (isReject(readable)) return readable;
    if (firstMissing(readable, spansOf(held), top.size) !== null) {
      return reject('withheld', `older leaves of log ${logId}`);
    }
    staging.complete.push(logId);
    return null;
  }

  private stageEnded({ logId, ref, held }: Target, staging: Staging): Reject | null {
    const { member, store } = this.config;
    if (held === null || !held.ended) return reject('withheld', `log ${logId} has not ended`);
    const top = lastEnd(held).size;
    const state = held.statePosition === top ? store.state(logId) : null;
    // A member that was away while it was added and removed again may have no state of its last stay.
    const readable = state === null ? [] : readableIn(member, ref, state);
    if (isReject(readable)) return readable;
    if (firstMissing(readable, spansOf(held), top) !== null) {
      return reject('withheld', `older leaves of log ${logId}`);
    }
    staging.complete.push(logId);
    return null;
  }

  private stagePart(header: Header, target: Target, part: LogPart, staging: Staging): Reject | null {
    const { suite, member, store } = this.config;
    const { logId, ref, held } = target;
    if (part.ended && ref.scope !== 'phase') return reject('withheld', `access to a ${ref.scope} never ends`);
    const step = checkLogPart(suite, header, { logId, member, held }, part);
    if (isReject(step)) return step;
    let kept: Folded | Reject;
    if (part.ended) kept = this.fold(target, step);
    else kept = { state: part.state ?? store.state(logId), position: part.entry.size };
    if (isReject(kept)) return kept;
    const goesOn = step.ended && this.readsOn(target, step, kept);
    if (goesOn !== false) return isReject(goesOn) ? goesOn : reject('withheld', `log ${logId} has not ended`);
    const complete = part.ended ? false : this.isComplete(target, part, step, kept.state);
    if (isReject(complete)) return complete;
    let { system } = staging;
    if (ref.scope === 'system') {
      const decoded = decodeSystemState(assertDefined(kept.state, 'a checked state is there'));
      if (isReject(decoded)) return decoded;
      system = decoded;
    }
    for (const { leaf, transaction } of step.items) {
      const fault = checkAuthorship(suite, system, leaf, transaction, this.config.verify);
      if (fault !== null) return fault;
    }
    staging.system = system;
    if (complete) staging.complete.push(logId);
    this.stageStep(target, part, step, kept, staging);
    return null;
  }

  /** A removal that leaves the member another right to the log, as its owner or as a holder of shares, ends nothing. */
  private readsOn({ ref }: Target, { ranges }: LogStep, { state, position }: Folded): boolean | Reject {
    if (state === null || position !== lastEnd({ ranges }).size) return false;
    const readable = readableIn(this.config.member, ref, state);
    return isReject(readable) ? readable : readable.at(-1)?.to === null;
  }

  /** The state is that of the header, and what it lets this member read is held. */
  private isComplete(
    { logId, ref }: Target,
    { entry }: LogPart,
    step: LogStep,
    state: Uint8Array | null,
  ): boolean | Reject {
    const { suite, member } = this.config;
    if (state === null) return reject('state_withheld', `${ref.scope} ${ref.id}`);
    if (scopeDigest(suite.sha256, state) !== entry.digest) {
      return reject('wrong_state', `log ${logId}: the state does not match its digest`);
    }
    const readable = readableNow(member, ref, state);
    return isReject(readable) ? readable : firstMissing(readable, spansOf(step), entry.size) === null;
  }

  private stageStep(
    { logId, ref, held }: Target,
    part: LogPart,
    { items, ranges, ended }: LogStep,
    { state, position }: Folded,
    staging: Staging,
  ): void {
    const { store, suite } = this.config;
    const digest = state === null ? null : scopeDigest(suite.sha256, state);
    if (held !== null && items.length === 0 && held.digest === digest && held.ended === ended) return;
    const log: HeldLog = { logId, ref, ranges, digest, statePosition: position, ended };
    staging.operations.push(...store.putLog(log, state));
    for (const [index, item] of items.entries()) {
      const { transactionId } = item.leaf;
      staging.operations.push(...store.putItem(logId, part.from + index, transactionId, part.items[index]!));
    }
    staging.logs.push({ log, from: part.from, items });
  }

  /**
   * A removed participant is not shown the current state; the one that removed it is the fold of its own leaves, as far as
   * they follow on the state that it has, or on nothing.
   */
  private fold({ logId, ref, held }: Target, step: LogStep): Folded | Reject {
    const { store } = this.config;
    const state = held === null ? null : store.state(logId);
    const from = state === null ? 0 : assertDefined(held, 'a state is of a held log').statePosition;
    const range = step.ranges.find(({ start, end }) => start.size <= from && from < end.size);
    if (range === undefined) return { state, position: from };
    const fresh = new Map(step.items.map(item => [item.leaf.position, item]));
    let value = decodeScopeValue(ref, state);
    for (let position = from; position < range.end.size; position += 1) {
      if (isReject(value)) return value;
      const item = fresh.get(position) ?? store.item(logId, position);
      const { leaf, transaction } = assertDefined(item, 'a held range has every leaf');
      value = foldLeaf(value, leaf, transaction);
    }
    return isReject(value) ? value : { state: encodeScopeValue(value), position: range.end.size };
  }
}
