import type { Clock } from '../../ports/clock.ts';
import type { PeerId } from '../../ports/transport.ts';
import type { SyncLimits } from './limits.ts';

interface Source {
  /** Head that the peer last said it has; null before it said anything. */
  claim: number | null;
  /** Monotonic milliseconds until which it is left out. */
  avoidUntilMs: number;
  penaltyMs: number;
  /** Order of the last use, for taking turns. */
  used: number;
}

/** Which peer to ask next: those that claim more than this node has, in turn, liars left out for a while. */
export class Sources {
  private readonly byPeer = new Map<PeerId, Source>();
  private uses = 0;

  constructor(
    private readonly clock: Clock,
    private readonly limits: SyncLimits,
  ) {}

  private of(peer: PeerId): Source {
    let source = this.byPeer.get(peer);
    if (source === undefined) {
      source = { claim: null, avoidUntilMs: 0, penaltyMs: this.limits.penaltyMs, used: 0 };
      this.byPeer.set(peer, source);
    }
    return source;
  }

  claim(peer: PeerId, height: number): void {
    this.of(peer).claim = height;
  }

  /** The highest head that a peer out of penalty claims. */
  highestClaim(peers: readonly PeerId[]): number {
    const now = this.clock.monotonicMs();
    let highest = 0;
    for (const peer of peers) {
      const source = this.byPeer.get(peer);
      if (source !== undefined && source.avoidUntilMs <= now) highest = Math.max(highest, source.claim ?? 0);
    }
    return highest;
  }

  /**
   * @param askAll also peers that did not claim more: their claim may be old
   * @param tried peers that could not help in this round
   */
  next(peers: readonly PeerId[], head: number, askAll: boolean, tried: ReadonlySet<PeerId>): PeerId | null {
    const now = this.clock.monotonicMs();
    const usable = peers.filter(peer => {
      if (tried.has(peer)) return false;
      const source = this.of(peer);
      return source.avoidUntilMs <= now && (askAll || (source.claim ?? 0) > head);
    });
    usable.sort((a, b) => {
      const ahead = Number((this.of(b).claim ?? 0) > head) - Number((this.of(a).claim ?? 0) > head);
      return ahead || this.of(a).used - this.of(b).used;
    });
    const chosen = usable[0] ?? null;
    if (chosen !== null) {
      this.uses += 1;
      this.of(chosen).used = this.uses;
    }
    return chosen;
  }

  isUsable(peer: PeerId): boolean {
    return (this.byPeer.get(peer)?.avoidUntilMs ?? 0) <= this.clock.monotonicMs();
  }

  /** Leaves a peer out, and forgets its claim: it has been shown to be worth nothing. */
  penalise(peer: PeerId): void {
    const source = this.of(peer);
    source.claim = null;
    source.avoidUntilMs = this.clock.monotonicMs() + source.penaltyMs;
    source.penaltyMs = Math.min(source.penaltyMs * 2, this.limits.penaltyMsMax);
  }

  helped(peer: PeerId): void {
    this.of(peer).penaltyMs = this.limits.penaltyMs;
  }

  /** Forgets all others, but not their penalties: a liar would only have to connect again. */
  keepOnly(peers: readonly PeerId[]): void {
    for (const peer of this.byPeer.keys())
      if (!peers.includes(peer) && this.isUsable(peer)) this.byPeer.delete(peer);
  }
}
