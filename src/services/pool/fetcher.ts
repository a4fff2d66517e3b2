import type { Hash } from '../../core/base/ids.ts';
import { isReject } from '../../core/base/reject.ts';
import type { Transaction } from '../../core/types/transaction.ts';
import { OperatingError } from '../../ports/lifecycle.ts';
import type { Logger } from '../../ports/logger.ts';
import type { PeerId, Transport } from '../../ports/transport.ts';
import { POOL_WIRE_LIMITS, type PoolReference, poolFetchCodec, poolFetchedCodec } from '../../wire/pool.ts';
import { POOL_PROTOCOL, type PoolLimits } from './limits.ts';
import type { PoolEntry } from './mempool.ts';

/** Decodes a wrapper that must be whole: every part there and matching its hash. Null for anything else. */
export type DecodeWhole = (bytes: Uint8Array) => Transaction | null;

/** Asks peers for wrappers that this node misses. */
export class Fetcher {
  constructor(
    private readonly transport: Transport,
    private readonly logger: Logger,
    private readonly limits: PoolLimits,
    private readonly decode: DecodeWhole,
    private readonly nowMs: () => number,
  ) {}

  /**
   * Asks the sources round and round, each of them once in a round, until every reference is answered or a round brings nothing:
   * one that gives little, slowly, does not keep the others from being asked.
   *
   * @returns what was found, by wrapper hash; wrappers that nobody asked for are dropped
   */
  async fetch(
    references: readonly PoolReference[],
    sources: readonly PeerId[],
    signal?: AbortSignal,
  ): Promise<Map<Hash, PoolEntry>> {
    const found = new Map<Hash, PoolEntry>();
    let missing = [...references];
    for (let before = missing.length + 1; missing.length < before; ) {
      before = missing.length;
      for (const source of sources) {
        if (missing.length === 0 || signal?.aborted) return found;
        const asked = missing.slice(0, POOL_WIRE_LIMITS.referencesPerFetch);
        const entries = await this.ask(source, asked, signal);
        for (const entry of entries) found.set(entry.transaction.wrapperHash, entry);
        const answered = new Set(entries.map(entry => entry.transaction.id));
        missing = missing.filter(({ id }) => !answered.has(id));
      }
    }
    return found;
  }

  private async ask(
    source: PeerId,
    asked: readonly PoolReference[],
    signal: AbortSignal | undefined,
  ): Promise<PoolEntry[]> {
    const frame = poolFetchCodec.encode(asked);
    const options = { timeoutMs: this.limits.fetchTimeoutMs, ...(signal === undefined ? {} : { signal }) };
    try {
      const answer = await this.transport.request(source, POOL_PROTOCOL, frame, options);
      const bodies = isReject(answer) ? answer : poolFetchedCodec.decode(answer);
      if (!isReject(bodies)) return this.matching(asked, bodies);
      this.logger.debug({ peer: source, code: bodies.reject }, 'fetch refused');
    } catch (error) {
      if (!(error instanceof OperatingError)) throw error;
      this.logger.debug({ peer: source, code: error.code }, 'fetch failed');
    }
    return [];
  }

  /** Keeps what was asked for: any wrapper of an id, or exactly the named one. */
  private matching(asked: readonly PoolReference[], bodies: readonly Uint8Array[]): PoolEntry[] {
    const wanted = new Map(asked.map(reference => [reference.id, reference.wrapperHash]));
    const entries: PoolEntry[] = [];
    for (const bytes of bodies) {
      const transaction = this.decode(bytes);
      if (transaction === null) continue;
      const wrapperHash = wanted.get(transaction.id);
      if (wrapperHash === undefined || (wrapperHash !== null && wrapperHash !== transaction.wrapperHash))
        continue;
      entries.push({ transaction, bytes, sinceMs: this.nowMs() });
    }
    return entries;
  }
}
