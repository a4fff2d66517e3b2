import type { BlobStore } from '../../ports/blob-store.ts';
import type { Clock, Timer } from '../../ports/clock.ts';
import { OperatingError } from '../../ports/lifecycle.ts';
import type { Logger } from '../../ports/logger.ts';
import type { ScrubStatus, StoreVerification } from './api.ts';
import type { FileIndex, RootRecord } from './file-index.ts';
import type { FilesLimits } from './limits.ts';

export interface ScrubberConfig {
  readonly blobs: BlobStore;
  readonly index: FileIndex;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits: FilesLimits;
  /** Hears of a file with a missing or damaged block. */
  readonly onDamage: (root: string) => void;
}

/** The scrubber reads for at most so long before it rests. */
const STEP_MS = 1000;

interface Sums {
  blocks: number;
  bytes: number;
  bad: number;
}

/** Reads everything that is here again and again, slowly, so that bit rot is found while others still have the block [68]. */
export class Scrubber {
  private sums: Sums = { blocks: 0, bytes: 0, bad: 0 };
  private roundMs: number | null = null;
  private running = false;
  private stopped = false;
  private timer: Timer | null = null;
  private work: Promise<void> = Promise.resolve();
  private resume: (() => void) | null = null;

  constructor(private readonly config: ScrubberConfig) {}

  async start(): Promise<void> {
    this.schedule(this.config.limits.scrubPauseMs, () => this.round());
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.timer?.cancel();
    this.resume?.();
    await this.work;
  }

  status(): ScrubStatus {
    return { running: this.running, ...this.sums, roundMs: this.roundMs };
  }

  /** All at once and as fast as the disk gives it. */
  async verifyAll(signal?: AbortSignal, onProgress?: (bytes: number) => void): Promise<StoreVerification> {
    const damaged: { readonly cid: string; readonly blocks: number }[] = [];
    const sums: Sums = { blocks: 0, bytes: 0, bad: 0 };
    let files = 0;
    for await (const [root, record] of this.config.index.roots()) {
      signal?.throwIfAborted();
      const before = sums.bad;
      await this.scrub(root, record, sums, async () => {
        signal?.throwIfAborted();
        onProgress?.(sums.bytes);
      });
      files += 1;
      if (sums.bad > before) damaged.push({ cid: root, blocks: sums.bad - before });
    }
    return { files, blocks: sums.blocks, bytes: sums.bytes, damaged };
  }

  private schedule(delayMs: number, work: () => Promise<void>): void {
    if (this.stopped || this.config.limits.scrubBytesPerSecond === 0) return;
    this.timer = this.config.clock.setTimer(delayMs, () => {
      this.timer = null;
      this.work = work().finally(() => this.schedule(this.config.limits.scrubPauseMs, () => this.round()));
    });
  }

  private async round(): Promise<void> {
    const { clock, index } = this.config;
    this.sums = { blocks: 0, bytes: 0, bad: 0 };
    this.running = true;
    const pace = this.pace();
    try {
      // file by file: a round takes hours, and an iterator would keep the database from forgetting anything meanwhile
      let next = await first(index.roots());
      while (next !== null) {
        if (this.stopped) return;
        const [root, record] = next;
        // what keeps one file from being read is no reason to read no other
        await this.scrub(root, record, this.sums, pace).catch(error => this.report(error, root));
        next = await first(index.roots(root));
      }
      this.roundMs = clock.nowMs();
    } catch (error) {
      this.report(error);
    } finally {
      this.running = false;
    }
  }

  private report(error: unknown, cid?: string): void {
    if (!(error instanceof OperatingError)) throw error;
    const of = cid === undefined ? {} : { cid };
    this.config.logger.error({ ...of, code: error.code }, 'the scrubber cannot read the store');
  }

  /** @param pace called after each block */
  private async scrub(
    root: string,
    record: RootRecord,
    sums: Sums,
    pace: () => Promise<void>,
  ): Promise<void> {
    const { blobs, index, logger, onDamage } = this.config;
    const cids: string[] = [];
    for await (const cid of index.blocksOf(root)) cids.push(cid);
    let bad = 0;
    for (const cid of cids) {
      if (this.stopped) return;
      const bytes = await blobs.get(cid);
      // purged or dropped meanwhile
      if (bytes === null && !index.holds(root, cid)) return;
      sums.blocks += 1;
      sums.bytes += bytes?.length ?? 0;
      if (bytes === null) bad += 1;
      await pace();
    }
    if (bad === 0) return;
    sums.bad += bad;
    logger.warn({ cid: root, blocks: bad, bytes: record.ciphertextBytes }, 'blocks of a file are damaged');
    onDamage(root);
  }

  /** Rests as often as the rate asks for. */
  private pace(): () => Promise<void> {
    const bytesPerStep = (this.config.limits.scrubBytesPerSecond * STEP_MS) / 1000;
    let rested = 0;
    return async () => {
      if (this.stopped || this.sums.bytes - rested < bytesPerStep) return;
      const restMs = ((this.sums.bytes - rested) / bytesPerStep) * STEP_MS;
      rested = this.sums.bytes;
      await new Promise<void>(resolve => {
        this.resume = resolve;
        this.timer = this.config.clock.setTimer(restMs, resolve);
      });
    };
  }
}

async function first<T>(source: AsyncIterable<T>): Promise<T | null> {
  for await (const value of source) return value;
  return null;
}
