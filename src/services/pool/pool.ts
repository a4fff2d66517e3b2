import type { Hash, MemberId, Suite, TransactionId } from '../../core/base/ids.ts';
import { isReject, type Reject, reject } from '../../core/base/reject.ts';
import { decodeTransaction } from '../../core/codec/transaction.ts';
import type { Parameters } from '../../core/types/state.ts';
import type { Transaction } from '../../core/types/transaction.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Logger } from '../../ports/logger.ts';
import type { Metrics } from '../../ports/metrics.ts';
import type { PeerId, Transport } from '../../ports/transport.ts';
import type { PoolReference } from '../../wire/pool.ts';
import { POOL_WIRE_LIMITS, poolFetchCodec, poolFetchedCodec, poolFrameCodec } from '../../wire/pool.ts';
import { Announced } from './announced.ts';
import { Fetcher } from './fetcher.ts';
import { Inbox } from './inbox.ts';
import {
  POOL_FRAME_BYTES_MAX,
  POOL_LIMITS,
  POOL_OUTBOX_BYTES_MAX,
  POOL_PROTOCOL,
  POOL_REQUESTS_IN_FLIGHT_MAX,
  type PoolLimits,
} from './limits.ts';
import { Mempool, type PoolEntry, type TakeLimits } from './mempool.ts';
import { Outgoing } from './outgoing.ts';
import { Review } from './review.ts';

/** What the pool asks of the committed chain. */
export interface PoolChain {
  headHeight(): number;
  parameters(): Parameters;
  /** Everything that execution at the next height would hold against the wrapper, its signature included. */
  checkAdmission(transaction: Transaction): Reject | null;
  /** Has the signature verified on another thread; null: `checkAdmission` may as well be asked at once. */
  verifyAhead(transaction: Transaction): Promise<void> | null;
  /** True when a committed block names the id. */
  isCommitted(id: TransactionId): boolean;
  /** The encoded wrapper, committed or stored ahead of its block. */
  wrapper(wrapperHash: Hash): Uint8Array | null;
  /** Peers that run the validators of the current set, this node left out. */
  validatorPeers(): readonly PeerId[];
}

export interface PoolConfig {
  readonly chain: PoolChain;
  readonly suite: Suite;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics?: Metrics;
  readonly limits?: Partial<PoolLimits>;
}

export interface Accepted {
  readonly id: TransactionId;
  readonly status: 'pending' | 'committed';
}

export interface PoolEvents {
  /** A transaction became pending. */
  added(entry: PoolEntry): void;
  /** A transaction left without a block: no block can contain it any more. */
  dismissed(id: TransactionId, reason: Reject): void;
}

/**
 * The pending transactions of a consensus node. A transaction is accepted when it is in this pool and its body was
 * handed to the transport for every connected validator: as long as one of them lives it is not lost, and its sender
 * sends it again until it sees the outcome, which is idempotent (SCENARIOS 71, 73).
 */
export class Pool {
  private readonly limits: PoolLimits;
  private readonly mempool: Mempool;
  private readonly outgoing: Outgoing;
  private readonly fetcher: Fetcher;
  private readonly listeners: PoolEvents[] = [];
  private readonly inbox: Inbox;
  private readonly review: Review;
  private stopped = false;
  private readonly dismissals = new Map<TransactionId, Reject>();
  /** Faults found after the frame was taken; answered to the peer's next frame. */
  private readonly faults = new Map<PeerId, Reject>();
  private readonly announced: Announced;
  private readonly abort = new AbortController();

  constructor(private readonly config: PoolConfig) {
    this.limits = { ...POOL_LIMITS, ...config.limits };
    const { transport, logger, chain, clock } = config;
    this.mempool = new Mempool(this.limits);
    this.review = new Review(chain);
    this.outgoing = new Outgoing(transport, clock, logger, this.limits.frameBytesTarget, () =>
      chain.validatorPeers(),
    );
    const decode = (bytes: Uint8Array) => {
      const transaction = this.decode(bytes);
      return isReject(transaction) ? null : transaction;
    };
    this.inbox = new Inbox(this.limits, clock, {
      ahead: entry => this.verifyAhead(entry),
      check: (from, entry) => this.check(from, entry),
    });
    this.fetcher = new Fetcher(transport, logger, this.limits, decode, () => clock.monotonicMs());
    this.announced = new Announced(this.limits.transactionsMax, {
      isMissing: id => this.isMissing(id),
      fetch: async (missing, from) => (await this.fetcher.fetch(missing, [from], this.abort.signal)).values(),
      found: (from, entry) => this.inbox.add(from, entry),
    });
  }

