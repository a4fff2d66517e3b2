import type { PhaseId } from '../../core/base/ids.ts';
import type { Clock, Timer } from '../../ports/clock.ts';
import { OperatingError } from '../../ports/lifecycle.ts';
import type { Logger } from '../../ports/logger.ts';
import type { Transport } from '../../ports/transport.ts';
import { entryOf } from './access.ts';
import type { PurgeStatus } from './api.ts';
import type { FileIndex } from './file-index.ts';
import type { Imports } from './imports.ts';
import type { FileLedger, PurgeOrder } from './ledger.ts';
import type { FilesLimits } from './limits.ts';
import type { LocalFiles } from './local-files.ts';
import type { Replicator } from './replicator.ts';

export interface PurgerConfig {
  readonly index: FileIndex;
  readonly ledger: FileLedger;
  readonly local: LocalFiles;
  readonly replicator: Replicator;
  readonly imports: Imports;
  readonly transport: Pick<Transport, 'peerId'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits: FilesLimits;
}

interface Ack {
  readonly order: PurgeOrder;
  readonly kept: boolean;
}

/**
 * Carries out the orders to purge: deletes first, then signs that it did. What a crash takes of it is done again at the next
 * start, for the log says what this member signed to hold and what this node acknowledged: where a member has
 * several, each deletes and speaks for itself.
 */
export class Purger {
  private readonly waiting = new Map<PhaseId, Map<string, Ack>>();
  /** Orders after which nothing is left to do here. */
  private readonly done = new Set<string>();
  private unsubscribe: () => void = () => {};
  private work: Promise<void> = Promise.resolve();
  private timer: Timer | null = null;
  /** An order could not be carried out. */
  private failed = false;
  private stopped = false;

  constructor(private readonly config: PurgerConfig) {}

  async start(): Promise<void> {
    const { ledger } = this.config;
    this.unsubscribe = ledger.onChange(() => this.scan());
    this.scan();
    await this.work;
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.unsubscribe();
    this.timer?.cancel();
    await this.work;
  }

  status(phase: PhaseId, cid: string): PurgeStatus | null {
    const { ledger } = this.config;
    const found = ledger.purgeOf(phase, cid);
    if (found === null) return null;
    const { order, position, height, timeMs, by, reason, references, elsewhere } = found;
    const holders = ledger.receipts(phase, cid);
    const acknowledged = ledger.purgeAcks(phase, cid);
    const open = holders.flatMap(member => {
      const said = acknowledged.filter(ack => ack.member === member).map(({ node }) => node);
      const nodes = ledger.peersOf(member).filter(node => !said.includes(node));
      const silent = nodes.length === 0 && said.length === 0 ? [null] : nodes;
      return silent.map(node => ({ member, node }));
    });
    const ordered = { order, position, height, timeMs, by, reason, references, elsewhere };
    return { ...ordered, holders, acknowledged, open };
  }

  private scan(): void {
    this.work = this.work.then(() => this.carryOutAll()).catch(error => this.report(error));
  }

  private async carryOutAll(): Promise<void> {
    const { ledger } = this.config;
    for (const phase of ledger.phases()) {
      for (const order of ledger.purges(phase)) {
        if (this.stopped) return;
        // one that cannot be carried out now holds up no other
        if (!this.done.has(keyOf(order))) await this.carryOut(order).catch(error => this.report(error));
      }
    }
  }

  private async carryOut(order: PurgeOrder): Promise<void> {
    const { imports, index, ledger, local, logger, replicator, transport } = this.config;
    const { phase, cid } = order;
    const record = index.root(cid);
    const had = record !== null;
    // a reason to have it: a record of a phase in which it is not purged, and not by somebody who only knows its CID
    const kept =
      record === null
        ? ledger.phasesOf(cid).length > 0
        : ledger.phasesOf(cid).some(other => entryOf(ledger, other, cid, record) !== null);
    if (!kept) {
      // in this order: what was taken in asks for what it lacks
      await imports.end(cid);
      await replicator.forget(cid);
      if (index.root(cid) !== null) await local.drop(cid);
      if (had) logger.info({ phase, cid }, 'a file was purged');
    }
    const own = ledger
      .purgeAcks(phase, cid)
      .find(ack => ack.member === ledger.member && ack.node === transport.peerId);
    const answers = had || ledger.receipts(phase, cid).includes(ledger.member) || own !== undefined;
    const owes = answers && own?.kept !== kept && own?.kept !== false;
    const isParticipant = ledger.phase(phase)?.participants.includes(ledger.member) === true;
    // who has left the phase signs when it is in it again
    if (!kept && (!owes || isParticipant)) this.done.add(keyOf(order));
    if (!owes || !isParticipant) return;
    const ofPhase = this.waiting.get(phase) ?? new Map<string, Ack>();
    this.waiting.set(phase, ofPhase);
    ofPhase.set(cid, { order, kept });
    this.schedule(this.config.limits.receiptDelayMs);
  }

  private schedule(delayMs: number): void {
    if (this.stopped || this.timer !== null) return;
    this.timer = this.config.clock.setTimer(delayMs, () => {
      this.timer = null;
      this.work = this.work.then(() => this.turn()).catch(error => this.report(error));
    });
  }

  private async turn(): Promise<void> {
    if (this.failed) {
      this.failed = false;
      await this.carryOutAll();
    }
    await this.flush();
  }

  private async flush(): Promise<void> {
    const { ledger, limits, logger, transport } = this.config;
    for (const [phase, ofPhase] of [...this.waiting]) {
      if (this.stopped) return;
      const acks = [...ofPhase.values()].slice(0, limits.receiptsPerTransaction);
      const refused = await ledger.submitPurgeAcks(phase, transport.peerId, acks);
      if (refused !== null) logger.warn({ phase, code: refused.reject }, 'acknowledgements were refused');
      for (const { order } of acks) {
        ofPhase.delete(order.cid);
        if (refused !== null) this.done.delete(keyOf(order));
      }
      if (ofPhase.size === 0) this.waiting.delete(phase);
    }
    if (this.waiting.size > 0) this.schedule(limits.receiptDelayMs);
  }

  /** The disk or the network: what was not done stays to be done. */
  private report(error: unknown): void {
    if (!(error instanceof OperatingError)) throw error;
    this.config.logger.warn({ code: error.code }, 'a purge has to be tried again');
    this.failed = true;
    this.schedule(this.config.limits.retryMs);
  }
}

function keyOf({ phase, cid }: PurgeOrder): string {
  return `${phase}/${cid}`;
}
