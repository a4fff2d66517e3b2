import type { Hash } from '../core/base/ids.ts';
import type { Reject } from '../core/base/reject.ts';
import type { ScopeRef } from '../core/codec/state.ts';
import type { TrailEvent } from '../services/audit/trail.ts';

export type { TrailEvent } from '../services/audit/trail.ts';

export interface TrailPage {
  readonly events: readonly TrailEvent[];
  /** Position to continue from. */
  readonly next: number;
  /** End of what is held of the log. */
  readonly size: number;
}

export interface TrailApi {
  /** Leaves [from, from + limit) of a log that this member reads; Reject `not_readable`. */
  trail(ref: ScopeRef & { readonly id: Hash }, from: number, limit: number): Promise<TrailPage | Reject>;
}
