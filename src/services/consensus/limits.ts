import { ENGINE_LIMITS } from '../../core/pbft/config.ts';

/** Every limit of the consensus shell, with its unit. */
export interface ConsensusLimits {
  /** With blocks in flight, a proposal waits for this many transactions or for the next commit, whichever is first. */
  readonly batchTransactionsMin: number;
  readonly blockFetchTimeoutMs: number;
  /** Pause before peers are asked again for the bodies of a proposal. */
  readonly bodiesRetryMs: number;
  /** How long a validator may be disconnected before it counts as lost: its views are ended and skipped. */
  readonly connectionGraceMs: number;
  /** How long the first connections may take after the start. */
  readonly startGraceMs: number;
  readonly newViewFetchTimeoutMs: number;
  /** An observer asks for new blocks this long after it heard that others are at work. */
  readonly observerDelayMs: number;
  /** Ids that one reminder about long waiting transactions names. */
  readonly reminderIdsMax: number;
  /** Pieces of evidence kept for the operator. */
  readonly evidenceMax: number;
}

export const CONSENSUS_LIMITS: ConsensusLimits = {
  batchTransactionsMin: 256,
  blockFetchTimeoutMs: 3000,
  bodiesRetryMs: 250,
  connectionGraceMs: 200,
  startGraceMs: 5000,
  newViewFetchTimeoutMs: 3000,
  observerDelayMs: 250,
  reminderIdsMax: 1024,
  evidenceMax: 64,
};

export const CONSENSUS_PROTOCOL = '/phaseline/consensus/1';
export const CONSENSUS_FRAME_BYTES_MAX = ENGINE_LIMITS.messageBodyBytes + 1024;
export const CONSENSUS_OUTBOX_BYTES_MAX = 2 * CONSENSUS_FRAME_BYTES_MAX;
export const CONSENSUS_REQUESTS_IN_FLIGHT_MAX = 4;
