import { isReject, type Reject, reject } from '../../src/core/base/reject.ts';
import type { Clock, Timer } from '../../src/ports/clock.ts';
import { OperatingError } from '../../src/ports/lifecycle.ts';
import type {
  PeerId,
  PeerInfo,
  ProtocolHandler,
  ProtocolOptions,
  Transport,
  TransportEvents,
} from '../../src/ports/transport.ts';
import { joinedAnswer } from './joined-answer.ts';

// Taken at load, so that tests which fake timers do not stop the network.
const nextTick = globalThis.setImmediate;

/** Real timers that do not keep the process alive. */
export const realClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  setTimer: (delayMs, fire) => {
    const timer = setTimeout(fire, delayMs);
    timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
  defer: later => void nextTick(later),
};

interface Frame {
  readonly kind: 'message' | 'request' | 'response';
  readonly id: number;
  readonly bytes: Uint8Array;
  readonly refusal: Reject | null;
}

interface Protocol {
  readonly options: ProtocolOptions;
  readonly handler: ProtocolHandler;
}

interface Pending {
  readonly link: Link;
  readonly settle: (answer: Uint8Array | Reject | OperatingError) => void;
}

/** One direction of one protocol on a link. */
class Channel {
  readonly queue: Frame[] = [];
  bytes = 0;
  inFlight = 0;

  constructor(
    readonly from: MemoryTransport,
    readonly to: MemoryTransport,
    readonly protocol: string,
  ) {}
}

class Link {
  readonly channels = new Map<string, Channel>();
  open = true;
  private scheduled = false;

  constructor(
    readonly a: MemoryTransport,
    readonly b: MemoryTransport,
  ) {}

  other(end: MemoryTransport): MemoryTransport {
    return end === this.a ? this.b : this.a;
  }

  channel(from: MemoryTransport, protocol: string): Channel {
    const key = `${from.peerId} ${protocol}`;
    let channel = this.channels.get(key);
    if (channel === undefined) {
      channel = new Channel(from, this.other(from), protocol);
      this.channels.set(key, channel);
    }
    return channel;
  }

  schedule(): void {
    if (this.scheduled || !this.open) return;
    this.scheduled = true;
    nextTick(() => {
      this.scheduled = false;
      for (const channel of this.channels.values()) this.pump(channel);
    });
  }

  private pump(channel: Channel): void {
    while (this.open && channel.queue.length > 0) {
      const frame = channel.queue[0]!;
      const protocol = channel.to.protocols.get(channel.protocol);
      if (protocol === undefined) return;
      const { requestsInFlightMax } = protocol.options;
      if (frame.kind === 'request' && channel.inFlight >= requestsInFlightMax) return;
      channel.queue.shift();
      channel.bytes -= frame.bytes.length;
      channel.to.receive(this, channel, protocol, frame);
    }
  }

  close(): void {
    if (!this.open) return;
    this.open = false;
    for (const channel of this.channels.values()) channel.queue.length = 0;
    for (const end of [this.a, this.b]) end.lost(this);
  }
}

export interface MemoryTransportOptions {
  readonly peerId: PeerId;
  readonly clock?: Clock;
  /** How long a penalised peer is refused. */
  readonly penaltyMs?: number;
}

export class MemoryTransport implements Transport {
  readonly peerId: PeerId;
  readonly protocols = new Map<string, Protocol>();
  readonly links = new Map<PeerId, Link>();
  started = false;
  private readonly clock: Clock;
  private readonly penaltyMs: number;
  private readonly kept = new Map<PeerId, readonly string[]>();
  private readonly penalties = new Map<PeerId, Timer>();
  private readonly pending = new Map<number, Pending>();
  private readonly listeners: TransportEvents[] = [];
  private gate: (peer: PeerId) => boolean = () => true;
  private nextRequest = 1;

  constructor(
    private readonly network: MemoryNetwork,
    options: MemoryTransportOptions,
  ) {
    this.peerId = options.peerId;
    this.clock = options.clock ?? realClock;
    this.penaltyMs = options.penaltyMs ?? 30_000;
  }

  async start(): Promise<void> {
    this.network.join(this);
    this.started = true;
    this.network.connectWanted();
  }

  async stop(): Promise<void> {
    if (!this.started) return;
    this.started = false;
    this.network.leave(this);
    for (const link of [...this.links.values()]) link.close();
    for (const timer of this.penalties.values()) timer.cancel();
    this.penalties.clear();
    await new Promise(resolve => nextTick(resolve));
  }

