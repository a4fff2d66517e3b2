import { memberOfPeer } from '../core/ledger/read.ts';
import type { Clock, Timer } from '../ports/clock.ts';
import type { PeerId, Transport } from '../ports/transport.ts';
import type { ChainReader } from '../services/consensus/chain-reader.ts';

export interface ValidatorAddresses {
  readonly peerId: PeerId;
  /** Multiaddrs. */
  readonly addresses: readonly string[];
}

/** Between a new link and the end of those that it makes needless: a validator may let this node in, and at once out again. */
const SETTLE_MS = 1000;

/** Whom a consensus node lets in and whom it keeps a link to. */
export class ConsensusLinks {
  /** Peers of the configuration, this node left out. */
  readonly configured: readonly PeerId[];
  private readonly kept = new Set<PeerId>();
  private candidates = '';
  /** Who gives this node no blocks: it was removed itself, or does not know of a proposal to add this node. */
  private readonly refusing = new Set<PeerId>();

  private settling: Timer | null = null;

  constructor(
    private readonly chain: ChainReader,
    private readonly transport: Transport,
    private readonly clock: Pick<Clock, 'setTimer'>,
    private readonly places: readonly ValidatorAddresses[],
    private readonly self: {
      /** With the keys that it has, by the set of its state. */
      readonly votes: () => boolean;
      /** Validators of the state that is built anew, as it was; null where the state is whole. */
      readonly rebuilding: () => readonly ValidatorAddresses[] | null;
    },
  ) {
    this.configured = places.map(({ peerId }) => peerId).filter(peer => peer !== transport.peerId);
  }

  /** Who may have blocks, whatever the set of this node's state: whom the operator vouches for, and those of a state that is lost. */
  get vouched(): readonly PeerId[] {
    const lost = (this.self.rebuilding() ?? []).map(({ peerId }) => peerId);
    return [...new Set([...this.configured, ...lost])].filter(peer => peer !== this.transport.peerId);
  }

  /** Before the transport starts. */
  register(): void {
    const { chain, transport } = this;
    transport.setGate(peer => this.admits(peer));
    const connected = (peer: PeerId) => {
      if (!chain.validatorPeers().includes(peer) || this.settling !== null) return;
      this.settling = this.clock.setTimer(SETTLE_MS, () => {
        this.settling = null;
        transport.recheckGate();
      });
    };
    transport.onEvents({ connected, disconnected: () => {} });
  }

  stop(): void {
    this.settling?.cancel();
  }

  /**
   * Validators of the current set and of open proposals, and nodes of active members; nobody else [65]. Whoever reaches a
   * quorum of the set that it knows hears of the next set from it. One that does not may have slept while all of that set
   * were removed, as has one whom those of that set refuse, or has lost its disk, and with it the right to vote: it also lets in those that its operator configured, and learns from
   * them (SCENARIOS 50, 57). So does one whose state is built anew: it is of an earlier height, at which this node may have been alone [68].
   */
  private admits(peer: PeerId): boolean {
    const { chain, configured } = this;
    if (chain.validatorPeers().includes(peer) || chain.candidatePeers().includes(peer)) return true;
    if (this.self.rebuilding() !== null && this.vouched.includes(peer)) return true;
    if (configured.includes(peer) && !chain.reachesQuorum(this.self.votes(), this.refusing)) return true;
    return memberOfPeer(chain.system(), peer) !== null;
  }

  /** A peer does not take this node for a validator. */
  refused(peer: PeerId): void {
    if (this.refusing.has(peer)) return;
    this.refusing.add(peer);
    this.transport.recheckGate();
  }

  /** After each block. @param changed validators or members are others; candidates also go when their proposal expires */
  committed(changed: boolean): void {
    // the sets of earlier heights pass by, block after block
    if (this.self.rebuilding()?.length) return;
    const candidates = this.chain.candidatePeers().join(' ');
    this.refusing.clear();
    if (!changed && candidates === this.candidates) return;
    this.candidates = candidates;
    this.follow();
  }

  /** Other peers than before may be linked to. */
  follow(): void {
    this.transport.recheckGate();
    this.connect();
  }

  /**
   * Keeps a link to every other validator of the current set: where the configuration says or, for one that came by a
   * proposal, where the chain says.
   */
  connect(): void {
    const lost = this.self.rebuilding();
    const current = new Set([...this.chain.validatorPeers(), ...(lost === null ? [] : this.vouched)]);
    const { addresses: placed } = this.chain.system().governance;
    const places = new Map<PeerId, readonly string[]>();
    const known = (lost ?? []).filter(({ addresses }) => addresses.length > 0);
    for (const { peerId, addresses } of [...placed, ...known, ...this.places]) places.set(peerId, addresses);
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
