import { ZERO_HASH } from '../../src/core/base/ids.ts';
import { ENGINE_LIMITS } from '../../src/core/pbft/config.ts';
import type { Engine } from '../../src/core/pbft/engine.ts';

/** What never goes back while a program runs. */
export interface Life {
  headOfLife: number;
  setOfLife: number;
  viewOfLife: number;
  stableOfLife: number;
}

export const newLife = (headOfLife = 0): Life => ({
  headOfLife,
  setOfLife: 0,
  viewOfLife: 0,
  stableOfLife: 0,
});

/** What holds of an engine after every event: it only goes forward, and every buffer stays within its cap. */
export class EngineRules {
  constructor(
    /** The largest window that the chain may have had. */
    private readonly windowBlocksMax: number,
    private readonly fail: (what: string) => never,
  ) {}

  check(name: string, life: Life, engine: Engine, diskHeight: number): void {
    const height = engine.head.header.height;
    if (height < life.headOfLife) this.fail(`the head of ${name} goes back to ${height}`);
    if (height > diskHeight) this.fail(`the head of ${name} is at ${height}, its disk at ${diskHeight}`);
    life.headOfLife = height;
    this.checkMonotone(name, life, engine);
    if (engine.stableHeight > Math.max(height, engine.reign.startHeight))
      this.fail(`the low watermark of ${name} is above its head`);
    if (!engine.active && engine.digest !== ZERO_HASH) this.fail('a view that is not open has a digest');
    this.checkBounds(engine);
  }

  private checkMonotone(name: string, life: Life, engine: Engine): void {
    const { view, stableHeight: stable } = engine;
    const { id: set } = engine.reign.set;
    if (set < life.setOfLife) this.fail(`${name} goes back to set ${set}`);
    const isSame = set === life.setOfLife;
    if (isSame && view < life.viewOfLife) this.fail(`the view of ${name} goes back to ${view}`);
    if (isSame && stable < life.stableOfLife) this.fail(`the low watermark of ${name} goes back`);
    life.setOfLife = set;
    life.viewOfLife = view;
    life.stableOfLife = stable;
  }

  private checkBounds(engine: Engine): void {
    const { windowBlocks } = engine.parameters;
    const { length } = engine.reign.set.validators;
    if (engine.slots.size > Math.max(windowBlocks, this.windowBlocksMax) + ENGINE_LIMITS.windowBlocksMax)
      this.fail('slots unbounded');
    if (engine.future.count > ENGINE_LIMITS.futureMessagesTotal) this.fail('future messages unbounded');
    if (engine.future.count > 0) this.checkFuture(engine);
    if (engine.viewChanges.size > length) this.fail('view changes unbounded');
    if (engine.complaints.size > length) this.fail('complaints unbounded');
    if (engine.signedValues.size > 16 * windowBlocks + 64) this.fail('signed values unbounded');
  }

  private checkFuture(engine: Engine): void {
    const share =
      ENGINE_LIMITS.futurePerSignerWindows * Math.max(engine.parameters.windowBlocks, this.windowBlocksMax);
    for (const { messages } of engine.future.bySigner.values())
      if (messages.length > share) this.fail('a signer fills more than its share');
  }
}
