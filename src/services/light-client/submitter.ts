import { assert } from '../../core/base/assert.ts';
import type { Hash, LogId, Suite, TransactionId } from '../../core/base/ids.ts';
import { isReject, type Reject } from '../../core/base/reject.ts';
import { bodyId, decodeBody, encodeSignedTransaction } from '../../core/codec/transaction.ts';
import { checkReceipt } from '../../core/light/receipt.ts';
import type { ValidatorSet } from '../../core/types/chain.ts';
import type { SignedTransaction } from '../../core/types/transaction.ts';
import type { Clock } from '../../ports/clock.ts';
import { OperatingError } from '../../ports/lifecycle.ts';
import type { PeerId } from '../../ports/transport.ts';
import { LIGHT_WIRE_LIMITS } from '../../wire/light.ts';
import type { TransactionStatus } from '../../wire/light-answer.ts';
import type { SubmitResult } from '../records/ports.ts';
import type { LightClientLimits } from './limits.ts';
import { SourceFailure, type Sources } from './sources.ts';

export interface SubmitterConfig {
  readonly suite: Suite;
  readonly chainId: Hash;
  readonly sources: Sources;
  readonly clock: Clock;
  readonly limits: LightClientLimits;
  readonly signal: AbortSignal;
  /** Height up to which everything is held. */
  readonly publishedHeight: () => number;
  /** True when these logs are held up to this height, whatever lags of the others. */
  readonly includes: (logIds: readonly LogId[], height: number) => boolean;
  readonly validatorSet: (id: number) => ValidatorSet | null;
}

interface Pending {
  readonly id: TransactionId;
  readonly bytes: Uint8Array;
  readonly lastValidHeight: number;
  readonly scopes: readonly LogId[];
  readonly done: Promise<SubmitResult>;
  readonly settle: (result: SubmitResult) => void;
  settled: boolean;
  /** In a verified block that is not published yet. */
  found: (SubmitResult & { readonly end: 'block' }) | null;
}

/** Refusals that time cures, or that say that a block has it already. */
const PASSING = new Set(['pool_full', 'too_far_ahead', 'duplicate', 'unavailable']);

/**
 * Sends transactions until each has an outcome. Sending twice is harmless: the chain takes an id once (SCENARIOS 73), so
 * whatever fails on the way is met by sending again, elsewhere [81].
 */
export class Submitter {
  private readonly pending = new Map<TransactionId, Pending>();
  private readonly waiting = new Set<() => void>();

  constructor(private readonly config: SubmitterConfig) {}

  async submit(signed: readonly SignedTransaction[]): Promise<readonly SubmitResult[]> {
    if (this.pending.size + signed.length > this.config.limits.pendingTransactionsMax) {
      throw new OperatingError(
        'too_many_pending',
        `${this.pending.size} transactions wait for their outcome`,
      );
    }
    const entries = signed.map(transaction => this.enter(transaction));
    const fresh = entries.filter(entry => entry.fresh).map(entry => entry.pending);
    try {
      await this.drive(fresh);
    } finally {
      for (const { id } of fresh) this.pending.delete(id);
    }
    return Promise.all(entries.map(entry => entry.pending.done));
  }

  /** A leaf of an own log names the transaction. */
  found(id: TransactionId, outcome: number, height: number): void {
    const pending = this.pending.get(id);
    if (pending !== undefined) pending.found ??= { id, end: 'block', outcome, height };
  }

  /** The published head moved, or logs did beyond it: one that does not verify keeps no other phase from writing. */
  advanced(): void {
    const { publishedHeight, includes } = this.config;
    const height = publishedHeight();
    for (const pending of this.pending.values()) {
      const { found, scopes } = pending;
      if (found !== null && (found.height <= height || includes(scopes, found.height))) {
        this.settle(pending, found);
      }
    }
    this.wake();
  }

  /** A source came, a head moved, or the client stops. */
  wake(): void {
    for (const resume of [...this.waiting]) resume();
  }

  private enter(signed: SignedTransaction): { readonly pending: Pending; readonly fresh: boolean } {
    const id = bodyId(this.config.suite.sha256, signed.body);
    const known = this.pending.get(id);
    if (known !== undefined) return { pending: known, fresh: false };
    const body = decodeBody(signed.body);
    assert(!isReject(body), 'a transaction of this program decodes');
    let settle: (result: SubmitResult) => void = () => {};
    const done = new Promise<SubmitResult>(resolve => {
      settle = resolve;
    });
    const bytes = encodeSignedTransaction(signed);
    const { lastValidHeight, scopes } = body;
    const pending = { id, bytes, lastValidHeight, scopes, done, settle, settled: false, found: null };
    this.pending.set(id, pending);
    return { pending, fresh: true };
  }

  private settle(pending: Pending, result: SubmitResult): void {
    if (pending.settled) return;
    pending.settled = true;
    pending.settle(result);
  }

  private async drive(entries: readonly Pending[]): Promise<void> {
    const open = () => entries.filter(entry => !entry.settled);
    while (open().length > 0) {
      const peers = await this.someSources();
      const unsent = open().filter(entry => entry.found === null);
      await this.sendAll(peers, unsent);
      await this.settled(open());
      const silent = open().filter(entry => entry.found === null);
      for (const peer of silent.length > 0 ? this.config.sources.usable() : [])
        await this.askStatus(peer, silent);
      this.advanced();
      this.expire(silent);
    }
  }

