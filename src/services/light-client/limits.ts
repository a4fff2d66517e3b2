export interface LightClientLimits {
  readonly requestTimeoutMs: number;
  /** Also while nothing is heard: heads are compared between all sources this often. */
  readonly crossCheckMs: number;
  /** A source that lied is not asked for this long. */
  readonly liarMs: number;
  /** A source that failed or refused is not asked for this long. */
  readonly failedMs: number;
  /** Sources that one submission goes to at the same time. */
  readonly submitSources: number;
  /** A submission without an outcome is asked about, and sent again, this often. */
  readonly resendMs: number;
  /** How long a submission waits for any source before it gives up. */
  readonly connectMs: number;
  readonly pendingTransactionsMax: number;
  readonly submitBytesMax: number;
  readonly liesKept: number;
  /** Scopes that sources have named and that have no verified log yet. */
  readonly unverifiedScopesMax: number;
  readonly signaturesRemembered: number;
}

export const LIGHT_CLIENT_LIMITS: LightClientLimits = {
  requestTimeoutMs: 20_000,
  crossCheckMs: 5_000,
  liarMs: 300_000,
  failedMs: 500,
  submitSources: 2,
  resendMs: 2_000,
  connectMs: 15_000,
  pendingTransactionsMax: 65_536,
  submitBytesMax: 16 << 20,
  liesKept: 256,
  unverifiedScopesMax: 65_536,
  signaturesRemembered: 4_096,
};
