import type { Clock, Timer } from '../../ports/clock.ts';
import type { PeerId, Transport } from '../../ports/transport.ts';

export interface PrimaryWatchConfig {
  readonly transport: Transport;
  readonly clock: Clock;
  /** How long a lost connection may take to come back before it counts. */
  readonly graceMs: number;
  /** Peer id of the current view's primary; null before the start. */
  primary(): PeerId | null;
  /** The primary has been gone for longer than the grace. */
  gone(): void;
}

/**
 * Notices that the connection to the primary broke and does not come back, which is sooner than that its view times out.
 * Peers that were never connected do not count: a network that starts needs time to link up.
 */
export class PrimaryWatch {
  /** Peers whose grace is over. */
  private readonly lost = new Set<PeerId>();
  private readonly timers = new Map<PeerId, Timer>();
  private stopped = false;

  constructor(private readonly config: PrimaryWatchConfig) {}

  /** Before the transport starts. */
  register(): void {
    const { transport, clock, graceMs } = this.config;
    transport.onEvents({
      connected: peer => {
        this.lost.delete(peer);
        this.cancel(peer);
      },
      disconnected: peer => {
        this.cancel(peer);
        // Links that this node closes by stopping say nothing about the primary.
        if (this.stopped) return;
        const expired = () => {
          this.timers.delete(peer);
          this.lost.add(peer);
          this.check();
        };
        this.timers.set(peer, clock.setTimer(graceMs, expired));
      },
    });
  }

  /** Also when a transaction starts to wait, and when the view has changed. */
  check(): void {
    const primary = this.config.primary();
    if (primary !== null && !this.stopped && this.lost.has(primary)) this.config.gone();
  }

  stop(): void {
    this.stopped = true;
    for (const peer of [...this.timers.keys()]) this.cancel(peer);
    this.lost.clear();
  }

  private cancel(peer: PeerId): void {
    this.timers.get(peer)?.cancel();
    this.timers.delete(peer);
  }
}