  /** Before the transport starts. */
  register(): void {
    const { transport } = this.config;
    transport.register(
      {
        id: POOL_PROTOCOL,
        frameBytesMax: POOL_FRAME_BYTES_MAX,
        outboxBytesMax: POOL_OUTBOX_BYTES_MAX,
        requestsInFlightMax: POOL_REQUESTS_IN_FLIGHT_MAX,
      },
      {
        message: (from, frame) => this.receive(from, frame),
        request: (from, frame) => this.answer(from, frame),
      },
    );
    transport.onEvents({
      connected: peer => this.announce(peer, this.mempool.ids()),
      disconnected: peer => this.faults.delete(peer),
    });
  }

  stop(): void {
    this.stopped = true;
    this.inbox.stop();
    this.announced.stop();
    this.abort.abort();
  }

  onEvents(events: PoolEvents): void {
    this.listeners.push(events);
  }

  get size(): number {
    return this.mempool.size;
  }

  get bytes(): number {
    return this.mempool.bytes;
  }

  get(id: TransactionId): PoolEntry | null {
    return this.mempool.get(id);
  }

  oldest(): PoolEntry | null {
    return this.mempool.oldest();
  }

  /** Why a transaction that was once pending left without a block; null when that is not known. */
  dismissal(id: TransactionId): Reject | null {
    return this.dismissals.get(id) ?? null;
  }

  /**
   * Takes an encoded wrapper from a client.
   *
   * @returns the id, also when it was accepted or committed before; a Reject with the code of the first failed check
   */
  async submit(bytes: Uint8Array): Promise<Accepted | Reject> {
    const transaction = this.decode(bytes);
    if (isReject(transaction)) return this.refuse(transaction);
    const { id } = transaction;
    if (this.mempool.get(id) !== null) return { id, status: 'pending' };
    const entry: PoolEntry = { transaction, bytes, sinceMs: this.config.clock.monotonicMs() };
    const ahead = this.verifyAhead(entry);
    if (ahead !== null) {
      await ahead;
      if (this.stopped) return reject('not_ready', 'the node stops', 'ignore');
      if (this.mempool.get(id) !== null) return { id, status: 'pending' };
    }
    const refused = this.checkEntry(entry);
    if (refused !== null) {
      // only now: most are new, and to look for them in all that is committed costs as much as the rest
      return this.config.chain.isCommitted(id) ? { id, status: 'committed' } : this.refuse(refused);
    }
    this.insert(entry);
    await this.outgoing.add(bytes);
    return { id, status: 'pending' };
  }

  /** Fair by member (see `Mempool.take`). */
  take(limits: TakeLimits, skip: (id: TransactionId) => boolean): PoolEntry[] {
    return this.mempool.take(limits, skip);
  }

  /**
   * The exact wrappers that a proposal names: from the pool, the store, or the sources in turn. A wrapper that differs
   * from the pooled one of the same id is fetched beside it and changes nothing in the pool.
   *
   * @returns in the order of the references; null where no source had it
   */
  async collect(
    references: readonly { readonly id: TransactionId; readonly wrapperHash: Hash }[],
    sources: readonly PeerId[],
    signal: AbortSignal,
  ): Promise<(PoolEntry | null)[]> {
    const held = references.map(reference => this.held(reference.id, reference.wrapperHash));
    if (!held.includes(null)) return held;
    // Bodies travel ahead of proposals: what is missing is most often still in the inbox.
    await this.inbox.drain();
    const found = references.map(
      (reference, index) => held[index] ?? this.held(reference.id, reference.wrapperHash),
    );
    const missing = references.filter((_, index) => found[index] === null);
    if (missing.length === 0) return found;
    const fetched = await this.fetcher.fetch(missing, sources, signal);
    return found.map((entry, index) => entry ?? fetched.get(references[index]!.wrapperHash) ?? null);
  }