  addresses(): readonly string[] {
    return this.started ? [`/dns4/${this.peerId}/tcp/1/p2p/${this.peerId}`] : [];
  }

  register(options: ProtocolOptions, handler: ProtocolHandler): void {
    this.protocols.set(options.id, { options, handler });
  }

  setGate(admit: (peer: PeerId) => boolean): void {
    this.gate = admit;
  }

  recheckGate(): void {
    for (const [peer, link] of [...this.links]) if (!this.gate(peer)) link.close();
    this.network.connectWanted();
  }

  onEvents(events: TransportEvents): void {
    this.listeners.push(events);
  }

  keepConnected(peer: PeerId, addresses: readonly string[]): void {
    if (peer === this.peerId) return;
    this.kept.set(peer, addresses);
    this.network.connectWanted();
  }

  release(peer: PeerId): void {
    this.kept.delete(peer);
    this.links.get(peer)?.close();
  }

  peers(): readonly PeerInfo[] {
    const names = new Set([...this.kept.keys(), ...this.links.keys()]);
    return [...names].map(peer => ({
      peer,
      connected: this.links.has(peer),
      addresses: this.kept.get(peer) ?? [`/dns4/${peer}/tcp/1/p2p/${peer}`],
    }));
  }

  send(peer: PeerId, protocol: string, frame: Uint8Array): boolean {
    return this.enqueue(peer, protocol, { kind: 'message', id: 0, bytes: frame, refusal: null }) === null;
  }

  request(
    peer: PeerId,
    protocol: string,
    frame: Uint8Array,
    options: { timeoutMs: number; signal?: AbortSignal },
  ): Promise<Uint8Array | Reject> {
    return new Promise((resolve, fail) => {
      const id = this.nextRequest;
      this.nextRequest += 1;
      const refused = this.enqueue(peer, protocol, { kind: 'request', id, bytes: frame, refusal: null });
      if (refused !== null) return fail(refused);
      const settle = (answer: Uint8Array | Reject | OperatingError) => {
        timer.cancel();
        options.signal?.removeEventListener('abort', aborted);
        this.pending.delete(id);
        if (answer instanceof OperatingError) fail(answer);
        else resolve(answer);
      };
      const aborted = () => settle(new OperatingError('aborted', 'the request was abandoned'));
      const timer = this.clock.setTimer(options.timeoutMs, () =>
        settle(new OperatingError('timeout', `no answer within ${options.timeoutMs} ms`)),
      );
      this.pending.set(id, { link: this.links.get(peer)!, settle });
      if (options.signal?.aborted) aborted();
      else options.signal?.addEventListener('abort', aborted);
    });
  }

  wants(peer: PeerId): boolean {
    return this.started && this.kept.has(peer);
  }

  admits(peer: PeerId): boolean {
    return this.started && !this.penalties.has(peer) && this.gate(peer);
  }

  announce(peer: PeerId): void {
    for (const listener of this.listeners) listener.connected(peer);
  }

  lost(link: Link): void {
    const { peerId } = link.other(this);
    this.links.delete(peerId);
    for (const { link: used, settle } of [...this.pending.values()]) {
      if (used === link) settle(new OperatingError('disconnected', `lost ${peerId}`));
    }
    nextTick(() => {
      for (const listener of this.listeners) listener.disconnected(peerId);
      this.network.connectWanted();
    });
  }

  receive(link: Link, channel: Channel, protocol: Protocol, frame: Frame): void {
    const from = channel.from.peerId;
    if (frame.bytes.length > protocol.options.frameBytesMax) {
      this.penalise(from);
    } else if (frame.kind === 'response') {
      this.pending.get(frame.id)?.settle(frame.refusal ?? frame.bytes);
    } else if (frame.kind === 'message') {
      const refused = protocol.handler.message?.(from, frame.bytes) ?? null;
      if (refused?.peer === 'penalise') this.penalise(from);
    } else {
      channel.inFlight += 1;
      void this.answer(link, channel, protocol, frame).finally(() => {
        channel.inFlight -= 1;
        link.schedule();
      });
    }
  }

