import type { LogId } from '../../core/base/ids.ts';
import { isReject, type Reject } from '../../core/base/reject.ts';
import type { SystemState } from '../../core/types/state.ts';
import type { Clock } from '../../ports/clock.ts';
import { OperatingError } from '../../ports/lifecycle.ts';
import type { Logger } from '../../ports/logger.ts';
import type { PeerId, Transport } from '../../ports/transport.ts';
import { type LightRequest, lightRequestCodec } from '../../wire/light.ts';
import { type LightAnswer, lightAnswerCodec } from '../../wire/light-answer.ts';
import { LIGHT_PROTOCOL } from '../light-server/limits.ts';
import type { LightClientLimits } from './limits.ts';

/** A source that cannot be reached or does not answer in time; any other failure is this node's own. */
export class SourceFailure extends OperatingError {}

/** Something that a source said and that verification refused. */
export interface Lie {
  readonly peer: PeerId;
  readonly code: string;
  readonly detail: string;
  readonly timeMs: number;
}

/** What is known of a source: for people who look after a node. */
export interface SourceView {
  readonly peer: PeerId;
  readonly connected: boolean;
  /** Of the head that it announced or showed last; null while it said nothing. */
  readonly height: number | null;
  /** How long its head has been below one that others had shown before; null while it is not. */
  readonly behindForMs: number | null;
  /** What it said that did not verify, since this node started. */
  readonly lies: number;
  readonly lastLie: Lie | null;
}

/** The consensus nodes that a light client asks: whom to ask next, and whom not for a while. */
export class Sources {
  readonly lies: Lie[] = [];
  private readonly heights = new Map<PeerId, number>();
  private readonly avoidUntilMs = new Map<PeerId, number>();
  /** Until when a source is not asked for a log about which it lied. */
  private readonly liedAboutUntilMs = new Map<PeerId, Map<LogId, number>>();
  private readonly lacksUntilMs = new Map<PeerId, Map<LogId, number>>();
  private readonly connected = new Set<PeerId>();
  /** The head that a source has shown when it was asked. */
  private readonly shown = new Map<PeerId, number>();
  private readonly behindSinceMs = new Map<PeerId, number>();
  /** What every honest source has by now: the highest head that was verified when all were compared the last time. */
  private expected = 0;
  /** Sources that came by a proposal, not by this node's configuration. */
  private readonly added = new Set<PeerId>();

  constructor(
    private readonly peers: Set<PeerId>,
    private readonly transport: Transport,
    private readonly clock: Clock,
    private readonly logger: Logger,
    private readonly limits: LightClientLimits,
  ) {}

  /** @returns false for a peer that is no source */
  onConnected(peer: PeerId): boolean {
    if (!this.peers.has(peer)) return false;
    this.connected.add(peer);
    this.avoidIfNotLiar(peer, 0);
    return true;
  }

  /** Validators that a proposal brought are asked too, at the addresses that the chain has of them, until one takes them out. */
  follow({ governance }: SystemState): void {
    const onChain = new Set(governance.addresses.map(({ peerId }) => peerId));
    for (const peer of this.added) {
      if (onChain.has(peer)) continue;
      this.added.delete(peer);
      this.peers.delete(peer);
      this.transport.release(peer);
    }
    for (const { peerId, addresses } of governance.addresses) {
      if (this.peers.has(peerId)) continue;
      this.peers.add(peerId);
      this.added.add(peerId);
      this.transport.keepConnected(peerId, addresses);
    }
  }

  onDisconnected(peer: PeerId): void {
    this.connected.delete(peer);
    this.heights.delete(peer);
    this.shown.delete(peer);
  }

  /** All sources are about to be compared; this head is verified. */
  expect(height: number): void {
    for (const peer of this.peers) {
      if ((this.shown.get(peer) ?? this.expected) >= this.expected) this.behindSinceMs.delete(peer);
      else if (!this.behindSinceMs.has(peer)) this.behindSinceMs.set(peer, this.clock.monotonicMs());
    }
    this.expected = height;
  }

  /** The source's own head, as it shows it. */
  told(peer: PeerId, height: number): void {
    this.shown.set(peer, height);
  }

  /** Every source, in the order of their ids. */
  views(): readonly SourceView[] {
    const now = this.clock.monotonicMs();
    return [...this.peers].sort().map(peer => {
      const lies = this.lies.filter(lie => lie.peer === peer);
      const since = this.behindSinceMs.get(peer);
      return {
        peer,
        connected: this.connected.has(peer),
        height: this.heights.get(peer) ?? this.shown.get(peer) ?? null,
        behindForMs: since === undefined ? null : now - since,
        lies: lies.length,
        lastLie: lies.at(-1) ?? null,
      };
    });
  }

