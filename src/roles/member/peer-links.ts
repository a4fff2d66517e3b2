import { isSuspended, mayAct } from '../../core/access/standing.ts';
import type { MemberId } from '../../core/base/ids.ts';
import { findMember } from '../../core/ledger/index.ts';
import type { Clock, Timer } from '../../ports/clock.ts';
import { OperatingError, type Service } from '../../ports/lifecycle.ts';
import type { PeerId, Transport } from '../../ports/transport.ts';
import type { LightClient } from '../../services/light-client/light-client.ts';

/** How often the addresses of peers that are not connected are asked for again. */
const REFRESH_MS = 2_000;

/** Keeps links to the nodes of the members that share a phase with this one: files travel over them. */
export class PeerLinks implements Service {
  private timer: Timer | null = null;
  private readonly kept = new Set<PeerId>();
  private stopped = false;
  private refreshing: Promise<void> = Promise.resolve();

  constructor(
    private readonly light: LightClient,
    private readonly transport: Transport,
    private readonly member: MemberId,
    private readonly clock: Clock,
  ) {}

  async start(): Promise<void> {
    this.schedule();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.timer?.cancel();
    await this.refreshing;
  }

  /** Links to new companions, and none to those that are no longer. */
  refresh(): Promise<void> {
    this.refreshing = this.refreshing.then(() => this.relink());
    return this.refreshing;
  }

  /** True for the nodes that this one wants to be linked to. */
  keeps(peer: PeerId): boolean {
    return this.companionPeers().has(peer);
  }

  private async relink(): Promise<void> {
    if (this.stopped) return;
    const wanted = this.companionPeers();
    for (const peer of this.kept) {
      if (wanted.has(peer)) continue;
      this.kept.delete(peer);
      this.transport.release(peer);
    }
    const connected = new Set(
      this.transport
        .peers()
        .filter(peer => peer.connected)
        .map(({ peer }) => peer),
    );
    const lost = new Set([...wanted].filter(([peer]) => !connected.has(peer)).map(([, member]) => member));
    if (lost.size === 0) return;
    for (const { peer, addresses } of await this.addresses([...lost])) {
      if (!wanted.has(peer) || addresses.length === 0) continue;
      this.kept.add(peer);
      this.transport.keepConnected(peer, addresses);
    }
  }

  private async addresses(members: readonly MemberId[]) {
    try {
      return await this.light.addressesOf(members);
    } catch (error) {
      if (error instanceof OperatingError) return [];
      throw error;
    }
  }

  /** Peer ids of the other members in this member's phases, and of their owners under manager custody. */
  private companionPeers(): Map<PeerId, MemberId> {
    const system = this.light.system();
    const members = new Set<MemberId>();
    if (isSuspended(system, this.member)) return new Map();
    for (const phase of this.light.phases()) {
      const inside =
        phase.owner === this.member || phase.participants.some(entry => entry.member === this.member);
      if (inside) for (const entry of phase.participants) members.add(entry.member);
    }
    members.delete(this.member);
    const peers = new Map<PeerId, MemberId>();
    for (const id of members) {
      const found = findMember(system, id);
      if (found !== null && mayAct(found)) for (const peer of found.peerIds) peers.set(peer, id);
    }
    return peers;
  }

  private schedule(): void {
    this.timer = this.clock.setTimer(REFRESH_MS, () => {
      void this.refresh().then(() => {
        if (!this.stopped) this.schedule();
      });
    });
  }
}
