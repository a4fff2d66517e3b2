import type { Engine } from '../../core/pbft/state.ts';
import { primaryIndex } from '../../core/quorum/quorum.ts';
import type { ValidatorSet } from '../../core/types/chain.ts';

export interface ConsensusStatus {
  readonly view: number;
  /** False while a view change is under way. */
  readonly active: boolean;
  readonly primary: string;
  readonly isPrimary: boolean;
  /** Null when this node only observes. */
  readonly seat: number | null;
  readonly blocksInFlight: number;
  /** Why this node's key must not sign; null when it may. */
  readonly observes: string | null;
}

export const OBSERVER_HINT = 'It votes again with a new consensus key: phaseline validator new-key.';

/** @param engine null before the start */
export function consensusStatus(
  engine: Engine | null,
  set: ValidatorSet,
  blocksInFlight: number,
  observes: string | null,
): ConsensusStatus {
  const view = engine?.view ?? 0;
  const primary = primaryIndex(set.validators.length, view);
  const seat = engine?.seat?.index ?? null;
  return {
    view,
    active: engine?.active ?? false,
    primary: set.validators[primary]?.name ?? '',
    isPrimary: seat === primary,
    seat,
    blocksInFlight,
    observes,
  };
}