  /** @throws OperatingError `no_source` after a while without any, `stopped` */
  private async someSources(): Promise<readonly PeerId[]> {
    const { sources, limits, clock } = this.config;
    const giveUpMs = clock.monotonicMs() + limits.connectMs;
    for (;;) {
      this.checkRunning();
      const usable = sources.usable();
      if (usable.length > 0) return usable.slice(0, limits.submitSources);
      if (clock.monotonicMs() >= giveUpMs) {
        throw new OperatingError(
          'no_source',
          'no consensus node can be reached',
          'Check the network and the peers.',
        );
      }
      await this.pause(limits.failedMs, () => sources.usable().length > 0);
    }
  }

  private checkRunning(): void {
    if (this.config.signal.aborted) throw new OperatingError('stopped', 'the node stops');
  }

  /** Until all are settled, or it is time to ask and send again. */
  private async settled(entries: readonly Pending[]): Promise<void> {
    await this.pause(this.config.limits.resendMs, () => entries.every(entry => entry.settled));
    this.checkRunning();
  }

  private pause(delayMs: number, over: () => boolean): Promise<void> {
    return new Promise(resolve => {
      const end = () => {
        timer.cancel();
        this.waiting.delete(check);
        resolve();
      };
      const check = () => {
        if (over() || this.config.signal.aborted) end();
      };
      const timer = this.config.clock.setTimer(delayMs, end);
      this.waiting.add(check);
      check();
    });
  }

  private async sendAll(peers: readonly PeerId[], entries: readonly Pending[]): Promise<void> {
    for (const chunk of this.chunks(entries)) {
      const answers = await Promise.all(peers.map(peer => this.send(peer, chunk)));
      for (const [index, entry] of chunk.entries()) {
        const verdicts = answers.flatMap(answer => (answer === null ? [] : [answer[index] ?? null]));
        const refusals = verdicts.filter(verdict => verdict !== null);
        // One source that takes it is enough; one that refuses may lie, so all that were asked must agree.
        if (verdicts.length === 0 || refusals.length < verdicts.length) continue;
        const final = refusals.find(refusal => !PASSING.has(refusal.reject));
        if (final !== undefined && entry.found === null && final.reject !== 'expired') {
          this.settle(entry, { id: entry.id, end: 'invalid', reject: final });
        }
      }
    }
  }

  private chunks(entries: readonly Pending[]): Pending[][] {
    const chunks: Pending[][] = [];
    let bytes = 0;
    for (const entry of entries) {
      const last = chunks.at(-1);
      const fits =
        last !== undefined &&
        last.length < LIGHT_WIRE_LIMITS.transactionsPerSubmit &&
        bytes + entry.bytes.length <= this.config.limits.submitBytesMax;
      if (fits) last.push(entry);
      else chunks.push([entry]);
      bytes = fits ? bytes + entry.bytes.length : entry.bytes.length;
    }
    return chunks;
  }

  private async send(peer: PeerId, chunk: readonly Pending[]): Promise<readonly (Reject | null)[] | null> {
    const { sources, signal } = this.config;
    try {
      const request = { kind: 'submit' as const, transactions: chunk.map(entry => entry.bytes) };
      const answer = await sources.ask(peer, request, signal);
      if (!isReject(answer) && answer.kind === 'verdicts') return answer.verdicts;
    } catch (error) {
      if (!(error instanceof SourceFailure)) throw error;
    }
    sources.failed(peer);
    return null;
  }

  private async askStatus(peer: PeerId, entries: readonly Pending[]): Promise<void> {
    const { sources, signal } = this.config;
    for (let from = 0; from < entries.length; from += LIGHT_WIRE_LIMITS.idsPerQuery) {
      const part = entries.slice(from, from + LIGHT_WIRE_LIMITS.idsPerQuery);
      try {
        const answer = await sources.ask(peer, { kind: 'status', ids: part.map(entry => entry.id) }, signal);
        if (isReject(answer) || answer.kind !== 'statuses') return;
        for (const [index, status] of answer.statuses.entries()) this.take(peer, part[index], status);
      } catch (error) {
        if (!(error instanceof SourceFailure)) throw error;
        sources.failed(peer);
        return;
      }
    }
  }

  private take(peer: PeerId, pending: Pending | undefined, status: TransactionStatus): void {
    if (pending === undefined || status.status !== 'block') return;
    const { suite, chainId, sources, validatorSet } = this.config;
    const { certified, proof } = status.receipt;
    const set = validatorSet(certified.header.validatorSetId);
    // A set that is not known yet comes with the next head.
    if (set === null) return;
    const fault = checkReceipt(suite, chainId, status.receipt, set);
    if (fault !== null) sources.lied(peer, fault);
    else if (proof.entry.id === pending.id)
      this.found(pending.id, proof.entry.outcome, certified.header.height);
  }

  /** Past the last valid height no block can take it; every source was asked whether one did. */
  private expire(entries: readonly Pending[]): void {
    const height = this.config.publishedHeight();
    for (const entry of entries) {
      if (entry.settled || entry.found !== null || entry.lastValidHeight > height) continue;
      this.settle(entry, { id: entry.id, end: 'expired' });
    }
  }
}
