import type { Clock, Timer } from '../../ports/clock.ts';
import { OperatingError } from '../../ports/lifecycle.ts';
import type { Logger } from '../../ports/logger.ts';
import type { GarbageReport } from './api.ts';
import type { FilesLimits } from './limits.ts';
import type { LocalFiles } from './local-files.ts';
import type { OfferedLedger } from './offers.ts';
import type { Replicator } from './replicator.ts';

export interface GarbageConfig {
  readonly ledger: OfferedLedger;
  readonly local: LocalFiles;
  readonly replicator: Replicator;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits: FilesLimits;
}

/** Looks for what no record came to name and for what a crash left, at a start and now and then. */
export class Garbage {
  private readonly keepers: ((root: string) => boolean)[] = [];
  private timer: Timer | null = null;
  private work: Promise<unknown> = Promise.resolve();
  private stopped = false;

  constructor(private readonly config: GarbageConfig) {}

  async start(): Promise<void> {
    await this.collect();
    this.collectLater();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.timer?.cancel();
    await this.work;
  }

  /** @param isNeeded true for a file that a record is about to name */
  keepWhile(isNeeded: (root: string) => boolean): void {
    this.keepers.push(isNeeded);
  }

  /** One look at a time: two would take the same file out of the books. */
  collect(): Promise<GarbageReport> {
    const run = this.work.then(() => this.look());
    this.work = run.catch(() => undefined);
    return run;
  }

  private async look(): Promise<GarbageReport> {
    const { clock, ledger, limits, local, replicator } = this.config;
    // The ledger's time, not only this machine's: a node that was away, or lost what it had read, does not know yet what was
    // named meanwhile. A file is old when the ledger is, to which every record was read.
    const knownMs = Math.min(clock.nowMs(), await ledger.catchUp());
    ledger.prune();
    // purged files are the purger's, for their deletion is signed
    const isKept = (root: string) =>
      this.keepers.some(isNeeded => isNeeded(root)) ||
      ledger.phases().some(phase => ledger.references(phase, root).length > 0);
    const dropped = await local.dropUnreferenced(knownMs - limits.unreferencedMs, isKept);
    const strayBlocks = replicator.isBusy() ? 0 : await local.dropStrays();
    return { ...dropped, strayBlocks };
  }

  private collectLater(): void {
    if (this.stopped) return;
    this.timer = this.config.clock.setTimer(this.config.limits.garbageMs, () => {
      this.collect()
        .catch(error => {
          if (!(error instanceof OperatingError)) throw error;
          this.config.logger.warn({ code: error.code }, 'unused files could not be removed');
        })
        .then(() => this.collectLater());
    });
  }
}
