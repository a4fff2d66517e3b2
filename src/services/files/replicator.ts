import type { MemberId, PhaseId, Sha256 } from '../../core/base/ids.ts';
import { placeFile } from '../../core/placement/placement.ts';
import type { BlobStore } from '../../ports/blob-store.ts';
import type { Clock, Timer } from '../../ports/clock.ts';
import type { FileDag } from '../../ports/file-dag.ts';
import { OperatingError, type Service } from '../../ports/lifecycle.ts';
import type { Logger } from '../../ports/logger.ts';
import { entryOf } from './access.ts';
import { type FetchFault, FileFetch } from './file-fetch.ts';
import type { FileIndex, RootRecord } from './file-index.ts';
import type { Holders } from './holders.ts';
import type { FileEntry, FileLedger, FilePhase } from './ledger.ts';
import type { FilesLimits } from './limits.ts';
import type { Receipts } from './receipts.ts';
import type { Sources } from './sources.ts';

export interface ReplicatorConfig {
  readonly blobs: BlobStore;
  readonly dag: FileDag;
  readonly index: FileIndex;
  readonly ledger: FileLedger;
  readonly sources: Sources;
  readonly receipts: Receipts;
  readonly holders: Holders;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly sha256: Sha256;
  readonly limits: FilesLimits;
}

/** What a record says of a file, as far as fetching goes. */
type Wanted = Pick<FileEntry, 'phase' | 'cid' | 'keyCommitment' | 'ciphertextBytes'>;

interface Task extends Wanted {
  attempts: number;
  /** Why the last attempt failed; null before the first. */
  fault: FetchFault;
  retry: Timer | null;
  retryAtMs: number | null;
  running: boolean;
  readonly waiters: ((fault: FetchFault) => void)[];
}

/** Where a file's fetching stands. */
export interface FetchState {
  readonly running: boolean;
  readonly attempts: number;
  readonly reason: string | null;
  /** Unix milliseconds of the next attempt; null when one is running or queued, or none will be made. */
  readonly nextAttemptMs: number | null;
}

/** Records may name one file and differ in what they say of it; at most one of them is right. */
function keyOf({ phase, cid, keyCommitment, ciphertextBytes }: Wanted): string {
  return `${phase}/${cid}/${ciphertextBytes}/${keyCommitment}`;
}

interface Cursor {
  readonly position: number;
  /** What the placement follows from, beside the records. */
  readonly members: string;
}

/** A copy that came by the right of other records is not touched for this one. */
export const WITHHELD: NonNullable<FetchFault> = {
  reason: 'this node has the file by the records of another phase, and for that phase only',
  permanent: true,
};

/**
 * Brings this node's store to what the phases' logs ask of it: fetches what the placement gives to this member, a few files at
 * a time, each with its own back-off, and signs for what is whole. A file that cannot be fetched holds up no other.
 */
export class Replicator implements Service {
  private readonly tasks = new Map<string, Task>();
  private readonly queue: Task[] = [];
  /** By root. */
  private readonly fetching = new Map<string, Promise<void>>();
  private readonly cursors = new Map<PhaseId, Cursor>();
  private readonly abort = new AbortController();
  private unsubscribe: () => void = () => {};
  private checking: Timer | null = null;
  private started = false;

  constructor(private readonly config: ReplicatorConfig) {}

  async start(): Promise<void> {
    this.started = true;
    this.unsubscribe = this.config.ledger.onChange(phases => this.scan(phases));
    this.scan(this.config.ledger.phases());
    this.checkHolders();
  }

  async stop(): Promise<void> {
    this.started = false;
    this.unsubscribe();
    this.checking?.cancel();
    this.abort.abort();
    for (const task of this.tasks.values()) {
      task.retry?.cancel();
      if (!task.running) this.settle(task, { reason: 'stopped', permanent: false });
    }
    this.queue.length = 0;
    await Promise.all(this.fetching.values());
  }

