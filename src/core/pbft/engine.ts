import type { BlockHash } from '../base/ids.ts';
import type { Block } from '../types/chain.ts';
import type { Engine } from './state.ts';

/**
 * What the shell needs: `createEngine(config, start, records)`, then `step(engine, {type: 'start'})`, then `step` for every
 * input. Fields that it may read: `reign` (to verify messages), `seat`, `head`, `view`, `active`, `newView`, `stableHeight`,
 * `halted`.
 */
export { createEngine } from './restore.ts';
export type { Engine } from './state.ts';
export { step } from './step.ts';

/** A block above the head by its hash: what a peer's `fetchBlock` is answered from. Null when it is not here. */
export function blockInFlight(engine: Engine, blockHash: BlockHash): Block | null {
  for (const slot of engine.slots.values()) if (slot.hash === blockHash) return slot.block;
  return null;
}

/** Blocks above the head that this view has proposed, or that are decided. */
export function blocksUnderWay(engine: Engine): Block[] {
  return [...engine.slots.values()].flatMap(({ block, proposed, decided }) =>
    block !== null && (proposed || decided !== null) ? [block] : [],
  );
}
