import type { MemberId, PhaseId, Sha256 } from '../../core/base/ids.ts';
import { placeFile } from '../../core/placement/placement.ts';
import { type Plan, planFile, type Urgency } from '../../core/placement/plan.ts';
import type { BlobStore } from '../../ports/blob-store.ts';
import type { Clock, Timer } from '../../ports/clock.ts';
import type { FileDag } from '../../ports/file-dag.ts';
import { OperatingError, type Service } from '../../ports/lifecycle.ts';
import type { Logger } from '../../ports/logger.ts';
import { claim, isOf } from './claims.ts';
import { type FetchState, isSmall, keyOf, type Task } from './fetch-task.ts';
import { type FetchFault, FileFetch } from './file-fetch.ts';
import type { FileIndex, RootRecord } from './file-index.ts';
import type { Holders } from './holders.ts';
import type { FileEntry, FileLedger, FilePhase } from './ledger.ts';
import type { FilesLimits } from './limits.ts';
import { isOffered } from './offers.ts';
import type { Receipts } from './receipts.ts';
import { fetchSmall } from './small-fetch.ts';
import type { Sources } from './sources.ts';
import { TaskQueue } from './task-queue.ts';
import type { Usage } from './usage.ts';

export interface ReplicatorConfig {
  readonly blobs: BlobStore;
  readonly dag: FileDag;
  readonly index: FileIndex;
  readonly ledger: FileLedger;
  readonly sources: Sources;
  readonly receipts: Receipts;
  readonly holders: Holders;
  readonly usage: Usage;
  /** Members whose copy of a file failed its last proof. */
  readonly failing: (phase: PhaseId, cid: string) => readonly MemberId[];
  readonly clock: Clock;
  readonly logger: Logger;
  readonly sha256: Sha256;
  readonly limits: FilesLimits;
}

interface Run {
  readonly done: Promise<void>;
  readonly ending: AbortController;
}

interface Cursor {
  readonly position: number;
  /** What the placement follows from, beside the records. */
  readonly members: string;
}

const NO_HOLDER: NonNullable<FetchFault> = { reason: 'no holder is connected', permanent: false };
const PURGED: NonNullable<FetchFault> = { reason: 'purged', permanent: true };

/**
 * Brings this node's store to what the phases' logs ask of it: fetches what the placement gives to this member, a few files at
 * a time, each with its own back-off, and signs for what is whole. A file that cannot be fetched holds up no other.
 */
