import type { MemberId } from '../../core/base/ids.ts';
import type { Clock } from '../../ports/clock.ts';
import type { PeerId, Transport } from '../../ports/transport.ts';
import type { FileLedger } from './ledger.ts';
import type { FilesLimits } from './limits.ts';

export interface HoldersConfig {
  readonly ledger: FileLedger;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly limits: FilesLimits;
}

/**
 * Since when this node has had no link to a member's nodes. A receipt stays in the log when its holder's node is gone for good;
 * what is not reached for `holderGoneMs` does not count as a copy in the placement any more.
 */
export class Holders {
  /** Monotonic milliseconds of the last link, or of the first time that the member was asked for. */
  private readonly seenMs = new Map<MemberId, number>();

  constructor(private readonly config: HoldersConfig) {}

  /** A link to the peer began or ended. */
  seen(peer: PeerId): void {
    const member = this.config.ledger.memberOfPeer(peer);
    if (member !== null) this.seenMs.set(member, this.config.clock.monotonicMs());
  }

  /** Those of `members` that no link has reached for too long; never the own one. */
  gone(members: readonly MemberId[]): readonly MemberId[] {
    const connected = new Set(
      this.config.transport.peers().flatMap(info => (info.connected ? [info.peer] : [])),
    );
    return members.filter(member => this.isGone(member, connected));
  }

  private isGone(member: MemberId, connected: ReadonlySet<PeerId>): boolean {
    const { clock, ledger, limits } = this.config;
    if (member === ledger.member) return false;
    const nowMs = clock.monotonicMs();
    const seenMs = this.seenMs.get(member);
    const linked = ledger.peersOf(member).some(peer => connected.has(peer));
    if (linked || seenMs === undefined) {
      this.seenMs.set(member, nowMs);
      return false;
    }
    return nowMs - seenMs > limits.holderGoneMs;
  }
}
