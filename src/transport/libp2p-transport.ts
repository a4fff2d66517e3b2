import './polyfill.ts';
import { randomInt } from 'node:crypto';
import type { Connection, Libp2p, Stream } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import { assert } from '../core/base/assert.ts';
import { utf8, utf8Decode } from '../core/base/bytes.ts';
import { parseLinkAddress } from '../core/base/link-address.ts';
import { isReject, type Reject } from '../core/base/reject.ts';
import type { Clock, Timer } from '../ports/clock.ts';
import { OperatingError } from '../ports/lifecycle.ts';
import type { Logger } from '../ports/logger.ts';
import type {
  PeerId,
  PeerInfo,
  ProtocolHandler,
  ProtocolOptions,
  Transport,
  TransportEvents,
} from '../ports/transport.ts';
import type { Protocol } from './channel.ts';
import { ControlStream } from './control-stream.ts';
import { endConnection } from './end-connection.ts';
import { decodeProtocols, encodeProtocols, FRAME_KINDS, type Frame } from './frame.ts';
import { peerIdOf } from './identity.ts';
import { InboundGate } from './inbound-gate.ts';
import { KnownHosts } from './known-hosts.ts';
import { buildNode, startNode } from './libp2p-node.ts';
import { LINK_LIMITS, type LinkLimits } from './limits.ts';
import { PenaltyBox } from './penalty-box.ts';
import { Reconnector } from './reconnector.ts';
import { Session, type SessionOwner } from './session.ts';

const LINK_PROTOCOL = '/phaseline/link/1';

export interface Libp2pTransportOptions {
  /** Ed25519 seed, 32 bytes: the node's transport identity. */
  readonly privateKeySeed: Uint8Array;
  /** Multiaddrs, e.g. `/ip4/127.0.0.1/tcp/0`; empty for a node that only dials. */
  readonly listen: readonly string[];
  readonly logger: Logger;
  readonly clock: Clock;
  readonly limits?: Partial<LinkLimits>;
}

/** @throws OperatingError from `start`: `port_taken`, `cannot_listen` */
export async function createLibp2pTransport(options: Libp2pTransportOptions): Promise<Transport> {
  return new Libp2pTransport(await peerIdOf(options.privateKeySeed), options);
}

class Libp2pTransport implements Transport, SessionOwner {
  private readonly clock: Clock;
  private readonly logger: Logger;
  private readonly limits: LinkLimits;
  private readonly protocols = new Map<string, Protocol>();
  private readonly listeners: TransportEvents[] = [];
  private readonly sessions = new Map<PeerId, Session>();
  /** Own hellos without an answer yet: at most one a peer. */
  private readonly hellos = new Map<PeerId, Connection>();
  private readonly handshakes = new Map<string, Timer>();
  private readonly penalties: PenaltyBox;
  private readonly reconnector: Reconnector;
  private readonly knownHosts: KnownHosts;
  private gate: (peer: PeerId) => boolean = () => true;
  private node: Libp2p | null = null;
  private stopping = new AbortController();

  constructor(
    readonly peerId: PeerId,
    private readonly options: Libp2pTransportOptions,
  ) {
    this.clock = options.clock;
    this.logger = options.logger;
    this.limits = { ...LINK_LIMITS, ...options.limits };
    this.penalties = new PenaltyBox(this.clock, this.limits);
    this.reconnector = new Reconnector(this.clock, this.limits, {
      connected: peer => this.sessions.has(peer),
      dial: (peer, addresses) => this.dial(peer, addresses),
      jitter: () => randomInt(1 << 24) / (1 << 24),
    });
    this.knownHosts = new KnownHosts(this.limits.knownHostsMax, () =>
      this.reconnector.peers().flatMap(peer => this.reconnector.addresses(peer) ?? []),
    );
  }

  async start(): Promise<void> {
    const { privateKeySeed, listen } = this.options;
    const inbound = new InboundGate(this.clock, this.limits, host => this.knownHosts.has(host));
    const node = await buildNode(privateKeySeed, listen, this.limits, peer => this.admits(peer), inbound);
    await node.handle(LINK_PROTOCOL, (stream, connection) => this.onHello(stream, connection), {
      maxInboundStreams: 1,
    });
    for (const id of this.protocols.keys()) {
      await node.handle(id, (stream, connection) => this.onStream(id, stream, connection), {
        maxInboundStreams: 1,
      });
    }
    node.addEventListener('connection:open', event => this.onConnection(event.detail));
    node.addEventListener('connection:close', event => this.forgetHandshake(event.detail));
    await startNode(node, listen);
    this.node = node;
    for (const peer of this.reconnector.peers()) this.reconnector.kick(peer);
  }

