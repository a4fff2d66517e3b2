import type { Reject } from '../core/base/reject.ts';

/** libp2p peer id text. */
export type PeerId = string;

export interface PeerInfo {
  readonly peer: PeerId;
  readonly connected: boolean;
  readonly addresses: readonly string[];
}

export interface ProtocolOptions {
  /** libp2p protocol id, `/phaseline/<name>/1`. */
  readonly id: string;
  /** Largest frame, in bytes; a longer one resets the stream and penalises the peer. */
  readonly frameBytesMax: number;
  /** Bytes that may wait in the outbox of one peer; a send beyond is refused. */
  readonly outboxBytesMax: number;
  /** Requests of one peer that may be answered at the same time; as many again wait here, more wait at the peer. */
  readonly requestsInFlightMax: number;
}

export interface ProtocolHandler {
  /** One-way message. A Reject with `peer: 'penalise'` closes the connection for a while. */
  message?(from: PeerId, frame: Uint8Array): Reject | null;
  /**
   * Answers a request; a Reject reaches the requester as code and detail. The code `undecodable` also closes the connection
   * for a while (SCENARIOS 93). An OperatingError is answered as `unavailable`; anything else thrown stops the process. Do
   * not wait here for a request of your own to the same peer and protocol: both sides could wait for each other. A long answer
   * may be given in pieces, one behind the other: they are not copied, so nobody writes into them afterwards.
   */
  request?(from: PeerId, frame: Uint8Array): Promise<Uint8Array | readonly Uint8Array[] | Reject>;
}

export interface TransportEvents {
  connected(peer: PeerId): void;
  disconnected(peer: PeerId): void;
}

/**
 * Authenticated, encrypted links between nodes. One long-lived stream a peer and protocol, own framing, one outbox a
 * peer and protocol. `peer` in every call is proven by the handshake.
 */
export interface Transport {
  readonly peerId: PeerId;
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Listening multiaddrs with the peer id, after `start`. */
  addresses(): readonly string[];
  /** Before `start`. */
  register(options: ProtocolOptions, handler: ProtocolHandler): void;
  /** Before `start`: asked for each connection, both ways. */
  setGate(admit: (peer: PeerId) => boolean): void;
  /** Asks the gate again for every open connection and closes those it no longer admits. */
  recheckGate(): void;
  onEvents(events: TransportEvents): void;
  /** Keeps a connection to the peer: dials now, dials again with back-off after a loss. */
  keepConnected(peer: PeerId, addresses: readonly string[]): void;
  release(peer: PeerId): void;
  peers(): readonly PeerInfo[];
  /** Queues one frame; false when the peer is not connected or its outbox is full. Frames of one tick leave together. */
  send(peer: PeerId, protocol: string, frame: Uint8Array): boolean;
  /** A request over the peer's long-lived stream; rejects with OperatingError `timeout`, `disconnected`, or resolves to the handler's Reject. */
  request(
    peer: PeerId,
    protocol: string,
    frame: Uint8Array,
    options: { timeoutMs: number; signal?: AbortSignal },
  ): Promise<Uint8Array | Reject>;
}
