/** Every limit of the RPC server, with its unit; a role may lower or raise them in its options. */
export const RPC_LIMITS = {
  /** JSON body of one POST, and one WebSocket message. */
  bodyBytesMax: 16 * 1024 * 1024,
  /** Bodies of callers without a session: up to this size always, and larger ones together up to the next limit. */
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
  connectionsMax: 1024,
  webSocketsMax: 256,
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
  /** Silence on a connection after which it is closed. */
  idleMs: 600_000,
  portTriesMax: 1_000,
} as const;

export type RpcLimits = { readonly [name in keyof typeof RPC_LIMITS]: number };
