/** Limits and times of the links, each with its unit; a protocol's own limits are its `ProtocolOptions`. */
export interface LinkLimits {
  readonly dialTimeoutMs: number;
  /** From an open connection to the last protocol stream. */
  readonly handshakeTimeoutMs: number;
  /** A sign of life leaves this often; libp2p's own monitor takes 14.5 s to notice a frozen peer. */
  readonly heartbeatMs: number;
  /** Heartbeats in a row without a byte from the peer, after which the link is closed. */
  readonly silentHeartbeatsMax: number;
  readonly reconnectMsMin: number;
  readonly reconnectMsMax: number;
  /** First penalty; each further one doubles, up to the cap. Never for ever. */
  readonly penaltyMsMin: number;
  readonly penaltyMsMax: number;
  readonly penalisedPeersMax: number;
  readonly connectionsMax: number;
  readonly connectionsPerSecondMax: number;
  /** Inbound connections in their handshake: of known hosts, and again as many of all others. */
  readonly pendingConnectionsMax: number;
  readonly pendingPerHostMax: number;
  readonly pendingPerKnownHostMax: number;
  /** A handshake that has taken longer yields its place when others wait for one. */
  readonly pendingGraceMs: number;
  /** From an accepted TCP connection to a proven peer id. */
  readonly upgradeTimeoutMs: number;
  /** Hosts remembered as those of peers. */
  readonly knownHostsMax: number;
  /** Addresses of one peer to keep connected. */
  readonly addressesPerPeerMax: number;
  /** Own requests that wait for an answer, a peer and protocol. */
  readonly pendingRequestsMax: number;
  readonly protocolsMax: number;
  /** Largest piece given to a stream at once. */
  readonly flushBytesMax: number;
  /** Encrypted bytes that a socket takes before it makes its connection wait. */
  readonly socketBytesMax: number;
  readonly controlFrameBytesMax: number;
}

export const LINK_LIMITS: LinkLimits = {
  dialTimeoutMs: 10_000,
  handshakeTimeoutMs: 10_000,
  heartbeatMs: 2_000,
  silentHeartbeatsMax: 3,
  reconnectMsMin: 100,
  reconnectMsMax: 10_000,
  penaltyMsMin: 30_000,
  penaltyMsMax: 600_000,
  penalisedPeersMax: 4_096,
  connectionsMax: 1_024,
  connectionsPerSecondMax: 256,
  pendingConnectionsMax: 256,
  pendingPerHostMax: 16,
  pendingPerKnownHostMax: 128,
  pendingGraceMs: 500,
  upgradeTimeoutMs: 3_000,
  knownHostsMax: 4_096,
  addressesPerPeerMax: 16,
  pendingRequestsMax: 4_096,
  protocolsMax: 32,
  flushBytesMax: 1 << 20,
  socketBytesMax: 1 << 20,
  controlFrameBytesMax: 16 << 10,
};