  /** What peers have in their pools or stored, also ahead of their blocks: whole and as asked for, by wrapper hash. */
  fetch(references: readonly PoolReference[], sources: readonly PeerId[]): Promise<Map<Hash, PoolEntry>> {
    return this.fetcher.fetch(references, sources, this.abort.signal);
  }

  /** Removes what a committed block names, and what no later block may contain. */
  committed(height: number, ids: readonly TransactionId[]): void {
    for (const id of ids) this.mempool.remove(id);
    for (const { transaction } of this.mempool.expire(height)) {
      const passed = `last valid height ${transaction.body.lastValidHeight} has passed`;
      this.dismiss(transaction.id, reject('expired', passed, 'ignore'));
    }
    for (const { id, reason } of this.review.refused(this.mempool)) this.dismiss(id, reason);
  }

  /**
   * Takes back transactions of a block that was cut off, from the store, where they were put before the block was voted for.
   * The pool's limits do not apply: the window bounds them (SCENARIOS 40).
   */
  returned(references: readonly { readonly id: TransactionId; readonly wrapperHash: Hash }[]): void {
    const { chain, clock } = this.config;
    for (const { id, wrapperHash } of references) {
      if (!this.isUnknown(id)) continue;
      const bytes = chain.wrapper(wrapperHash);
      const transaction = bytes === null ? null : this.decode(bytes);
      if (bytes === null || transaction === null || isReject(transaction)) continue;
      if (chain.checkAdmission(transaction) !== null) continue;
      this.insert({ transaction, bytes, sinceMs: clock.monotonicMs() });
    }
  }

  /** Forgets a transaction that execution can never accept, so that it does not block proposals. */
  dismiss(id: TransactionId, reason: Reject): void {
    this.mempool.remove(id);
    if (this.dismissals.size >= this.limits.dismissedMax) {
      for (const oldest of this.dismissals.keys()) {
        this.dismissals.delete(oldest);
        break;
      }
    }
    this.dismissals.set(id, reason);
    for (const listener of this.listeners) listener.dismissed(id, reason);
  }

  /** Pending transactions in order of arrival, at most `idsMax`. */
  pending(select: (entry: PoolEntry) => boolean, idsMax: number): TransactionId[] {
    return this.mempool.select(select, idsMax);
  }

  /** Members of whom something pending is selected. */
  senders(select: (entry: PoolEntry) => boolean): Set<MemberId> {
    return this.mempool.senders(select);
  }

  /** Tells one validator what is pending here; it fetches what it misses. */
  announce(peer: PeerId, ids: readonly TransactionId[]): void {
    const { chain, transport } = this.config;
    if (!chain.validatorPeers().includes(peer)) return;
    for (let from = 0; from < ids.length; from += POOL_WIRE_LIMITS.idsPerFrame) {
      const frame = { kind: 'have', ids: ids.slice(from, from + POOL_WIRE_LIMITS.idsPerFrame) } as const;
      transport.send(peer, POOL_PROTOCOL, poolFrameCodec.encode(frame));
    }
  }

  private decode(bytes: Uint8Array): Transaction | Reject {
    const transaction = decodeTransaction(this.config.suite.sha256, bytes);
    if (isReject(transaction)) return transaction;
    if (transaction.signed.parts.includes(null)) return reject('malformed', 'a part is missing');
    return transaction;
  }

  private held(id: TransactionId, wrapperHash: Hash): PoolEntry | null {
    const pooled = this.mempool.get(id);
    if (pooled?.transaction.wrapperHash === wrapperHash) return pooled;
    const bytes = this.config.chain.wrapper(wrapperHash);
    if (bytes === null) return null;
    const transaction = this.decode(bytes);
    if (isReject(transaction) || transaction.id !== id || transaction.wrapperHash !== wrapperHash)
      return null;
    return { transaction, bytes, sinceMs: this.config.clock.monotonicMs() };
  }