  async stop(): Promise<void> {
    const { node } = this;
    if (node === null) return;
    this.node = null;
    this.stopping.abort();
    this.reconnector.stop();
    for (const session of [...this.sessions.values()]) session.close('stopped');
    for (const timer of this.handshakes.values()) timer.cancel();
    this.handshakes.clear();
    await node.stop();
  }

  addresses(): readonly string[] {
    const addresses = this.node?.getMultiaddrs().map(address => address.toString()) ?? [];
    return addresses.filter(address => parseLinkAddress(address) !== null);
  }

  register(options: ProtocolOptions, handler: ProtocolHandler): void {
    assert(this.node === null, 'protocols are registered before start');
    assert(!this.protocols.has(options.id), `${options.id} is registered once`);
    assert(this.protocols.size < this.limits.protocolsMax, 'the number of protocols is bounded');
    this.protocols.set(options.id, { options, handler });
  }

  setGate(admit: (peer: PeerId) => boolean): void {
    this.gate = admit;
  }

  recheckGate(): void {
    for (const session of [...this.sessions.values()]) {
      if (!this.gate(session.peer)) session.close('not_admitted');
    }
    for (const peer of this.reconnector.peers()) if (!this.sessions.has(peer)) this.reconnector.kick(peer);
  }

  onEvents(events: TransportEvents): void {
    this.listeners.push(events);
  }

  keepConnected(peer: PeerId, addresses: readonly string[]): void {
    if (peer === this.peerId) return;
    const usable = addresses.filter(address => isAddressOf(peer, address));
    if (usable.length < addresses.length) {
      this.logger.warn(
        { peer, refused: addresses.length - usable.length },
        'addresses that are none of a peer',
      );
    }
    this.reconnector.keep(peer, usable.slice(0, this.limits.addressesPerPeerMax));
    this.knownHosts.keptChanged();
  }

  release(peer: PeerId): void {
    this.reconnector.release(peer);
    this.knownHosts.keptChanged();
    this.sessions.get(peer)?.close('released');
  }

  peers(): readonly PeerInfo[] {
    const known = new Set([...this.reconnector.peers(), ...this.sessions.keys()]);
    return [...known].map(peer => {
      const session = this.sessions.get(peer);
      const remote = session === undefined ? [] : [session.connection.remoteAddr.toString()];
      const addresses = this.reconnector.addresses(peer) ?? remote;
      return { peer, connected: session?.ready ?? false, addresses };
    });
  }

  send(peer: PeerId, protocol: string, frame: Uint8Array): boolean {
    return this.sessions.get(peer)?.send(protocol, frame) ?? false;
  }

  request(
    peer: PeerId,
    protocol: string,
    frame: Uint8Array,
    options: { timeoutMs: number; signal?: AbortSignal },
  ): Promise<Uint8Array | Reject> {
    const session = this.sessions.get(peer);
    if (session?.ready) return session.request(protocol, frame, options);
    return Promise.reject(new OperatingError('disconnected', `${peer} is not connected`));
  }

  ready(session: Session): void {
    this.logger.debug({ peer: session.peer, direction: session.connection.direction }, 'peer connected');
    this.reconnector.linked(session.peer);
    this.knownHosts.noteLink(session.connection.remoteAddr.toString());
    for (const listener of this.listeners) listener.connected(session.peer);
  }

  ended(session: Session, reason: string): void {
    if (this.sessions.get(session.peer) === session) this.sessions.delete(session.peer);
    this.logger.debug({ peer: session.peer, reason }, 'peer disconnected');
    if (session.ready) for (const listener of this.listeners) listener.disconnected(session.peer);
    this.reconnector.lost(session.peer);
  }

  penalise(peer: PeerId, reason: string): void {
    const penaltyMs = this.penalties.add(peer);
    this.logger.warn({ peer, reason, penaltyMs }, 'peer penalised');
    this.sessions.get(peer)?.close(`penalised: ${reason}`);
  }

  private admits(peer: PeerId): boolean {
    return !this.penalties.has(peer) && this.gate(peer);
  }

  /** Everything from a hello on is bounded by this; aborted by `stop` too. */
  private deadline(): AbortSignal {
    const { dialTimeoutMs, handshakeTimeoutMs } = this.limits;
    return AbortSignal.any([this.stopping.signal, AbortSignal.timeout(dialTimeoutMs + handshakeTimeoutMs)]);
  }

  private async dial(peer: PeerId, addresses: readonly string[]): Promise<void> {
    if (this.node === null || addresses.length === 0 || !this.admits(peer)) return;
    const signal = this.deadline();
    const suffix = `/p2p/${peer}`;
    try {
      const targets = addresses.map(address =>
        multiaddr(address.endsWith(suffix) ? address : address + suffix),
      );
      const connection = await this.node.dial(targets, { signal, force: true });
      if (this.sessions.has(peer) || signal.aborted) endConnection(connection, 'not needed');
      else await this.greet(peer, connection, signal);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.logger.debug({ peer, reason }, 'peer not reached');
    }
  }