  /** The highest head that more sources announce than may be faulty; 0 when too few have announced any. */
  announced(): number {
    return [...this.heights.values()].sort((a, b) => b - a)[this.faultyMax] ?? 0;
  }

  /** Of all sources. */
  get faultyMax(): number {
    return Math.max(0, Math.floor((this.peers.size - 1) / 3));
  }

  noticed(peer: PeerId, height: number): void {
    if (this.peers.has(peer)) this.heights.set(peer, height);
  }

  /**
   * Connected and not avoided; those that announced the highest head first. Who lied about a log is asked, for the others,
   * only where there is nobody else.
   */
  usable(): readonly PeerId[] {
    const now = this.clock.monotonicMs();
    const usable = [...this.connected].filter(peer => (this.avoidUntilMs.get(peer) ?? 0) <= now);
    const clean = usable.filter(peer => !this.liedNow(peer));
    const height = (peer: PeerId) => this.heights.get(peer) ?? 0;
    return (clean.length > 0 ? clean : usable).sort((a, b) => height(b) - height(a));
  }

  /** The source lied about this log, or does not have it whole. */
  isUseless(peer: PeerId, logId: LogId): boolean {
    const now = this.clock.monotonicMs();
    return [this.liedAboutUntilMs, this.lacksUntilMs].some(
      untilMs => (untilMs.get(peer)?.get(logId) ?? 0) > now,
    );
  }

  /** The source has pruned what is missing of this log here: no fault, and of no use for this log for a while. */
  lacks(peer: PeerId, logId: LogId): void {
    const logs = this.lacksUntilMs.get(peer) ?? new Map<LogId, number>();
    this.lacksUntilMs.set(peer, logs.set(logId, this.clock.monotonicMs() + this.limits.liarMs));
  }

  failed(peer: PeerId): void {
    this.avoidIfNotLiar(peer, this.clock.monotonicMs() + this.limits.failedMs);
  }

  /** Records why and asks others for a while [81]. */
  lied(peer: PeerId, fault: Reject): void {
    this.record(peer, fault);
    this.avoidUntilMs.set(peer, this.clock.monotonicMs() + this.limits.liarMs);
  }

  /** As `lied`, where the rest of what the source said does verify: it is refused for this log alone. */
  liedAbout(peer: PeerId, logId: LogId, fault: Reject): void {
    this.record(peer, fault);
    const logs = this.liedAboutUntilMs.get(peer) ?? new Map<LogId, number>();
    this.liedAboutUntilMs.set(peer, logs.set(logId, this.clock.monotonicMs() + this.limits.liarMs));
  }

  /** @throws SourceFailure when the peer cannot be reached or does not answer in time */
  async ask(peer: PeerId, request: LightRequest, signal: AbortSignal): Promise<LightAnswer | Reject> {
    const frame = lightRequestCodec.encode(request);
    const { requestTimeoutMs } = this.limits;
    const options = { timeoutMs: requestTimeoutMs, signal };
    const bytes = await this.transport
      .request(peer, LIGHT_PROTOCOL.id, frame, options)
      .catch((error: unknown) => {
        if (!(error instanceof OperatingError)) throw error;
        throw new SourceFailure(error.code, error.message, error.hint, error);
      });
    return isReject(bytes) ? { ...bytes, peer: 'ignore' } : lightAnswerCodec.decode(bytes);
  }

  private record(peer: PeerId, fault: Reject): void {
    const { reject: code, detail } = fault;
    this.logger.error({ peer, code, detail }, 'a source served what does not verify');
    this.lies.push({ peer, code, detail, timeMs: this.clock.nowMs() });
    if (this.lies.length > this.limits.liesKept) this.lies.shift();
  }

  private liedNow(peer: PeerId): boolean {
    const now = this.clock.monotonicMs();
    return [...(this.liedAboutUntilMs.get(peer)?.values() ?? [])].some(untilMs => untilMs > now);
  }

  private avoidIfNotLiar(peer: PeerId, untilMs: number): void {
    const lied = this.lies.some(lie => lie.peer === peer);
    if (!lied || (this.avoidUntilMs.get(peer) ?? 0) < untilMs) this.avoidUntilMs.set(peer, untilMs);
  }
}