  /** A peer came: what waits for a holder need not wait longer. */
  peerConnected(): void {
    for (const task of this.tasks.values()) if (task.retry !== null) this.enqueue(task);
    this.pump();
  }

  /** Fetches now, whatever the placement says; null when the file is whole. */
  fetchNow(entry: FileEntry): Promise<FetchFault> {
    if (!this.started) return Promise.resolve({ reason: 'stopped', permanent: false });
    const task = this.taskOf(entry);
    const done = new Promise<FetchFault>(resolve => task.waiters.push(resolve));
    this.enqueue(task);
    this.pump();
    return done;
  }

  /** Null when nothing is to be fetched. */
  state(entry: FileEntry): FetchState | null {
    const task = this.tasks.get(keyOf(entry));
    if (task === undefined) return null;
    const nextAttemptMs = task.retry === null ? null : task.retryAtMs;
    return {
      running: task.running,
      attempts: task.attempts,
      reason: task.fault?.reason ?? null,
      nextAttemptMs,
    };
  }

  private scan(phases: readonly PhaseId[]): void {
    if (!this.started) return;
    for (const id of phases) {
      const phase = this.config.ledger.phase(id);
      if (phase !== null && this.participates(phase)) this.scanPhase(phase);
    }
    this.pump();
  }

  /** A holder falls silent without a record in any log. */
  private checkHolders(): void {
    const { clock, ledger, limits } = this.config;
    this.checking = clock.setTimer(limits.holderCheckMs, () => {
      this.scan(ledger.phases());
      this.checkHolders();
    });
  }

  /** New records only; all of them again when the participants that count, and with them the placement, have changed. */
  private scanPhase(phase: FilePhase): void {
    const gone = this.config.holders.gone(phase.participants);
    const members = `${phase.membershipVersion}/${gone.join(' ')}`;
    const known = this.cursors.get(phase.id);
    let position = known?.members === members ? known.position : 0;
    for (const entry of this.config.ledger.files(phase.id, position)) {
      position = entry.position + 1;
      this.consider(phase, entry, gone);
    }
    this.cursors.set(phase.id, { position, members });
  }

  private consider(phase: FilePhase, entry: FileEntry, gone: readonly MemberId[]): void {
    const { index, ledger, sha256 } = this.config;
    const receipts = ledger.receipts(phase.id, entry.cid);
    const record = index.root(entry.cid);
    if (record?.whole) {
      const due = this.isOf(entry, record) && !receipts.includes(ledger.member);
      if (due) this.config.receipts.add(phase.id, entry);
      return;
    }
    const { policy, participants } = phase;
    const placement = placeFile(sha256, { ...entry, policy, participants, receipts, gone });
    if (!placement.desired.includes(ledger.member)) return;
    const task = this.taskOf(entry);
    if (task.retry === null && !task.running) this.enqueue(task);
  }

  private participates(phase: FilePhase | null): boolean {
    return phase?.participants.includes(this.config.ledger.member) ?? false;
  }

  /** True when the file that this node has is the one that a record of the phase asks for, and may be had for it. */
  private isOf({ phase, cid, keyCommitment, ciphertextBytes }: Wanted, record: RootRecord): boolean {
    const same = record.keyCommitment === keyCommitment && record.ciphertextBytes === ciphertextBytes;
    return same && entryOf(this.config.ledger, phase, cid, record) !== null;
  }

  private taskOf(entry: FileEntry): Task {
    const known = this.tasks.get(keyOf(entry));
    if (known !== undefined) return known;
    const { phase, cid, keyCommitment, ciphertextBytes } = entry;
    const idle = { attempts: 0, fault: null, retry: null, retryAtMs: null, running: false };
    const task: Task = { phase, cid, keyCommitment, ciphertextBytes, ...idle, waiters: [] };
    this.tasks.set(keyOf(entry), task);
    return task;
  }

  private enqueue(task: Task): void {
    task.retry?.cancel();
    task.retry = null;
    if (!task.running && !this.queue.includes(task)) this.queue.push(task);
  }