export class Replicator implements Service {
  private readonly tasks = new Map<string, Task>();
  private readonly queue = new TaskQueue<Task>();
  /** By root. */
  private readonly fetching = new Map<string, Run>();
  /** Files or batches of small ones. */
  private runs = 0;
  private readonly cursors = new Map<PhaseId, Cursor>();
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
    const runs = [...this.fetching.values()];
    for (const { ending } of runs) ending.abort();
    for (const task of this.tasks.values()) {
      task.retry?.cancel();
      if (!task.running) this.settle(task, { reason: 'stopped', permanent: false });
    }
    this.queue.clear();
    await Promise.all(runs.map(({ done }) => done));
  }

  /** A peer came: what waits for a holder need not wait longer. */
  peerConnected(): void {
    for (const task of this.tasks.values()) if (task.retry !== null) this.enqueue(task, task.urgency);
    this.pump();
  }

  /** Fetches now, whatever the placement says; null when the file is whole. */
  fetchNow(entry: FileEntry): Promise<FetchFault> {
    if (!this.started) return Promise.resolve({ reason: 'stopped', permanent: false });
    const task = this.taskOf(entry);
    const done = new Promise<FetchFault>(resolve => task.waiters.push(resolve));
    this.enqueue(task, 'asked');
    this.pump();
    return done;
  }

  /** As many files at once, without waiting for them: small ones then come together. */
  fetchMany(entries: readonly FileEntry[]): void {
    if (!this.started) return;
    for (const entry of entries) this.enqueue(this.taskOf(entry), 'asked');
    this.pump();
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
      bytesFetched: task.bytesFetched,
    };
  }

  /** Looks at one file again: its copy here, its pin or what is known of its holders has changed. */
  reconsider(cid: string): void {
    if (!this.started) return;
    const { holders, ledger } = this.config;
    for (const id of ledger.phasesOf(cid)) {
      const phase = ledger.phase(id);
      if (phase === null || !this.participates(phase)) continue;
      const gone = holders.gone(phase.participants);
      for (const entry of ledger.entries(id, cid)) if (!isOffered(entry)) this.consider(phase, entry, gone);
    }
    this.pump();
  }

  /** Nothing more is fetched of this file; when it resolves, no run is at work on it. */
  async forget(cid: string): Promise<void> {
    for (const task of [...this.tasks.values()]) {
      if (task.cid !== cid) continue;
      task.retry?.cancel();
      this.queue.remove(task);
      this.tasks.delete(keyOf(task));
      // one that runs says so at its end
      if (!task.running) this.settle(task, PURGED);
    }
    const run = this.fetching.get(cid);
    // not only awaited: a holder that is slow would hold up every purge. What else came with it is asked for again.
    run?.ending.abort();
    await run?.done;
  }

  /** True while any file is being fetched. */
  isBusy(): boolean {
    return this.runs > 0;
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
    const plan = this.plan(phase, entry, gone);
    if (plan.deed === 'sign') this.config.receipts.add(phase.id, entry);
    if (plan.deed !== 'fetch') return;
    const task = this.taskOf(entry, plan.urgency);
    if (task.retry === null && !task.running) this.enqueue(task, plan.urgency);
  }

  private plan(phase: FilePhase, entry: FileEntry, gone: readonly MemberId[]): Plan {
    const { failing, index, ledger, sha256 } = this.config;
    const receipts = ledger.receipts(phase.id, entry.cid);
    const record = index.root(entry.cid);
    // a whole copy by the right of other records is neither signed for nor fetched again
    if (record?.whole && !isOf(this.config.ledger, entry, record)) return { deed: 'nothing' };
    const { policy, participants } = phase;
    const away = [...gone, ...failing(phase.id, entry.cid)];
    const placement = placeFile(sha256, { ...entry, policy, participants, receipts, gone: away });
    return planFile({
      self: ledger.member,
      placement,
      local: record === null ? 'none' : record.whole ? 'whole' : 'partial',
      signed: receipts.includes(ledger.member),
      pinned: index.isPinned(entry.cid),
      purged: ledger.purgeOf(phase.id, entry.cid) !== null,
    });
  }

  private participates(phase: FilePhase | null): boolean {
    return phase?.participants.includes(this.config.ledger.member) ?? false;
  }

  private taskOf(entry: FileEntry, urgency: Urgency = 'asked'): Task {
    const known = this.tasks.get(keyOf(entry));
    if (known !== undefined) return known;
    const { phase, cid, keyCommitment, ciphertextBytes } = entry;
    const idle = { attempts: 0, fault: null, retry: null, retryAtMs: null, running: false, bytesFetched: 0 };
    const named = { phase, cid, keyCommitment, ciphertextBytes, urgency };
    const task: Task = { ...named, ...idle, alone: false, waiters: [] };
    this.tasks.set(keyOf(entry), task);
    return task;
  }

  private enqueue(task: Task, urgency: Urgency): void {
    task.retry?.cancel();
    task.retry = null;
    task.urgency = urgency;
    if (!task.running) this.queue.add(task, urgency);
  }

  private pump(): void {
    while (this.started && this.runs < this.config.limits.filesInFlight) {
      // two phases that name one file wait for each other: the second finds it on disk
      const task = this.queue.take(candidate => !this.fetching.has(candidate.cid));
      if (task === null) return;
      const batch = [task, ...this.companions(task)];
      for (const one of batch) one.running = true;
      this.runs += 1;
      const ending = new AbortController();
      const { signal } = ending;
      const done = (batch.length > 1 ? this.attemptSmall(batch, signal) : this.attempt(task, signal)).then(
        () => {
          for (const { cid } of batch) this.fetching.delete(cid);
          this.runs -= 1;
          this.pump();
        },
      );
      for (const { cid } of batch) this.fetching.set(cid, { done, ending });
    }
  }

  /** Small files of the same phase that wait next to this one: they cost little more than it alone. */
  private companions(first: Task): Task[] {
    const { smallFilesPerFetch, smallBytesPerFetch } = this.config.limits;
    if (!isSmall(first)) return [];
    const cids = new Set([first.cid]);
    let bytes = first.ciphertextBytes;
    return this.queue.takeAlong(first.urgency, task => {
      const fits = isSmall(task) && task.phase === first.phase && !this.fetching.has(task.cid);
      bytes += task.ciphertextBytes;
      if (!fits || cids.has(task.cid) || bytes > smallBytesPerFetch) return false;
      cids.add(task.cid);
      return cids.size <= smallFilesPerFetch;
    });
  }

  private async attemptSmall(batch: readonly Task[], signal: AbortSignal): Promise<void> {
    const { index, logger, usage } = this.config;
    const claims = new Map<string, RootRecord>();
    const [{ phase }] = batch as [Task];
    let whole: ReadonlySet<string> = new Set();
    try {
      const full = await usage.checkDisk(batch.reduce((sum, task) => sum + task.ciphertextBytes, 0));
      for (const task of batch) {
        // before it is claimed: a claim counts against the quota
        if (await index.isForeign(task.cid, task.cid)) continue;
        const record = await claim(this.config, task, async () => full);
        if (!('reason' in record) && !index.holds(task.cid, task.cid)) claims.set(task.cid, record);
      }
      await index.claim([...claims]);
      if (claims.size > 0) whole = await fetchSmall(this.config, phase, claims, signal);
    } catch (error) {
      if (!(error instanceof OperatingError)) throw error;
      logger.error({ phase, files: batch.length, code: error.code }, 'files could not be stored');
    }
    const hasSource = this.config.sources.candidates({ phase, root: batch[0]!.cid }).length > 0;
    if (whole.size > 0) logger.info({ phase, files: whole.size }, 'files are here whole');
    for (const task of batch) {
      task.running = false;
      task.alone = true;
      if (this.isForgotten(task)) this.settle(task, PURGED);
      else if (whole.has(task.cid)) this.conclude(task, null);
      else if (!hasSource) this.conclude(task, NO_HOLDER);
      else if (this.started) this.enqueue(task, task.urgency);
      else this.settle(task, { reason: 'stopped', permanent: false });
    }
  }

  private async attempt(task: Task, signal: AbortSignal): Promise<void> {
    const fault = await this.fetch(task, signal);
    task.running = false;
    if (fault === null) {
      const { cid, phase, ciphertextBytes: bytes } = task;
      this.config.logger.info({ cid, phase, bytes }, 'a file is here whole');
    }
    this.conclude(task, fault);
  }

  private isForgotten(task: Task): boolean {
    return this.tasks.get(keyOf(task)) !== task;
  }

  private conclude(task: Task, fault: FetchFault): void {
    task.fault = this.isForgotten(task) ? PURGED : fault;
    if (task.fault === null) this.complete(task);
    else if (task.fault !== PURGED) this.retryLater(task, task.fault);
    this.settle(task, task.fault);
  }

  private async fetch(task: Task, signal: AbortSignal): Promise<FetchFault> {
    const { index, logger } = this.config;
    const { cid, phase, ciphertextBytes } = task;
    try {
      const record = await claim(this.config, task);
      if ('reason' in record) return record;
      await index.claim([[cid, record]]);
      const address = { phase, root: cid };
      const run = new FileFetch(this.config, address, ciphertextBytes, signal, bytes => {
        task.bytesFetched += bytes;
      });
      const fault = await run.run();
      const whole = fault === null;
      const known = index.root(cid);
      if (known !== null && whole !== known.whole && !signal.aborted)
        await index.setRoot(cid, { ...known, whole });
      return fault;
    } catch (error) {
      if (!(error instanceof OperatingError)) throw error;
      logger.error({ cid, phase, code: error.code }, 'a file could not be stored');
      return { reason: error.code, permanent: false };
    }
  }

  private complete(task: Task): void {
    const { index, ledger, receipts } = this.config;
    this.tasks.delete(keyOf(task));
    const record = index.root(task.cid);
    for (const phase of ledger.phasesOf(task.cid)) {
      if (!this.participates(ledger.phase(phase))) continue;
      for (const entry of ledger.entries(phase, task.cid)) {
        if (record !== null && !isOffered(entry) && isOf(this.config.ledger, entry, record))
          receipts.add(phase, entry);
      }
    }
  }

  private retryLater(task: Task, fault: { reason: string; permanent: boolean }): void {
    const { clock, limits, logger } = this.config;
    task.attempts += 1;
    task.alone = false;
    logger.warn(
      { cid: task.cid, phase: task.phase, reason: fault.reason, attempts: task.attempts },
      'a file is not whole',
    );
    if (fault.permanent || !this.started) return;
    const delayMs = Math.min(limits.retryMsMax, limits.retryMs * 2 ** Math.min(task.attempts - 1, 30));
    task.retryAtMs = clock.nowMs() + delayMs;
    task.retry = clock.setTimer(delayMs, () => {
      this.enqueue(task, task.urgency);
      this.pump();
    });
  }

  private settle(task: Task, fault: FetchFault): void {
    for (const resolve of task.waiters.splice(0)) resolve(fault);
  }
}
