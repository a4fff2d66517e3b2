import type { Effect } from '../../core/pbft/effect.ts';
import type { Meter } from './meter.ts';
import type { SigningLog } from './signing-log.ts';

type Persist = Extract<Effect, { type: 'persist' }>;
type Trim = Extract<Effect, { type: 'trim' }>;

interface Queued {
  readonly effect: Persist | Trim;
  /** As when it was added: votes of a seat leave after they were written, though the seat is lost meanwhile [55]. */
  readonly kept: boolean;
}

/**
 * Takes the engine's records to the log in order. Everything that queued up while one flush ran shares the next (group
 * commit). `durable` is called for each persist effect, in order, and only when its records are on disk.
 */
export class WalWriter {
  private queue: Queued[] = [];
  private running: Promise<void> | null = null;
  private failed = false;

  constructor(
    private readonly log: Pick<SigningLog, 'keeps' | 'append' | 'rewrite'>,
    private readonly durable: (effect: Persist) => void,
    private readonly fail: (error: unknown) => void,
    private readonly meter: Meter,
  ) {}

  add(effect: Persist | Trim): void {
    if (this.failed) return;
    this.queue.push({ effect, kept: this.log.keeps() });
    this.running ??= this.run();
  }

  /** Resolves when nothing is queued. */
  async idle(): Promise<void> {
    while (this.running !== null) await this.running;
  }

  private async run(): Promise<void> {
    try {
      // One turn of the microtask queue, so that the effects of one step share a flush.
      await Promise.resolve();
      while (this.queue.length > 0) await this.flush();
    } catch (error) {
      // SCENARIOS 67: nothing that waits on this log may leave any more.
      this.failed = true;
      this.queue = [];
      this.fail(error);
    }
    // In the same turn in which the queue was found empty: what is added next starts anew.
    this.running = null;
  }

  private async flush(): Promise<void> {
    const { effect, kept } = this.queue[0] as Queued;
    if (effect.type === 'trim') {
      this.queue.shift();
      if (kept) await this.log.rewrite(effect.records);
      return;
    }
    const trimAt = this.queue.findIndex(({ effect }) => effect.type === 'trim');
    const batch = this.queue.splice(0, trimAt < 0 ? this.queue.length : trimAt);
    const records = batch.flatMap(({ effect, kept }) => (kept ? effect.records : []));
    if (records.length > 0) await this.meter.flushed(this.log.append(records));
    for (const { effect } of batch) this.durable(effect as Persist);
  }
}
