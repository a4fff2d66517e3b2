import type { PhaseId, Sha256 } from '../../core/base/ids.ts';
import { placeFile } from '../../core/placement/placement.ts';
import type { BlobStore } from '../../ports/blob-store.ts';
import type { Clock, Timer } from '../../ports/clock.ts';
import type { FileDag } from '../../ports/file-dag.ts';
import { OperatingError, type Service } from '../../ports/lifecycle.ts';
import type { Logger } from '../../ports/logger.ts';
import { type FetchFault, FileFetch } from './file-fetch.ts';
import type { FileIndex } from './file-index.ts';
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
  readonly clock: Clock;
  readonly logger: Logger;
  readonly sha256: Sha256;
  readonly limits: FilesLimits;
}

interface Task {
  readonly phase: PhaseId;
  readonly cid: string;
  readonly ciphertextBytes: number;
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

/** Records of several phases may name one file, and only one of them may be right about its length. */
function keyOf(of: {
  readonly phase: PhaseId;
  readonly cid: string;
  readonly ciphertextBytes: number;
}): string {
  return `${of.phase}/${of.cid}/${of.ciphertextBytes}`;
}

interface Cursor {
  position: number;
  membershipVersion: number;
}

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
  private started = false;

  constructor(private readonly config: ReplicatorConfig) {}

  async start(): Promise<void> {
    this.started = true;
    this.unsubscribe = this.config.ledger.onChange(phases => this.scan(phases));
    this.scan(this.config.ledger.phases());
  }

  async stop(): Promise<void> {
    this.started = false;
    this.unsubscribe();
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

  /** New records only; all of them again when the list of participants, and with it the placement, has changed. */
  private scanPhase(phase: FilePhase): void {
    const known = this.cursors.get(phase.id);
    const same = known?.membershipVersion === phase.membershipVersion;
    let position = same ? known.position : 0;
    for (const entry of this.config.ledger.files(phase.id, position)) {
      position = entry.position + 1;
      this.consider(phase, entry);
    }
    this.cursors.set(phase.id, { position, membershipVersion: phase.membershipVersion });
  }

  private consider(phase: FilePhase, entry: FileEntry): void {
    const { index, ledger, sha256 } = this.config;
    const receipts = ledger.receipts(phase.id, entry.cid);
    if (index.root(entry.cid)?.whole) {
      if (!receipts.includes(ledger.member)) this.config.receipts.add(phase.id, entry);
      return;
    }
    const { policy, participants } = phase;
    const placement = placeFile(sha256, { ...entry, policy, participants, receipts });
    if (!placement.desired.includes(ledger.member)) return;
    const task = this.taskOf(entry);
    if (task.retry === null && !task.running) this.enqueue(task);
  }

  private participates(phase: FilePhase | null): boolean {
    return phase?.participants.includes(this.config.ledger.member) ?? false;
  }

  private taskOf(entry: FileEntry): Task {
    const known = this.tasks.get(keyOf(entry));
    if (known !== undefined) return known;
    const { phase, cid, ciphertextBytes } = entry;
    const idle = { attempts: 0, fault: null, retry: null, retryAtMs: null, running: false };
    const task: Task = { phase, cid, ciphertextBytes, ...idle, waiters: [] };
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
    const { index, clock, ledger, logger } = this.config;
    const { cid, phase, ciphertextBytes } = task;
    if (!ledger.phase(phase)?.readers.includes(ledger.member)) {
      return { reason: 'this member is not in the phase any more', permanent: true };
    }
    // a record may name anything as its file (SCENARIOS 88)
    if (!this.config.dag.isCid(cid)) return { reason: 'the record names no file CID', permanent: true };
    try {
      const known = index.root(cid);
      const record = known ?? { whole: false, ciphertextBytes, sinceMs: clock.nowMs() };
      if (known === null) await index.setRoot(cid, record);
      const run = new FileFetch(this.config, { phase, root: cid }, ciphertextBytes, this.abort.signal);
      const fault = await run.run();
      // a record with a wrong length says nothing about the file
      const whole = fault === null || (record.whole && record.ciphertextBytes !== ciphertextBytes);
      if (whole !== record.whole && !this.abort.signal.aborted) {
        await index.setRoot(cid, { ...record, whole, ...(whole ? { ciphertextBytes } : {}) });
      }
      return fault;
    } catch (error) {
      if (!(error instanceof OperatingError)) throw error;
      logger.error({ cid, phase, code: error.code }, 'a file could not be stored');
      return { reason: error.code, permanent: false };
    }
  }

  private complete(task: Task): void {
    const { ledger, logger, receipts } = this.config;
    this.tasks.delete(keyOf(task));
    logger.info({ cid: task.cid, phase: task.phase, bytes: task.ciphertextBytes }, 'a file is here whole');
    for (const phase of ledger.phasesOf(task.cid)) {
      if (!this.participates(ledger.phase(phase))) continue;
      for (const entry of ledger.entries(phase, task.cid)) receipts.add(phase, entry);
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
