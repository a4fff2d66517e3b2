/** Every limit of the pool, with its unit. */
export interface PoolLimits {
  readonly transactionsMax: number;
  readonly bytesMax: number;
  /** Share of one member, so that no member can fill the pool alone. */
  readonly memberTransactionsMax: number;
  readonly memberBytesMax: number;
  /** Gossiped wrappers that wait for their checks; what comes beyond is dropped and fetched on a miss. */
  readonly inboxTransactionsMax: number;
  readonly inboxBytesMax: number;
  /** Wrappers checked in one turn of the event loop, so that votes do not wait behind a burst. */
  readonly checksPerTurn: number;
  /** Size at which a gossip frame or a fetch answer is closed, in bytes. */
  readonly frameBytesTarget: number;
  /** Ids remembered with the reason why they left without a block. */
  readonly dismissedMax: number;
  readonly fetchTimeoutMs: number;
  /** Signatures remembered as verified. */
  readonly verifiedSignaturesMax: number;
}

export const POOL_LIMITS: PoolLimits = {
  transactionsMax: 65_536,
  bytesMax: 256 * 1024 * 1024,
  memberTransactionsMax: 32_768,
  memberBytesMax: 128 * 1024 * 1024,
  inboxTransactionsMax: 16_384,
  inboxBytesMax: 64 * 1024 * 1024,
  checksPerTurn: 32,
  frameBytesTarget: 512 * 1024,
  dismissedMax: 16_384,
  fetchTimeoutMs: 3000,
  verifiedSignaturesMax: 131_072,
};

/** Longest frame on `/phaseline/pool/1`: one largest transaction, or several up to the target. */
export const POOL_FRAME_BYTES_MAX = 9 * 1024 * 1024;
export const POOL_OUTBOX_BYTES_MAX = 32 * 1024 * 1024;
export const POOL_REQUESTS_IN_FLIGHT_MAX = 4;
export const POOL_PROTOCOL = '/phaseline/pool/1';
