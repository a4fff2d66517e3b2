import type { Hash, LogId, Suite } from '../../core/base/ids.ts';
import type { ScopeRef } from '../../core/codec/state.ts';
import { logIdOf } from '../../core/codec/transaction.ts';
import type { PeerId } from '../../ports/transport.ts';
import type { LogsAnswer } from '../../wire/light-answer.ts';
import type { LightClientLimits } from './limits.ts';
import type { Sources } from './sources.ts';

export interface NamedLogsConfig {
  readonly suite: Suite;
  readonly chainId: Hash;
  readonly sources: Sources;
  readonly limits: LightClientLimits;
}

interface Named {
  readonly ref: ScopeRef;
  readonly tellers: Set<PeerId>;
  readonly refusedBy: Set<PeerId>;
}

/**
 * The logs that sources name for this member, before anything of them is held. A list of scopes is a source's word: a lie by
 * omission is met by asking every source, an invention by asking for the log.
 */
export class NamedLogs {
  private readonly named = new Map<LogId, Named>();
  /** Logs of the scopes that a source has named, in its order. */
  private readonly told = new Map<PeerId, LogId[]>();
  /** Sources that have named all scopes that they know of. */
  private readonly toldAll = new Set<PeerId>();
  /** Where the order of a source's scopes begins: it changes when the source begins anew with a snapshot. */
  private readonly bases = new Map<PeerId, number>();

  constructor(
    private readonly config: NamedLogsConfig,
    private readonly isHeld: (logId: LogId) => boolean,
  ) {}

  get size(): number {
    return this.named.size;
  }

  *all(): Iterable<readonly [LogId, ScopeRef]> {
    for (const [logId, { ref }] of this.named) yield [logId, ref];
  }

  toldBy(peer: PeerId): readonly LogId[] {
    return this.told.get(peer) ?? [];
  }

  hasToldAll(peer: PeerId): boolean {
    return this.toldAll.has(peer);
  }

  /** @returns more than 0 when the answer brought something new; null when its source counts in another order than before */
  learn(peer: PeerId, { scopes, scopeCount, scopesBase }: LogsAnswer): number | null {
    const { suite, chainId } = this.config;
    const isKnownOrder = (this.bases.get(peer) ?? scopesBase) === scopesBase;
    this.bases.set(peer, scopesBase);
    if (!isKnownOrder) {
      this.told.delete(peer);
      this.toldAll.delete(peer);
      return null;
    }
    let added = 0;
    let isFull = false;
    const told = this.told.get(peer) ?? [];
    this.told.set(peer, told);
    for (const ref of scopes) {
      const logId = logIdOf(suite.sha256, chainId, ref.scope, ref.id);
      const known = this.named.get(logId);
      known?.tellers.add(peer);
      const isNew = known === undefined && !this.isHeld(logId) && ref.scope !== 'system';
      isFull = isNew && this.named.size >= this.config.limits.unverifiedScopesMax;
      // it is told again when there is room
      if (isFull) break;
      told.push(logId);
      if (!isNew) continue;
      this.named.set(logId, { ref, tellers: new Set([peer]), refusedBy: new Set() });
      added += 1;
    }
    if (!isFull && scopes.length > 0 && told.length < scopeCount) return added + 1;
    // what was not asked for yet comes next
    if (this.toldAll.has(peer)) return added;
    this.toldAll.add(peer);
    return added + 1;
  }

  held(logId: LogId): void {
    this.named.delete(logId);
  }

  /**
   * A source refuses a log: it, or whoever named it, is behind or lies. Given up is what a source refuses that is not faulty, and
   * none that is not is known to have named; whoever names it later is believed again.
   * @returns false when the source itself has named it: that one lies
   */
  doubt(peer: PeerId, logId: LogId): boolean {
    const named = this.named.get(logId);
    if (named === undefined || named.tellers.has(peer)) return false;
    const { faultyMax } = this.config.sources;
    named.refusedBy.add(peer);
    if (named.refusedBy.size > faultyMax && named.tellers.size <= faultyMax) this.named.delete(logId);
    return true;
  }

  /** A log may exist that nothing is held of: one that somebody refuses, until every source was asked that is of use for it. */
  get isOpen(): boolean {
    const { sources } = this.config;
    const usable = this.named.size === 0 ? [] : sources.usable();
    return [...this.named].some(
      ([logId, { refusedBy }]) =>
        refusedBy.size === 0 || usable.some(peer => !refusedBy.has(peer) && !sources.isUseless(peer, logId)),
    );
  }
}
