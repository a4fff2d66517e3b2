import { tryCommit, tryDecide, tryGiveCommit } from './commit.ts';
import { parentOf, tryExecute } from './execution.ts';
import { tryPrepare } from './prepare.ts';
import { type Engine, headHeight } from './state.ts';

/** OSDI '99, 4.2, for a whole window. Drives every slot as far as it goes, from the head upwards; each depends on nothing above it. */
export function advanceSlots(engine: Engine): void {
  for (let height = headHeight(engine) + 1; !engine.halted; height += 1) {
    const slot = engine.slots.get(height);
    if (slot === undefined) return;
    tryDecide(engine, slot);
    const parent = parentOf(engine, slot);
    if (parent === null) continue;
    tryExecute(engine, slot, parent);
    tryPrepare(engine, slot, parent);
    tryCommit(engine, slot, parent);
    tryGiveCommit(engine, slot, parent);
  }
}
