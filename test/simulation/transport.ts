import { setMaxListeners } from 'node:events';
import { isReject, type Reject, reject } from '../../src/core/base/reject.ts';
import { OperatingError } from '../../src/ports/lifecycle.ts';
import type {
  PeerId,
  PeerInfo,
  ProtocolHandler,
  ProtocolOptions,
  Transport,
  TransportEvents,
} from '../../src/ports/transport.ts';
import { joinedAnswer } from '../support/joined-answer.ts';
import type { Machine } from './machine.ts';
import type { Link, SimulatedNetwork } from './network.ts';

/** What a faulty node sends in place of what its honest inside would send. */
export interface Disguise {
  /** A program was made, and is about to start. */
  begins?(): void;
  /** @returns the frames that leave */
  message(protocol: string, frame: Uint8Array, to: PeerId): readonly Uint8Array[];
  /** Null: no answer. */
  answer(protocol: string, frame: Uint8Array): Uint8Array | null;
}

interface Pending {
  readonly link: Link;
  settle(answer: Uint8Array | Reject | OperatingError): void;
}

/** `Transport` over simulated links, for one life of one program. */
export class SimulatedTransport implements Transport {
  readonly links = new Map<PeerId, Link>();
  private readonly protocols = new Map<string, { options: ProtocolOptions; handler: ProtocolHandler }>();
  private readonly kept = new Set<PeerId>();
  private readonly penalties = new Set<PeerId>();
  private readonly pending = new Map<number, Pending>();
  private readonly listeners: TransportEvents[] = [];
  private gate: (peer: PeerId) => boolean = () => true;
  private nextRequest = 1;
  private started = false;

  constructor(
    private readonly network: SimulatedNetwork,
    readonly machine: Machine,
    readonly peerId: PeerId,
    private readonly disguise: Disguise | null,
    /** An unexpected error of a handler ends the program. */
    private readonly fatal: (error: unknown) => void,
  ) {}

  get place(): number {
    return this.machine.options.place;
  }

  async start(): Promise<void> {
    this.started = true;
    this.network.join(this);
  }

  async stop(): Promise<void> {
    this.leave();
  }

  /** At once: the program has ended. */
  leave(): void {
    this.started = false;
    this.network.leave(this);
  }

  addresses(): readonly string[] {
    return [];
  }

  register(options: ProtocolOptions, handler: ProtocolHandler): void {
    this.protocols.set(options.id, { options, handler });
  }

  setGate(admit: (peer: PeerId) => boolean): void {
    this.gate = admit;
  }

  recheckGate(): void {
    for (const [peer, link] of [...this.links]) if (!this.gate(peer)) this.network.close(link);
    this.network.dial();
  }

  onEvents(events: TransportEvents): void {
    this.listeners.push(events);
  }

  keepConnected(peer: PeerId): void {
    if (peer === this.peerId) return;
    this.kept.add(peer);
    this.network.dial();
  }

  release(peer: PeerId): void {
    this.kept.delete(peer);
    const link = this.links.get(peer);
    if (link !== undefined) this.network.close(link);
  }

  peers(): readonly PeerInfo[] {
    const names = new Set([...this.kept, ...this.links.keys()]);
    return [...names].map(peer => ({ peer, connected: this.links.has(peer), addresses: [] }));
  }

  wants(peer: PeerId): boolean {
    return this.started && this.kept.has(peer);
  }

  admits(peer: PeerId): boolean {
    return this.started && !this.penalties.has(peer) && this.gate(peer);
  }

  gained(peer: PeerId): void {
    this.machine.run(() => {
      if (this.links.has(peer)) for (const listener of this.listeners) listener.connected(peer);
    });
  }

  lost(link: Link): void {
    const { peerId } = link.other(this);
    if (this.links.get(peerId) === link) this.links.delete(peerId);
    this.machine.later(this.machine.random.between(0, 20), () => {
      for (const { link: used, settle } of [...this.pending.values()])
        if (used === link) settle(new OperatingError('disconnected', `lost ${peerId}`));
      if (!this.links.has(peerId)) for (const listener of this.listeners) listener.disconnected(peerId);
    });
  }

