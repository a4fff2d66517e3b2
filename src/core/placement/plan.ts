import type { MemberId } from '../base/ids.ts';
import type { Placement } from './placement.ts';

/**
 * How soon a file is fetched, the first of these first: somebody waits for it; this member signed for a copy that it has lost;
 * the phase has fewer copies than its minimum; it has fewer than its target.
 */
export const URGENCIES = ['asked', 'lost', 'short', 'filling'] as const;
export type Urgency = (typeof URGENCIES)[number];

export type Plan =
  | { readonly deed: 'nothing' }
  /** Sign a receipt for the whole copy. */
  | { readonly deed: 'sign' }
  | { readonly deed: 'fetch'; readonly urgency: Urgency }
  | { readonly deed: 'drop' };

export interface PlanInput {
  readonly self: MemberId;
  readonly placement: Placement;
  /** What this node has of the file for this phase. */
  readonly local: 'none' | 'partial' | 'whole';
  /** True when this member's receipt is in the log. */
  readonly signed: boolean;
  /** True when this node keeps the file whatever the placement says. */
  readonly pinned: boolean;
  /** True when the phase's log has an order to purge it. */
  readonly purged: boolean;
}

const NOTHING: Plan = { deed: 'nothing' };

/** What one node does about one file of one phase; the same on every node that sees the same log. */
export function planFile({ self, placement, local, signed, pinned, purged }: PlanInput): Plan {
  if (purged) return local === 'none' ? NOTHING : { deed: 'drop' };
  if (local === 'whole') return signed ? NOTHING : { deed: 'sign' };
  if (signed) return { deed: 'fetch', urgency: 'lost' };
  if (!pinned && !placement.desired.includes(self)) return NOTHING;
  return { deed: 'fetch', urgency: placement.condition === 'short' ? 'short' : 'filling' };
}