  private async answer(link: Link, channel: Channel, protocol: Protocol, frame: Frame): Promise<void> {
    const answer = await this.handle(protocol, channel.from.peerId, frame.bytes);
    if (!link.open) return;
    const response = { kind: 'response' as const, id: frame.id };
    const back = link.channel(this, channel.protocol);
    if (isReject(answer)) back.queue.push({ ...response, bytes: new Uint8Array(0), refusal: answer });
    else back.queue.push({ ...response, bytes: answer, refusal: null });
    back.bytes += back.queue.at(-1)!.bytes.length;
    link.schedule();
    if (isReject(answer) && answer.reject === 'undecodable') {
      nextTick(() => nextTick(() => this.penalise(channel.from.peerId)));
    }
  }

  private async handle(protocol: Protocol, from: PeerId, bytes: Uint8Array): Promise<Uint8Array | Reject> {
    const { handler } = protocol;
    if (handler.request === undefined)
      return reject('unsupported', 'this protocol takes no requests', 'ignore');
    try {
      return joinedAnswer(await handler.request(from, bytes));
    } catch (error) {
      if (!(error instanceof OperatingError)) throw error;
      return reject('unavailable', error.message, 'ignore');
    }
  }

  private enqueue(peer: PeerId, protocol: string, frame: Frame): OperatingError | null {
    const link = this.links.get(peer);
    if (link === undefined) return new OperatingError('disconnected', `${peer} is not connected`);
    const own = this.protocols.get(protocol);
    if (own === undefined || !link.other(this).protocols.has(protocol)) {
      return new OperatingError('unsupported_protocol', `${peer} does not speak ${protocol}`);
    }
    if (frame.bytes.length > own.options.frameBytesMax) {
      return new OperatingError('frame_too_large', `${frame.bytes.length} bytes on ${protocol}`);
    }
    const channel = link.channel(this, protocol);
    if (channel.bytes + frame.bytes.length > own.options.outboxBytesMax) {
      return new OperatingError('outbox_full', `${channel.bytes} bytes wait for ${peer} on ${protocol}`);
    }
    // A copy: the real transport never shares memory between the two sides.
    channel.queue.push({ ...frame, bytes: Uint8Array.from(frame.bytes) });
    channel.bytes += frame.bytes.length;
    link.schedule();
    return null;
  }

  private penalise(peer: PeerId): void {
    if (!this.started) return;
    this.penalties.get(peer)?.cancel();
    const forgive = () => {
      this.penalties.delete(peer);
      this.network.connectWanted();
    };
    this.penalties.set(peer, this.clock.setTimer(this.penaltyMs, forgive));
    this.links.get(peer)?.close();
  }
}

/**
 * A network without sockets: the semantics of the libp2p transport (same contract suite), frames delivered on the next turn
 * of the event loop, links that a test can cut.
 */
export class MemoryNetwork {
  private readonly members = new Map<PeerId, MemoryTransport>();
  private readonly cuts = new Set<string>();
  private scheduled = false;

  create(options: MemoryTransportOptions): MemoryTransport {
    return new MemoryTransport(this, options);
  }

  join(transport: MemoryTransport): void {
    if (this.members.has(transport.peerId)) {
      throw new OperatingError('port_taken', `${transport.peerId} is already on this network`);
    }
    this.members.set(transport.peerId, transport);
  }

  leave(transport: MemoryTransport): void {
    this.members.delete(transport.peerId);
  }

  /** Cuts the link between two peers until `heal`. */
  cut(a: PeerId, b: PeerId): void {
    this.cuts.add(`${a} ${b}`);
    this.members.get(a)?.links.get(b)?.close();
  }

  heal(a: PeerId, b: PeerId): void {
    this.cuts.delete(`${a} ${b}`);
    this.cuts.delete(`${b} ${a}`);
    this.connectWanted();
  }

  /** Links, on the next turn, whoever wants to be and may be. */
  connectWanted(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    nextTick(() => {
      this.scheduled = false;
      for (const from of this.members.values()) {
        for (const to of this.members.values()) if (this.mayLink(from, to)) this.link(from, to);
      }
    });
  }

  private mayLink(from: MemoryTransport, to: MemoryTransport): boolean {
    if (from === to || !from.wants(to.peerId) || from.links.has(to.peerId)) return false;
    if (this.cuts.has(`${from.peerId} ${to.peerId}`) || this.cuts.has(`${to.peerId} ${from.peerId}`))
      return false;
    return from.admits(to.peerId) && to.admits(from.peerId);
  }

  private link(from: MemoryTransport, to: MemoryTransport): void {
    const link = new Link(from, to);
    from.links.set(to.peerId, link);
    to.links.set(from.peerId, link);
    from.announce(to.peerId);
    if (link.open) to.announce(from.peerId);
  }
}