  private async greet(peer: PeerId, connection: Connection, signal: AbortSignal): Promise<void> {
    this.hellos.set(peer, connection);
    try {
      const control = this.control(await connection.newStream(LINK_PROTOCOL, { signal }));
      control.send(FRAME_KINDS.hello, encodeProtocols([...this.protocols.keys()]));
      const answer = await control.next(this.limits.handshakeTimeoutMs);
      const superseded = this.hellos.get(peer) !== connection;
      const spoken = answer?.kind === FRAME_KINDS.accept ? this.protocolsIn(answer) : null;
      if (spoken !== null && !superseded && this.node !== null) {
        await this.adopt(peer, connection, control, spoken).openStreams(signal);
        return;
      }
      const reason = answer?.kind === FRAME_KINDS.refuse ? utf8Decode(answer.payload) : 'no acceptance';
      endConnection(connection, `not linked: ${reason}`);
      this.logger.debug({ peer, reason, superseded }, 'hello not accepted');
    } finally {
      if (this.hellos.get(peer) === connection) this.hellos.delete(peer);
    }
  }

  private protocolsIn(frame: Frame): readonly string[] | null {
    const spoken = decodeProtocols(frame.payload, this.limits.protocolsMax);
    return isReject(spoken) ? null : spoken;
  }

  /**
   * The side that was dialed decides, so that simultaneous dials leave one link and no event twice: while an own hello is
   * on its way, the one of the smaller peer id wins. A hello that comes while a link stands means that the peer has lost it.
   */
  private async onHello(stream: Stream, connection: Connection): Promise<void> {
    const peer = connection.remotePeer.toString();
    const control = this.control(stream);
    const hello = await control.next(this.limits.handshakeTimeoutMs);
    const spoken = hello?.kind === FRAME_KINDS.hello ? this.protocolsIn(hello) : null;
    if (spoken === null || this.node === null) {
      endConnection(connection, 'no hello');
      return;
    }
    const own = this.hellos.get(peer);
    if (!this.admits(peer) || (own !== undefined && this.peerId < peer)) {
      control.send(FRAME_KINDS.refuse, utf8(own === undefined ? 'not_admitted' : 'duplicate'));
      return;
    }
    if (own !== undefined) endConnection(own, 'superseded');
    this.sessions.get(peer)?.close('replaced');
    this.forgetHandshake(connection);
    const session = this.adopt(peer, connection, control, spoken);
    control.send(FRAME_KINDS.accept, encodeProtocols([...this.protocols.keys()]));
    session.beginWhenAttached();
  }

  private onStream(protocol: string, stream: Stream, connection: Connection): void {
    const session = this.sessions.get(connection.remotePeer.toString());
    if (session?.connection.id === connection.id && session.attach(protocol, stream)) return;
    stream.abort(new Error('no link'));
  }

  private adopt(
    peer: PeerId,
    connection: Connection,
    control: ControlStream,
    spoken: readonly string[],
  ): Session {
    const { limits, clock, logger } = this;
    const protocols = [...this.protocols.values()].filter(protocol => spoken.includes(protocol.options.id));
    const session = new Session({ peer, connection, control, protocols, owner: this, limits, clock, logger });
    this.hellos.delete(peer);
    this.sessions.set(peer, session);
    return session;
  }

  private control(stream: Stream): ControlStream {
    return new ControlStream(stream, this.clock, this.limits.controlFrameBytesMax);
  }

  /** An inbound connection that never says hello is closed (SCENARIOS 65). */
  private onConnection(connection: Connection): void {
    if (connection.direction !== 'inbound') return;
    const timer = this.clock.setTimer(this.limits.handshakeTimeoutMs, () => {
      this.handshakes.delete(connection.id);
      endConnection(connection, 'no hello');
    });
    this.handshakes.set(connection.id, timer);
  }

  private forgetHandshake(connection: Connection): void {
    this.handshakes.get(connection.id)?.cancel();
    this.handshakes.delete(connection.id);
  }
}

/** Others told of some of these addresses: only plain ones of this very peer are dialed. */
function isAddressOf(peer: PeerId, text: string): boolean {
  const address = parseLinkAddress(text);
  if (address === null || (address.peer !== null && address.peer !== peer)) return false;
  try {
    multiaddr(`/${address.kind}/${address.host}/tcp/${address.port}`);
    return true;
  } catch {
    return false;
  }
}
