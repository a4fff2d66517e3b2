/** Every limit of block synchronisation, with its unit. */
export interface SyncLimits {
  readonly blocksPerRequest: number;
  /** Size at which an answer is closed, in bytes; it holds at least one block. */
  readonly answerBytesTarget: number;
  readonly requestTimeoutMs: number;
  /** Pause before the next round when no peer could help. */
  readonly retryMs: number;
  /** Rounds without a new block after which a peer's mere claim of a higher head is given up. */
  readonly claimRoundsMax: number;
  /** How long a peer that gave a bad answer is left out; doubles with each one, up to the cap. */
  readonly penaltyMs: number;
  readonly penaltyMsMax: number;
  /** How long one that did not answer in time is left out; doubles as well. An honest one may only have been slow. */
  readonly silenceMs: number;
  readonly silenceMsMax: number;
  /** A snapshot is taken at the first block of each period of the blocks' time. The two newest are kept. */
  readonly snapshotPeriodMs: number;
  /** Questions for parts of a snapshot that are under way at the same time, over all peers. */
  readonly chunksInFlight: number;
  /** Roots of subtrees that are kept for proofs of leaves. */
  readonly subtreesKept: number;
}

export const SYNC_LIMITS: SyncLimits = {
  blocksPerRequest: 128,
  answerBytesTarget: 4 * 1024 * 1024,
  requestTimeoutMs: 10_000,
  retryMs: 500,
  claimRoundsMax: 10,
  penaltyMs: 10_000,
  penaltyMsMax: 600_000,
  silenceMs: 1_000,
  silenceMsMax: 60_000,
  snapshotPeriodMs: 600_000,
  chunksInFlight: 8,
  subtreesKept: 16_384,
};

export const SYNC_PROTOCOL = '/phaseline/sync/1';
/** Longest frame: one largest block (64 MiB of bodies) with its entries. */
export const SYNC_FRAME_BYTES_MAX = 72 * 1024 * 1024;
export const SYNC_OUTBOX_BYTES_MAX = 144 * 1024 * 1024;
export const SYNC_REQUESTS_IN_FLIGHT_MAX = 2;