  /** Nothing for what there is no room for: it is refused without a look at its signature. */
  private verifyAhead({ transaction }: PoolEntry): Promise<void> | null {
    return this.mempool.checkRoom(transaction) === null ? this.config.chain.verifyAhead(transaction) : null;
  }

  private checkEntry({ transaction }: PoolEntry): Reject | null {
    const { chain } = this.config;
    const parameters = chain.parameters();
    const bytesMax = Math.min(
      parameters.transactionBytesMax,
      parameters.blockBytesMax,
      parameters.memberBytesPerBlockMax,
    );
    if (transaction.bytes > bytesMax) {
      return reject('transaction_too_large', `${transaction.bytes} bytes, at most ${bytesMax}`, 'ignore');
    }
    return this.mempool.checkRoom(transaction) ?? chain.checkAdmission(transaction);
  }

  private refuse(reason: Reject): Reject {
    this.config.metrics?.count('phaseline_pool_refused_total', { reason: reason.reject });
    return reason;
  }

  private insert(entry: PoolEntry): void {
    if (!this.mempool.add(entry)) return;
    this.dismissals.delete(entry.transaction.id);
    for (const listener of this.listeners) listener.added(entry);
  }

  private receive(from: PeerId, frame: Uint8Array): Reject | null {
    if (this.stopped) return null;
    const stranger = this.checkValidator(from) ?? this.takeFault(from);
    if (stranger !== null) return stranger;
    const decoded = poolFrameCodec.decode(frame);
    if (isReject(decoded)) return decoded;
    if (decoded.kind === 'have') {
      void this.announced.fetch(from, decoded.ids);
      return null;
    }
    for (const bytes of decoded.transactions) {
      const transaction = this.decode(bytes);
      if (isReject(transaction)) return transaction;
      this.inbox.add(from, { transaction, bytes, sinceMs: this.config.clock.monotonicMs() });
    }
    return null;
  }

  private checkValidator(from: PeerId): Reject | null {
    if (this.config.chain.validatorPeers().includes(from)) return null;
    return reject('not_validator', 'the pool protocol is for validators', 'ignore');
  }

  private takeFault(from: PeerId): Reject | null {
    const fault = this.faults.get(from) ?? null;
    this.faults.delete(from);
    return fault;
  }

  /** A bad one is dropped and its neighbours pass (SCENARIOS 72). */
  private check(from: PeerId, entry: PoolEntry): void {
    const { id } = entry.transaction;
    if (this.mempool.get(id) !== null) return;
    const refused = this.checkEntry(entry);
    if (refused === null) this.insert(entry);
    if (refused === null || this.config.chain.isCommitted(id)) return;
    this.refuse(refused);
    this.config.logger.debug({ peer: from, id, code: refused.reject }, 'gossiped transaction refused');
    // Only what depends on no state proves the relay faulty: its head may be ahead of this node's.
    if (refused.reject === 'bad_signature') this.faults.set(from, refused);
  }

  private isUnknown(id: TransactionId): boolean {
    return this.mempool.get(id) === null && !this.config.chain.isCommitted(id);
  }

  /** Neither held nor on its way in: what waits for its checks is not fetched again. */
  private isMissing(id: TransactionId): boolean {
    return !this.inbox.has(id) && this.isUnknown(id);
  }

  private async answer(from: PeerId, frame: Uint8Array): Promise<Uint8Array | Reject> {
    const stranger = this.checkValidator(from);
    if (stranger !== null) return stranger;
    const references = poolFetchCodec.decode(frame);
    if (isReject(references)) return references;
    const bodies: Uint8Array[] = [];
    let bytes = 0;
    for (const { id, wrapperHash } of references) {
      const entry = wrapperHash === null ? this.mempool.get(id) : this.held(id, wrapperHash);
      if (entry === null) continue;
      if (bodies.length > 0 && bytes + entry.bytes.length > this.limits.frameBytesTarget) break;
      bodies.push(entry.bytes);
      bytes += entry.bytes.length;
    }
    return poolFetchedCodec.encode(bodies);
  }
}
