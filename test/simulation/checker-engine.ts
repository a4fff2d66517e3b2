import { ZERO_HASH } from '../../src/core/base/ids.ts';
import type { Engine } from '../../src/core/pbft/engine.ts';
import type { WalRecord } from '../../src/core/pbft/wal-record.ts';

/** What a log has held durably of the newest set that it knows: no later life is behind that. */
export interface Kept {
  readonly set: number;
  /** The highest view that it asked for or entered. */
  readonly view: number;
  /** The low watermark. */
  readonly stable: number;
}

export const NOTHING_KEPT: Kept = { set: 0, view: 0, stable: 0 };

/** With one more record. */
export function keptWith(kept: Kept, record: WalRecord): Kept {
  if (record.type === 'stable') return atLeast(kept, record.validatorSetId, { stable: record.height });
  if (record.type !== 'message') return kept;
  const { signed, content } = record.message;
  const isOfViews = content.kind === 'viewChange' || content.kind === 'newView';
  return isOfViews ? atLeast(kept, signed.validatorSetId, { view: content.view }) : kept;
}

/** Both were held. */
export function later(one: Kept, other: Kept): Kept {
  return atLeast(one, other.set, other);
}

function atLeast(kept: Kept, set: number, { view = 0, stable = 0 }): Kept {
  if (set < kept.set) return kept;
  const before = set === kept.set ? kept : NOTHING_KEPT;
  return { set, view: Math.max(before.view, view), stable: Math.max(before.stable, stable) };
}

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

/** What holds of an engine after every event: it only goes forward, from life to life. */
export class EngineRules {
  constructor(private readonly fail: (what: string) => never) {}

  /** @param begun what the log held when the program started */
  check(name: string, life: Life, begun: Kept, engine: Engine, diskHeight: number): void {
    const height = engine.head.header.height;
    if (height < life.headOfLife) this.fail(`the head of ${name} goes back to ${height}`);
    if (height > diskHeight) this.fail(`the head of ${name} is at ${height}, its disk at ${diskHeight}`);
    life.headOfLife = height;
    this.checkMonotone(name, life, engine);
    this.checkBegun(name, begun, engine);
    if (engine.stableHeight > Math.max(height, engine.reign.startHeight))
      this.fail(`the low watermark of ${name} is above its head`);
    if (!engine.active && engine.digest !== ZERO_HASH) this.fail('a view that is not open has a digest');
  }

  /** An observer has no log, or must not use it. */
  private checkBegun(name: string, begun: Kept, { view, stableHeight, reign, seat }: Engine): void {
    if (seat === null || reign.set.id > begun.set) return;
    const isBehind = reign.set.id < begun.set || view < begun.view || stableHeight < begun.stable;
    if (isBehind)
      this.fail(
        `${name} is in view ${view}, low watermark ${stableHeight}, behind its log: ${JSON.stringify(begun)}`,
      );
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
}
