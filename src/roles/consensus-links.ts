import { memberOfPeer } from '../core/ledger/read.ts';
import type { PeerId, Transport } from '../ports/transport.ts';
import type { ChainReader } from '../services/consensus/chain-reader.ts';

export interface ValidatorAddresses {
  readonly peerId: PeerId;
  /** Multiaddrs. */
  readonly addresses: readonly string[];
}

/** Whom a consensus node lets in and whom it keeps a link to. */
export class ConsensusLinks {
  /** Peers of the configuration, this node left out. */
  readonly configured: readonly PeerId[];
  private readonly kept = new Set<PeerId>();
  private candidates = '';

  constructor(
    private readonly chain: ChainReader,
    private readonly transport: Transport,
    private readonly places: readonly ValidatorAddresses[],
  ) {
    this.configured = places.map(({ peerId }) => peerId).filter(peer => peer !== transport.peerId);
  }

  /** Before the transport starts. */
  register(): void {
    const { chain, transport } = this;
    transport.setGate(peer => this.admits(peer));
    const connected = (peer: PeerId) => {
      if (chain.validatorPeers().includes(peer)) transport.recheckGate();
    };
    transport.onEvents({ connected, disconnected: () => {} });
  }

  /**
   * Validators of the current set and of open proposals, and nodes of active members; nobody else [65]. Whoever reaches a
   * quorum of the set that it knows hears of the next set from it. One that does not may have slept while all of that set
   * were removed: it also lets in those that its operator configured, and learns from them (SCENARIOS 50, 57).
   */
  private admits(peer: PeerId): boolean {
    const { chain, configured } = this;
    if (chain.validatorPeers().includes(peer) || chain.candidatePeers().includes(peer)) return true;
    if (configured.includes(peer) && !chain.reachesQuorum()) return true;
    return memberOfPeer(chain.system(), peer) !== null;
  }

  /** After each block. @param changed validators or members are others; candidates also go when their proposal expires */
  committed(changed: boolean): void {
    const candidates = this.chain.candidatePeers().join(' ');
    if (!changed && candidates === this.candidates) return;
    this.candidates = candidates;
    this.transport.recheckGate();
    this.connect();
  }

  /**
   * Keeps a link to every other validator of the current set: where the configuration says or, for one that came by a
   * proposal, where the chain says.
   */
  connect(): void {
    const current = new Set(this.chain.validatorPeers());
    const places = new Map<PeerId, readonly string[]>(
      this.chain.system().governance.addresses.map(({ peerId, addresses }) => [peerId, addresses]),
    );
    for (const { peerId, addresses } of this.places) places.set(peerId, addresses);
    for (const peer of this.kept) if (!current.has(peer)) this.transport.release(peer);
    this.kept.clear();
    for (const peer of current) {
      const addresses = places.get(peer);
      if (addresses === undefined) continue;
      this.kept.add(peer);
      this.transport.keepConnected(peer, addresses);
    }
  }
}
