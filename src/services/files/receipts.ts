import type { PhaseId } from '../../core/base/ids.ts';
import type { Clock, Timer } from '../../ports/clock.ts';
import { OperatingError } from '../../ports/lifecycle.ts';
import type { Logger } from '../../ports/logger.ts';
import type { FileIndex } from './file-index.ts';
import type { FileLedger, FileReceiptEntry } from './ledger.ts';
import type { FilesLimits } from './limits.ts';

export interface ReceiptsConfig {
  readonly index: FileIndex;
  readonly ledger: FileLedger;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits: FilesLimits;
}

/** Refusals of this moment, by the sender or the ledger: the same receipts may be taken later. Others would be the same again. */
const PASSING: ReadonlySet<string> = new Set([
  'expired',
  'sender_busy',
  'memberSuspended',
  'key_not_current',
  'unknown_key',
  'revoked_key',
  'revokedKey',
]);

/**
 * Signed statements "this member holds the whole file", gathered for a moment so that many share one transaction. What is not
 * yet submitted is found again at a start by comparing the store with the log.
 */
export class Receipts {
  private readonly waiting = new Map<PhaseId, Map<string, FileReceiptEntry>>();
  private timer: Timer | null = null;
  private running: Promise<void> | null = null;
  private failures = 0;
  private stopped = false;

  constructor(private readonly config: ReceiptsConfig) {}

  /** @param entry of a file that is whole on disk */
  add(phase: PhaseId, entry: FileReceiptEntry): void {
    const ofPhase = this.waiting.get(phase) ?? new Map<string, FileReceiptEntry>();
    this.waiting.set(phase, ofPhase);
    ofPhase.set(`${entry.position}/${entry.cid}`, entry);
    this.schedule(this.config.limits.receiptDelayMs);
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.timer?.cancel();
    this.timer = null;
    await this.running;
  }

  private schedule(delayMs: number): void {
    if (this.stopped || this.timer !== null || this.running !== null) return;
    this.timer = this.config.clock.setTimer(delayMs, () => {
      this.timer = null;
      this.running = this.flush().then(delivered => {
        this.running = null;
        this.failures = delivered ? 0 : this.failures + 1;
        if (this.waiting.size > 0) this.schedule(this.pauseMs());
      });
    });
  }

  private pauseMs(): number {
    const { receiptDelayMs, retryMs, retryMsMax } = this.config.limits;
    return this.failures === 0 ? receiptDelayMs : Math.min(retryMsMax, retryMs * 2 ** (this.failures - 1));
  }

  /** @returns false when something has to be tried again */
  private async flush(): Promise<boolean> {
    let delivered = true;
    for (const phase of [...this.waiting.keys()]) {
      if (this.stopped) return false;
      if (!(await this.flushPhase(phase))) delivered = false;
    }
    return delivered;
  }

  private async flushPhase(phase: PhaseId): Promise<boolean> {
    const { index, ledger, limits, logger } = this.config;
    const ofPhase = this.waiting.get(phase) ?? new Map<string, FileReceiptEntry>();
    const batch = [...ofPhase].slice(0, limits.receiptsPerTransaction).map(([key, entry]) => {
      // now: what comes again while these are submitted stays
      ofPhase.delete(key);
      return entry;
    });
    if (ofPhase.size === 0) this.waiting.delete(phase);
    // damage that was found while a receipt waited: it comes again when the file is whole again
    const whole = batch.filter(entry => index.root(entry.cid)?.whole === true);
    const due = whole.filter(entry => !ledger.receipts(phase, entry.cid).includes(ledger.member));
    const fault = due.length === 0 ? null : await this.submit(phase, due);
    if (fault === null) return true;
    logger.warn({ phase, code: fault.code, count: due.length }, 'receipts were not taken');
    if (!fault.isPassing) return true;
    for (const entry of due) this.add(phase, entry);
    return false;
  }

  /** @returns why not, and whether the same may be taken later: a removed participant has nothing to sign */
  private async submit(
    phase: PhaseId,
    due: readonly FileReceiptEntry[],
  ): Promise<{ readonly code: string; readonly isPassing: boolean } | null> {
    try {
      const refused = await this.config.ledger.submitReceipts(phase, due);
      return refused === null ? null : { code: refused.reject, isPassing: PASSING.has(refused.reject) };
    } catch (error) {
      if (!(error instanceof OperatingError)) throw error;
      return { code: error.code, isPassing: true };
    }
  }
}
