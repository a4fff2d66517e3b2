import type { MultiaddrConnection } from '@libp2p/interface';
import type { Clock } from '../ports/clock.ts';
import { hostGroup } from './known-hosts.ts';
import type { LinkLimits } from './limits.ts';

interface Pending {
  readonly connection: MultiaddrConnection;
  readonly host: string;
  readonly known: boolean;
  readonly sinceMs: number;
}

/**
 * Which connections may begin their handshake (SCENARIOS 65). Hosts that proved or are configured to be peers' have places
 * of their own, so that half-open sockets of strangers do not take them. Where the places are all taken, a handshake that
 * has made no end for a while yields to the newcomer. libp2p has one count for all, which allow-listed hosts overrun.
 */
export class InboundGate {
  /** Oldest first. */
  private readonly pending = new Map<MultiaddrConnection, Pending>();

  constructor(
    private readonly clock: Clock,
    private readonly limits: LinkLimits,
    private readonly isKnown: (host: string) => boolean,
  ) {}

  /** @returns true when the connection is to be closed at once */
  denies(connection: MultiaddrConnection): boolean {
    const { pendingPerKnownHostMax, pendingPerHostMax, pendingConnectionsMax } = this.limits;
    const host = hostGroup(connection.remoteAddr.toString()) ?? '';
    const known = this.isKnown(host);
    const pool = [...this.pending.values()].filter(other => other.known === known);
    const ofHost = pool.filter(other => other.host === host);
    if (!this.hasRoom(ofHost, known ? pendingPerKnownHostMax : pendingPerHostMax)) return true;
    if (!this.hasRoom(pool, pendingConnectionsMax)) return true;
    this.pending.set(connection, { connection, host, known, sinceMs: this.clock.monotonicMs() });
    connection.addEventListener('close', () => this.settled(connection));
    return false;
  }

  /** The handshake is over. */
  settled(connection: MultiaddrConnection): void {
    this.pending.delete(connection);
  }

  private hasRoom(taken: readonly Pending[], countMax: number): boolean {
    const still = taken.filter(({ connection }) => this.pending.has(connection));
    if (still.length < countMax) return true;
    const [oldest] = still;
    if (oldest === undefined || this.clock.monotonicMs() - oldest.sinceMs < this.limits.pendingGraceMs)
      return false;
    this.settled(oldest.connection);
    oldest.connection.abort(new Error('made no progress, and others wait'));
    return true;
  }
}
