import type { Clock, Timer } from '../../ports/clock.ts';
import type { PeerId, Transport } from '../../ports/transport.ts';

export interface LostPeersConfig {
  readonly transport: Transport;
  readonly clock: Clock;
  /** How long a lost connection may take to come back before it counts. */
  readonly graceMs: number;
  /** How long the first connections may take after the start. */
  readonly startGraceMs: number;
  /** The peers that should be connected. */
  validators(): readonly PeerId[];
  /** Everybody whose grace is over, whenever that changes; those of one moment together. */
  lost(peers: readonly PeerId[]): void;
}

/**
 * Notices connections that broke and do not come back, which is sooner than a view times out. The engine decides what
 * follows (`core/pbft/complaints.ts`).
 */
export class LostPeers {
  /** Peers whose grace is over. */
  private readonly gone = new Set<PeerId>();
  private readonly timers = new Map<PeerId, Timer>();
  private starting: Timer | null = null;
  private reporting = false;
  private stopped = false;

  constructor(private readonly config: LostPeersConfig) {}

  /** Before the transport starts. */
  register(): void {
    const { transport, clock, graceMs, validators } = this.config;
    transport.onEvents({
      connected: peer => {
        this.cancel(peer);
        if (this.gone.delete(peer)) this.report();
      },
      disconnected: peer => {
        this.cancel(peer);
        // Links that this node closes by stopping say nothing about the others.
        if (this.stopped || !validators().includes(peer)) return;
        const expired = () => {
          this.timers.delete(peer);
          this.add([peer]);
        };
        this.timers.set(peer, clock.setTimer(graceMs, expired));
      },
    });
  }

  start(): void {
    const { transport, clock, startGraceMs, validators } = this.config;
    this.starting = clock.setTimer(startGraceMs, () => {
      const connected = transport.peers().flatMap(({ peer, connected }) => (connected ? [peer] : []));
      this.add(validators().filter(peer => !connected.includes(peer)));
    });
  }

  stop(): void {
    this.stopped = true;
    this.starting?.cancel();
    for (const peer of [...this.timers.keys()]) this.cancel(peer);
    this.gone.clear();
  }

  private add(peers: readonly PeerId[]): void {
    for (const peer of peers) this.gone.add(peer);
    if (peers.length > 0) this.report();
  }

  /** Several nodes that died together are one report, so that their views are skipped together. */
  private report(): void {
    if (this.reporting) return;
    this.reporting = true;
    this.config.clock.defer(() => {
      this.reporting = false;
      const validators = this.config.validators();
      for (const peer of this.gone) if (!validators.includes(peer)) this.gone.delete(peer);
      if (!this.stopped) this.config.lost([...this.gone]);
    });
  }

  private cancel(peer: PeerId): void {
    this.timers.get(peer)?.cancel();
    this.timers.delete(peer);
  }
}
