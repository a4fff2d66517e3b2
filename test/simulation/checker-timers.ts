import type { Engine } from '../../src/core/pbft/engine.ts';

/** How many views brought nothing, as far as one can tell from outside: at least and at most so many. */
interface Fruitless {
  readonly set: number;
  readonly view: number;
  readonly active: boolean;
  readonly height: number;
  readonly least: number;
  readonly most: number;
}

const begun = ({ reign, view, active, head }: Engine) => ({
  set: reign.set.id,
  view,
  active,
  height: head.header.height,
});

/** A view may end in good order, which is nobody's fault. */
const rotates = ({ reign, parameters }: Engine) =>
  parameters.rotationBlocks > 0 && reign.set.validators.length > 1;

/**
 * What an engine asks of its clock: each view that it leaves without progress doubles its wait, up to the cap, and progress in an open view
 * brings the first wait back (docs/PROTOCOL.md, supervision). The clock's errors are none of the engine's.
 */
export class TimerRules {
  private readonly nodes = new Map<string, Fruitless>();

  constructor(private readonly fail: (what: string) => never) {}

  /** A program starts, and patience with it: while a NEW-VIEW is awaited it may count the view that it has left. */
  begins(name: string, engine: Engine): void {
    this.nodes.set(name, { ...begun(engine), least: 0, most: engine.active ? 0 : 1 });
  }

  /** After a step, or several of which only the first can bring progress. */
  rests(name: string, engine: Engine): Fruitless | null {
    const known = this.nodes.get(name);
    if (known === undefined) return null;
    const now = begun(engine);
    const isOtherSet = now.set !== known.set;
    const isProgress = known.active && now.height > known.height;
    const before = isOtherSet || isProgress ? { least: 0, most: 0 } : known;
    const passed = isOtherSet ? now.view : now.view - known.view;
    // Of views that were skipped none or all may count.
    const least = passed > 0 && !isOtherSet && !rotates(engine) ? before.least + 1 : before.least;
    const next = { ...now, least, most: before.most + passed };
    this.nodes.set(name, next);
    return next;
  }

  /** It starts its view timer. */
  waits(name: string, engine: Engine, delayMs: number): void {
    const fruitless = this.rests(name, engine);
    if (fruitless === null) return;
    const { viewTimeoutMs: base, viewTimeoutMsMax: cap } = engine.parameters;
    const { least, most } = fruitless;
    const [from, to] = [least, most].map(views => Math.min(base * 2 ** views, cap)) as [number, number];
    if (delayMs < from || delayMs > to)
      this.fail(
        `${name} waits ${delayMs} ms after ${least} to ${most} fruitless views, due are ${from} to ${to}`,
      );
  }
}
