import { isReject, type Reject } from '../../core/base/reject.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Logger } from '../../ports/logger.ts';
import type { PeerId, Transport } from '../../ports/transport.ts';
import { type LightRequest, lightRequestCodec } from '../../wire/light.ts';
import { type LightAnswer, lightAnswerCodec } from '../../wire/light-answer.ts';
import { LIGHT_PROTOCOL } from '../light-server/limits.ts';
import type { LightClientLimits } from './limits.ts';

/** Something that a source said and that verification refused. */
export interface Lie {
  readonly peer: PeerId;
  readonly code: string;
  readonly detail: string;
  readonly timeMs: number;
}

/** The consensus nodes that a light client asks: whom to ask next, and whom not for a while. */
export class Sources {
  readonly lies: Lie[] = [];
  private readonly heights = new Map<PeerId, number>();
  private readonly avoidUntilMs = new Map<PeerId, number>();
  private readonly connected = new Set<PeerId>();

  constructor(
    private readonly peers: ReadonlySet<PeerId>,
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

  onDisconnected(peer: PeerId): void {
    this.connected.delete(peer);
    this.heights.delete(peer);
  }

  noticed(peer: PeerId, height: number): void {
    if (this.peers.has(peer)) this.heights.set(peer, height);
  }

  /** Connected and not avoided; those that announced the highest head first. */
  usable(): readonly PeerId[] {
    const now = this.clock.monotonicMs();
    const usable = [...this.connected].filter(peer => (this.avoidUntilMs.get(peer) ?? 0) <= now);
    const height = (peer: PeerId) => this.heights.get(peer) ?? 0;
    return usable.sort((a, b) => height(b) - height(a));
  }

  failed(peer: PeerId): void {
    this.avoidIfNotLiar(peer, this.clock.monotonicMs() + this.limits.failedMs);
  }

  /** Records why and asks others for a while [81]. */
  lied(peer: PeerId, fault: Reject): void {
    this.logger.error(
      { peer, code: fault.reject, detail: fault.detail },
      'a source served what does not verify',
    );
    const { reject: code, detail } = fault;
    this.lies.push({ peer, code, detail, timeMs: this.clock.nowMs() });
    if (this.lies.length > this.limits.liesKept) this.lies.shift();
    this.avoidUntilMs.set(peer, this.clock.monotonicMs() + this.limits.liarMs);
  }

  /** @throws OperatingError when the peer cannot be reached or does not answer in time */
  async ask(peer: PeerId, request: LightRequest, signal: AbortSignal): Promise<LightAnswer | Reject> {
    const frame = lightRequestCodec.encode(request);
    const { requestTimeoutMs } = this.limits;
    const options = { timeoutMs: requestTimeoutMs, signal };
    const bytes = await this.transport.request(peer, LIGHT_PROTOCOL.id, frame, options);
    return isReject(bytes) ? { ...bytes, peer: 'ignore' } : lightAnswerCodec.decode(bytes);
  }

  private avoidIfNotLiar(peer: PeerId, untilMs: number): void {
    const lied = this.lies.some(lie => lie.peer === peer);
    if (!lied || (this.avoidUntilMs.get(peer) ?? 0) < untilMs) this.avoidUntilMs.set(peer, untilMs);
  }
}
