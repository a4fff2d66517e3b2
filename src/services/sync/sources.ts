import type { Clock } from '../../ports/clock.ts';
import type { PeerId } from '../../ports/transport.ts';
import type { SyncLimits } from './limits.ts';

interface Source {
  /** Head that the peer last said it has; null before it said anything. */
  claim: number | null;
  /** Monotonic milliseconds until which it is left out. */
  avoidUntilMs: number;
  penaltyMs: number;
  silenceMs: number;
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
      const { penaltyMs, silenceMs } = this.limits;
      source = { claim: null, avoidUntilMs: 0, penaltyMs, silenceMs, used: 0 };
      this.byPeer.set(peer, source);
    }
    return source;
  }

  claim(peer: PeerId, height: number): void {
    this.of(peer).claim = height;
  }

  /**
   * The highest head that more than `liars` peers out of penalty claim, or have passed; that of the lowest where so few claim any.
   * 0 when nobody does.
   */
  claimed(peers: readonly PeerId[], liars: number): number {
    const now = this.clock.monotonicMs();
    const sources = peers.flatMap(peer => this.byPeer.get(peer) ?? []);
    const usable = sources.filter(({ avoidUntilMs }) => avoidUntilMs <= now);
    const claims = usable.flatMap(({ claim }) => claim ?? []).sort((a, b) => b - a);
    return claims[Math.min(liars, claims.length - 1)] ?? 0;
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

  /** How long until one that is left out now may be asked again; null when none is left out. */
  waitMs(peers: readonly PeerId[]): number | null {
    const now = this.clock.monotonicMs();
    const left = peers.map(peer => (this.byPeer.get(peer)?.avoidUntilMs ?? 0) - now).filter(ms => ms > 0);
    return left.length === 0 ? null : Math.min(...left);
  }

  /** Leaves a peer out, and forgets its claim: it has been shown to be worth nothing. */
  penalise(peer: PeerId): void {
    const source = this.of(peer);
    source.claim = null;
    source.avoidUntilMs = this.clock.monotonicMs() + source.penaltyMs;
    source.penaltyMs = Math.min(source.penaltyMs * 2, this.limits.penaltyMsMax);
  }

  /** As for a bad answer, but milder: who claims a high head and is silent must not cost a time-out again and again. */
  silent(peer: PeerId): void {
    const source = this.of(peer);
    source.claim = null;
    source.avoidUntilMs = Math.max(source.avoidUntilMs, this.clock.monotonicMs() + source.silenceMs);
    source.silenceMs = Math.min(source.silenceMs * 2, this.limits.silenceMsMax);
  }

  helped(peer: PeerId): void {
    const { penaltyMs, silenceMs } = this.limits;
    Object.assign(this.of(peer), { penaltyMs, silenceMs });
  }

  /** Forgets all others, but not their penalties: a liar would only have to connect again. */
  keepOnly(peers: readonly PeerId[]): void {
    for (const peer of this.byPeer.keys())
      if (!peers.includes(peer) && this.isUsable(peer)) this.byPeer.delete(peer);
  }
}
