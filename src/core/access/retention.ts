import type { PhaseState } from '../types/state.ts';

const DAY_MS = 86_400_000;
/** The last time that a calendar of programs knows. */
const TIME_MS_MAX = 8_640_000_000_000_000;

/** How long the files of a phase are kept: at least so many days after it was closed or skipped, and then they are due for purge. */
export interface Retention {
  readonly days: number;
  /** Unix time in milliseconds at which files become due; null while the phase is a draft or open. */
  readonly dueMs: number | null;
}

/** Null where the policy sets no time: files are never due, and may be purged at any time. */
export function retentionOf({ policy, closedMs }: Pick<PhaseState, 'policy' | 'closedMs'>): Retention | null {
  const days = policy.retentionDays;
  if (days === 0) return null;
  const dueMs = closedMs === 0 ? null : Math.min(TIME_MS_MAX, closedMs + days * DAY_MS);
  return { days, dueMs };
}

/** @param timeMs of the block, or of the verified head */
export function isRetained(phase: Pick<PhaseState, 'policy' | 'closedMs'>, timeMs: number): boolean {
  const retention = retentionOf(phase);
  return retention !== null && (retention.dueMs === null || timeMs < retention.dueMs);
}

/** @param timeMs as for `isRetained` */
export function isDue(phase: Pick<PhaseState, 'policy' | 'closedMs'>, timeMs: number): boolean {
  return retentionOf(phase) !== null && !isRetained(phase, timeMs);
}
