import type { Clock } from '../ports/clock.ts';
import type { PeerId } from '../ports/transport.ts';
import type { LinkLimits } from './limits.ts';

interface Entry {
  readonly untilMs: number;
  readonly penaltyMs: number;
}

/** Peers that broke a rule: refused for a while, longer each time, never for ever. */
export class PenaltyBox {
  private readonly entries = new Map<PeerId, Entry>();

  constructor(
    private readonly clock: Clock,
    private readonly limits: LinkLimits,
  ) {}

  /** @returns how long the peer is refused, in milliseconds */
  add(peer: PeerId): number {
    const now = this.clock.monotonicMs();
    const before = this.entries.get(peer);
    const doubled = before === undefined ? this.limits.penaltyMsMin : before.penaltyMs * 2;
    const penaltyMs = Math.min(doubled, this.limits.penaltyMsMax);
    this.entries.delete(peer);
    this.entries.set(peer, { untilMs: now + penaltyMs, penaltyMs });
    this.prune(now);
    return penaltyMs;
  }

  has(peer: PeerId): boolean {
    const entry = this.entries.get(peer);
    return entry !== undefined && entry.untilMs > this.clock.monotonicMs();
  }

  /** Served penalties are remembered for the longest penalty, so that the next one doubles. */
  private prune(now: number): void {
    for (const [peer, entry] of this.entries) {
      const forgotten = entry.untilMs + this.limits.penaltyMsMax < now;
      if (forgotten || this.entries.size > this.limits.penalisedPeersMax) this.entries.delete(peer);
    }
  }
}
