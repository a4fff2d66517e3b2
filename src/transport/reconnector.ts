import type { Clock, Timer } from '../ports/clock.ts';
import type { PeerId } from '../ports/transport.ts';
import type { LinkLimits } from './limits.ts';

interface Kept {
  addresses: readonly string[];
  attempts: number;
  dialing: boolean;
  timer: Timer | null;
  connectedAtMs: number;
}

export interface Dialer {
  connected(peer: PeerId): boolean;
  /** Resolves when the attempt is over; whether it made a link is asked with `connected`. */
  dial(peer: PeerId, addresses: readonly string[]): Promise<void>;
  /** In [0, 1). */
  jitter(): number;
}

/** Keeps links up: libp2p's keep-alive tags give up after five tries, this does not. */
export class Reconnector {
  private readonly kept = new Map<PeerId, Kept>();

  constructor(
    private readonly clock: Clock,
    private readonly limits: LinkLimits,
    private readonly dialer: Dialer,
  ) {}

  keep(peer: PeerId, addresses: readonly string[]): void {
    const known = this.kept.get(peer);
    if (known === undefined) {
      this.kept.set(peer, { addresses, attempts: 0, dialing: false, timer: null, connectedAtMs: 0 });
    } else {
      known.addresses = addresses;
    }
    this.kick(peer);
  }

  release(peer: PeerId): void {
    this.kept.get(peer)?.timer?.cancel();
    this.kept.delete(peer);
  }

  addresses(peer: PeerId): readonly string[] | null {
    return this.kept.get(peer)?.addresses ?? null;
  }

  peers(): readonly PeerId[] {
    return [...this.kept.keys()];
  }

  /** Dials now, whatever the back-off says. */
  kick(peer: PeerId): void {
    const kept = this.kept.get(peer);
    if (kept === undefined) return;
    kept.attempts = 0;
    kept.timer?.cancel();
    kept.timer = null;
    void this.attempt(peer, kept);
  }

  linked(peer: PeerId): void {
    const kept = this.kept.get(peer);
    if (kept !== undefined) kept.connectedAtMs = this.clock.monotonicMs();
  }

  lost(peer: PeerId): void {
    const kept = this.kept.get(peer);
    if (kept === undefined) return;
    // A link that lasted earns a fresh start; one that is cut at once keeps its back-off.
    if (this.clock.monotonicMs() - kept.connectedAtMs >= this.limits.reconnectMsMax) kept.attempts = 0;
    this.schedule(peer, kept);
  }

  stop(): void {
    for (const peer of [...this.kept.keys()]) this.release(peer);
  }

  private schedule(peer: PeerId, kept: Kept): void {
    if (kept.timer !== null || kept.dialing || this.kept.get(peer) !== kept) return;
    const { reconnectMsMin, reconnectMsMax } = this.limits;
    const backOffMs = Math.min(reconnectMsMax, reconnectMsMin * 2 ** Math.min(kept.attempts, 30));
    kept.attempts += 1;
    kept.timer = this.clock.setTimer(backOffMs * (0.5 + this.dialer.jitter() / 2), () => {
      kept.timer = null;
      void this.attempt(peer, kept);
    });
  }

  private async attempt(peer: PeerId, kept: Kept): Promise<void> {
    if (kept.dialing || this.dialer.connected(peer)) return;
    kept.dialing = true;
    await this.dialer.dial(peer, kept.addresses);
    kept.dialing = false;
    if (!this.dialer.connected(peer)) this.schedule(peer, kept);
  }
}