  private pump(): void {
    while (this.started && this.fetching.size < this.config.limits.filesInFlight) {
      // two phases that name one file wait for each other: the second finds it on disk
      const at = this.queue.findIndex(task => !this.fetching.has(task.cid));
      const task = at < 0 ? undefined : this.queue.splice(at, 1)[0];
      if (task === undefined) return;
      task.running = true;
      const run = this.attempt(task).then(() => {
        this.fetching.delete(task.cid);
        this.pump();
      });
      this.fetching.set(task.cid, run);
    }
  }

  private async attempt(task: Task): Promise<void> {
    const fault = await this.fetch(task);
    task.running = false;
    task.fault = fault;
    if (fault === null) this.complete(task);
    else this.retryLater(task, fault);
    this.settle(task, fault);
  }

  private async fetch(task: Task): Promise<FetchFault> {
    const { index, ledger, logger } = this.config;
    const { cid, phase, ciphertextBytes } = task;
    if (!ledger.phase(phase)?.readers.includes(ledger.member)) {
      return { reason: 'this member is not in the phase any more', permanent: true };
    }
    // a record may name anything as its file (SCENARIOS 88)
    if (!this.config.dag.isCid(cid)) return { reason: 'the record names no file CID', permanent: true };
    try {
      const record = await this.claim(task);
      if (record === null) return WITHHELD;
      const run = new FileFetch(this.config, { phase, root: cid }, ciphertextBytes, this.abort.signal);
      const fault = await run.run();
      const whole = fault === null;
      if (whole !== record.whole && !this.abort.signal.aborted)
        await index.setRoot(cid, { ...record, whole });
      return fault;
    } catch (error) {
      if (!(error instanceof OperatingError)) throw error;
      logger.error({ cid, phase, code: error.code }, 'a file could not be stored');
      return { reason: error.code, permanent: false };
    }
  }

  /**
   * What is known of the task's file; null when this node has another claim to it. A claim stands from the root block on: what
   * never brought one, a record with a wrong length say, keeps nobody else's file away.
   */
  private async claim(task: Task): Promise<RootRecord | null> {
    const { index, clock } = this.config;
    const { cid, phase, keyCommitment, ciphertextBytes } = task;
    const known = index.root(cid);
    if (known !== null && index.holds(cid, cid)) return this.isOf(task, known) ? known : null;
    const sinceMs = known?.sinceMs ?? clock.nowMs();
    const record = { whole: false, phase, keyCommitment, ciphertextBytes, sinceMs };
    await index.setRoot(cid, record);
    return record;
  }

  private complete(task: Task): void {
    const { index, ledger, logger, receipts } = this.config;
    this.tasks.delete(keyOf(task));
    const record = index.root(task.cid);
    logger.info({ cid: task.cid, phase: task.phase, bytes: task.ciphertextBytes }, 'a file is here whole');
    for (const phase of ledger.phasesOf(task.cid)) {
      if (!this.participates(ledger.phase(phase))) continue;
      for (const entry of ledger.entries(phase, task.cid)) {
        if (record !== null && this.isOf(entry, record)) receipts.add(phase, entry);
      }
    }
  }

  private retryLater(task: Task, fault: { reason: string; permanent: boolean }): void {
    const { clock, limits, logger } = this.config;
    task.attempts += 1;
    logger.warn(
      { cid: task.cid, phase: task.phase, reason: fault.reason, attempts: task.attempts },
      'a file is not whole',
    );
    if (fault.permanent || !this.started) return;
    const delayMs = Math.min(limits.retryMsMax, limits.retryMs * 2 ** Math.min(task.attempts - 1, 30));
    task.retryAtMs = clock.nowMs() + delayMs;
    task.retry = clock.setTimer(delayMs, () => {
      this.enqueue(task);
      this.pump();
    });
  }

  private settle(task: Task, fault: FetchFault): void {
    for (const resolve of task.waiters.splice(0)) resolve(fault);
  }
}