  send(peer: PeerId, protocol: string, frame: Uint8Array): boolean {
    const link = this.links.get(peer);
    if (link === undefined) return false;
    const frames = this.disguise?.message(protocol, frame, peer) ?? [frame];
    for (const bytes of frames) {
      this.network.tap.sent(this, link.other(this), protocol, bytes);
      this.network.remember({ from: this.peerId, to: peer, protocol, bytes });
      this.network.carry(link, this, bytes, () => link.other(this).receiveMessage(link, protocol, bytes));
    }
    return true;
  }

  request(
    peer: PeerId,
    protocol: string,
    frame: Uint8Array,
    options: { timeoutMs: number; signal?: AbortSignal },
  ): Promise<Uint8Array | Reject> {
    return new Promise((resolve, fail) => {
      const link = this.links.get(peer);
      if (link === undefined) return fail(new OperatingError('disconnected', `${peer} is not connected`));
      const id = this.nextRequest;
      this.nextRequest += 1;
      const aborted = () => settle(new OperatingError('aborted', 'the request was abandoned'));
      const timeout = () => settle(new OperatingError('timeout', `no answer in ${options.timeoutMs} ms`));
      const settle = (answer: Uint8Array | Reject | OperatingError) => {
        if (!this.pending.delete(id)) return;
        timer.cancel();
        options.signal?.removeEventListener('abort', aborted);
        if (answer instanceof OperatingError) fail(answer);
        else resolve(answer);
      };
      const timer = this.machine.clock().setTimer(options.timeoutMs, timeout);
      this.pending.set(id, { link, settle });
      if (options.signal?.aborted) return aborted();
      if (options.signal !== undefined) setMaxListeners(0, options.signal);
      options.signal?.addEventListener('abort', aborted);
      const to = link.other(this);
      this.network.carry(link, this, frame, () => to.receiveRequest(link, protocol, id, frame));
    });
  }

  receiveMessage(link: Link, protocol: string, bytes: Uint8Array): void {
    const { peerId } = link.other(this);
    const refused = this.protocols.get(protocol)?.handler.message?.(peerId, bytes) ?? null;
    if (refused !== null) this.refuse(link, refused);
  }

  private receiveRequest(link: Link, protocol: string, id: number, bytes: Uint8Array): void {
    void this.answer(link, protocol, bytes).then(answer => {
      if (answer === null || !this.machine.isOn) return;
      const frame = isReject(answer) ? new Uint8Array(0) : answer;
      this.network.carry(link, this, frame, () => link.other(this).receiveAnswer(id, answer));
      if (isReject(answer) && answer.reject === 'undecodable') this.refuse(link, answer);
    });
  }

  private receiveAnswer(id: number, answer: Uint8Array | Reject): void {
    this.pending.get(id)?.settle(answer);
  }

  private async answer(link: Link, protocol: string, bytes: Uint8Array): Promise<Uint8Array | Reject | null> {
    const handler = this.protocols.get(protocol)?.handler;
    if (handler?.request === undefined) return reject('unsupported', protocol, 'ignore');
    try {
      const answer = joinedAnswer(await handler.request(link.other(this).peerId, bytes));
      if (isReject(answer) || this.disguise === null) return answer;
      return this.disguise.answer(protocol, answer);
    } catch (error) {
      if (error instanceof OperatingError) return reject('unavailable', error.message, 'ignore');
      this.fatal(error);
      return null;
    }
  }

  private refuse(link: Link, refused: Reject): void {
    const from = link.other(this);
    this.network.tap.refused(this, from, refused);
    if (refused.peer === 'ignore') return;
    this.penalties.add(from.peerId);
    this.network.close(link);
    this.machine.later(this.network.penaltyMs, () => {
      this.penalties.delete(from.peerId);
      this.network.dial();
    });
  }
}
