import type { Urgency } from '../../core/placement/plan.ts';
import type { Timer } from '../../ports/clock.ts';
import type { Wanted } from './claims.ts';
import type { FetchFault } from './file-fetch.ts';
import { SMALL_FILE_BYTES_MAX } from './small-fetch.ts';

export interface Task extends Wanted {
  attempts: number;
  /** Why the last attempt failed; null before the first. */
  fault: FetchFault;
  retry: Timer | null;
  retryAtMs: number | null;
  running: boolean;
  urgency: Urgency;
  /** True once it did not come together with others. */
  alone: boolean;
  /** Bytes that came in during this run. */
  bytesFetched: number;
  readonly waiters: ((fault: FetchFault) => void)[];
}

/** Where a file's fetching stands. */
export interface FetchState {
  readonly running: boolean;
  readonly attempts: number;
  readonly reason: string | null;
  /** Unix milliseconds of the next attempt; null when one is running or queued, or none will be made. */
  readonly nextAttemptMs: number | null;
  /** Ciphertext bytes that came in since the node started. */
  readonly bytesFetched: number;
}

/** Records may name one file and differ in what they say of it; at most one of them is right. */
export function keyOf({ phase, cid, keyCommitment, ciphertextBytes }: Wanted): string {
  return `${phase}/${cid}/${ciphertextBytes}/${keyCommitment}`;
}

export function isSmall(task: Task): boolean {
  return !task.alone && task.ciphertextBytes <= SMALL_FILE_BYTES_MAX;
}
