/** Every limit of the RPC server, with its unit; a role may lower or raise them in its options. */
export const RPC_LIMITS = {
  /** JSON body of one POST, and one WebSocket message with the session. */
  bodyBytesMax: 16 * 1024 * 1024,
  /**
   * Bodies of callers without a session: up to this size always, and larger ones together up to the next limit. Their
   * WebSocket messages are never larger, and a socket that has more waiting for answers is not read.
   */
  bodyBytesSmall: 64 * 1024,
  bodyBytesInFlightMax: 128 * 1024 * 1024,
  batchCallsMax: 100,
  /** Calls of one batch that run at the same time. */
  batchConcurrency: 16,
  /** Answers of one batch together; calls past it are answered `limit_exceeded`. */
  batchAnswerBytesMax: 64 * 1024 * 1024,
  jsonDepthMax: 64,
  /** Calls of all connections that may run at the same time. */
  callsInFlightMax: 1024,
  /** Up to so many in flight, a batch of brief calls runs them all at once; the rest is left to the other batches. */
  briefCallsInFlightMax: 512,
  connectionsMax: 1024,
  webSocketsMax: 256,
  /** Of these, without a session: times a small body, for what is unfinished and again for what waits for an answer. */
  anonymousWebSocketsMax: 192,
  /** Parts of one WebSocket message, without a session. */
  messagePartsMax: 1_024,
  /** Messages of one WebSocket that may wait for their answers before it is not read any more. */
  webSocketCallsInFlightMax: 64,
  webSocketPingMs: 30_000,
  subscriptionsPerConnection: 32,
  /** Calls a second and burst, of one remote address without a session and of all session calls together. */
  anonymousCallsPerSecond: 2_000,
  sessionCallsPerSecond: 50_000,
  failedLoginsPerSecond: 1,
  failedLoginsBurst: 10,
  /** Remote addresses that the throttles remember; the longest unused is forgotten. */
  throttleKeysMax: 4_096,
  uploadBytesMax: 64 * 1024 * 1024 * 1024,
  /** The headers of a request, its body when it is no upload, and a WebSocket message without a session. */
  requestMs: 30_000,
  /** Silence on a connection after which it is closed; the time for a WebSocket message with the session. */
  idleMs: 600_000,
  portTriesMax: 1_000,
} as const;

export type RpcLimits = { readonly [name in keyof typeof RPC_LIMITS]: number };
