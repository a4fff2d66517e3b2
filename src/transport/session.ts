import type { Connection, Stream } from '@libp2p/interface';
import type { Reject } from '../core/base/reject.ts';
import type { Clock, Timer } from '../ports/clock.ts';
import { OperatingError } from '../ports/lifecycle.ts';
import type { Logger } from '../ports/logger.ts';
import type { PeerId } from '../ports/transport.ts';
import { Channel, type ChannelOwner, type Protocol } from './channel.ts';
import type { ControlStream } from './control-stream.ts';
import { endConnection } from './end-connection.ts';
import { FRAME_KINDS } from './frame.ts';
import type { LinkLimits } from './limits.ts';

export interface SessionOwner {
  /** Every protocol stream is there. */
  ready(session: Session): void;
  /** Called once. */
  ended(session: Session, reason: string): void;
  penalise(peer: PeerId, reason: string): void;
}

export interface SessionInit {
  readonly peer: PeerId;
  readonly connection: Connection;
  readonly control: ControlStream;
  /** What both sides speak. */
  readonly protocols: readonly Protocol[];
  readonly owner: SessionOwner;
  readonly limits: LinkLimits;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The one link with a peer that both sides agreed on: its protocol streams and its heartbeat. */
export class Session implements ChannelOwner {
  readonly peer: PeerId;
  readonly connection: Connection;
  ready = false;
  private readonly channels = new Map<string, Channel>();
  private alive = true;
  private silentHeartbeats = 0;
  private ended = false;
  private timer: Timer;

  constructor(private readonly init: SessionInit) {
    const { clock, limits, logger } = init;
    this.peer = init.peer;
    this.connection = init.connection;
    for (const protocol of init.protocols) {
      this.channels.set(protocol.options.id, new Channel(this, protocol, limits, clock, logger));
    }
    this.timer = clock.setTimer(limits.handshakeTimeoutMs, () => this.close('handshake_timeout'));
    this.connection.addEventListener('close', () => this.close('connection_closed'));
  }

  /** The dialer opens every stream; both sides use them. */
  async openStreams(signal: AbortSignal): Promise<void> {
    try {
      const opened = [...this.channels].map(async ([id, channel]) => {
        channel.attach(await this.connection.newStream(id, { signal }));
      });
      await Promise.all(opened);
      this.beginWhenAttached();
    } catch (error) {
      this.close(`streams not opened: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  /** For the side that was dialed. @returns false when the stream has no place here */
  attach(protocol: string, stream: Stream): boolean {
    const channel = this.channels.get(protocol);
    if (this.ended || channel === undefined || channel.attached) return false;
    channel.attach(stream);
    this.beginWhenAttached();
    return true;
  }

  beginWhenAttached(): void {
    if (this.ended || this.ready || [...this.channels.values()].some(channel => !channel.attached)) return;
    this.ready = true;
    this.timer.cancel();
    this.init.control.listen(
      kind => (kind === FRAME_KINDS.beat ? this.touched() : this.penalise(`frame ${kind} on the link`)),
      () => this.close('link_closed'),
    );
    this.heartbeat();
    this.init.owner.ready(this);
    for (const channel of this.channels.values()) channel.begin();
  }

  channel(protocol: string): Channel | null {
    return this.ready ? (this.channels.get(protocol) ?? null) : null;
  }

  send(protocol: string, payload: Uint8Array): boolean {
    return this.channel(protocol)?.send(payload) ?? false;
  }

  request(
    protocol: string,
    payload: Uint8Array,
    options: { readonly timeoutMs: number; readonly signal?: AbortSignal },
  ): Promise<Uint8Array | Reject> {
    const channel = this.channel(protocol);
    if (channel !== null) return channel.request(payload, options);
    return Promise.reject(
      new OperatingError('unsupported_protocol', `${this.peer} does not speak ${protocol}`),
    );
  }

  touched(): void {
    this.alive = true;
  }

  penalise(reason: string): void {
    if (!this.ended) this.init.owner.penalise(this.peer, reason);
  }

  lost(reason: string): void {
    this.close(reason);
  }

  close(reason: string): void {
    if (this.ended) return;
    this.ended = true;
    this.timer.cancel();
    const error = new OperatingError('disconnected', `lost ${this.peer}: ${reason}`);
    for (const channel of this.channels.values()) channel.close(error);
    endConnection(this.connection, reason);
    this.init.owner.ended(this, reason);
  }

  private heartbeat(): void {
    const { clock, limits, control } = this.init;
    control.beat();
    this.timer = clock.setTimer(limits.heartbeatMs, () => {
      // Counted in own heartbeats, not in time: a process that was paused itself accuses nobody (SCENARIOS 64).
      this.silentHeartbeats = this.alive ? 0 : this.silentHeartbeats + 1;
      this.alive = false;
      if (this.silentHeartbeats >= limits.silentHeartbeatsMax) this.close('silent');
      else this.heartbeat();
    });
  }
}
