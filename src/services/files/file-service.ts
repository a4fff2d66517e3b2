import { assertDefined } from '../../core/base/assert.ts';
import type { PhaseId } from '../../core/base/ids.ts';
import { type Reject, reject } from '../../core/base/reject.ts';
import { placeFile } from '../../core/placement/placement.ts';
import type { ByteRange } from '../../ports/file-dag.ts';
import { OperatingError, type Service } from '../../ports/lifecycle.ts';
import { entryOf } from './access.ts';
import type {
  CarImport,
  CopiesState,
  FileCare,
  GarbageReport,
  HolderProof,
  PurgeStatus,
  PutOptions,
  StorageUsage,
  StoreVerification,
  WaitForCopies,
} from './api.ts';
import { type CarsConfig, exportCar, importCar } from './cars.ts';
import { Challenger } from './challenger.ts';
import { WITHHELD } from './claims.ts';
import { Copies } from './copies.ts';
import type { FetchFault } from './file-fetch.ts';
import { FileIndex } from './file-index.ts';
import { FileServer } from './file-server.ts';
import type { FileServiceConfig, FileStatus, Possession } from './file-status.ts';
import { Garbage } from './garbage.ts';
import { Holders } from './holders.ts';
import { Imports } from './imports.ts';
import type { FileEntry } from './ledger.ts';
import { FILES_LIMITS, type FilesLimits } from './limits.ts';
import {
  type FileContent,
  type FileSubject,
  LocalFiles,
  type PutResult,
  type Verification,
} from './local-files.ts';
import { OfferedLedger } from './offers.ts';
import { Purger } from './purger.ts';
import { Receipts } from './receipts.ts';
import { RemoteReader } from './remote-reader.ts';
import { Replicator } from './replicator.ts';
import { Scrubber } from './scrubber.ts';
import { type Misdeed, Sources } from './sources.ts';
import { followStore } from './store-change.ts';
import { survey } from './survey.ts';
import { Usage } from './usage.ts';

const IDLE = { running: false, attempts: 0, nextAttemptMs: null, bytesFetched: 0 };

/** The off-chain files of a participant's node: an embedded content-addressed store that follows the phases' logs. */
export class FileService implements Service, FileCare {
  private readonly limits: FilesLimits;
  private readonly index: FileIndex;
  private readonly ledger: OfferedLedger;
  private readonly usageOf: Usage;
  private readonly local: LocalFiles;
  private readonly sources: Sources;
  private readonly receipts: Receipts;
  private readonly holders: Holders;
  private readonly replicator: Replicator;
  private readonly copies: Copies;
  private readonly server: FileServer;
  private readonly challenger: Challenger;
  private readonly scrubber: Scrubber;
  private readonly imports = new Imports();
  private readonly purger: Purger;
  private readonly garbage: Garbage;
  private work: Promise<unknown> = Promise.resolve();

  constructor(private readonly config: FileServiceConfig) {
    const limits = { ...FILES_LIMITS, ...config.limits };
    const index = new FileIndex(config.kv);
    const ledger = new OfferedLedger(config.ledger, config.clock, limits);
    const usage = new Usage({ ...config, limits, index });
    const base = { ...config, limits, index, ledger, usage };
    const local = new LocalFiles({ ...base, ...limits });
    const sources = new Sources(base);
    const receipts = new Receipts(base);
    const holders = new Holders(base);
    const onDamage = (root: string) => this.damaged(root);
    const onChange = (root: string) => this.replicator.reconsider(root);
    const failing = (phase: PhaseId, cid: string) => this.challenger.failing(phase, cid);
    this.limits = limits;
    this.index = index;
    this.ledger = ledger;
    this.usageOf = usage;
    this.local = local;
    this.sources = sources;
    this.receipts = receipts;
    this.holders = holders;
    this.challenger = new Challenger({ ...base, sources, onDamage, onChange });
    this.replicator = new Replicator({ ...base, sources, receipts, holders, failing });
    const { replicator } = this;
    this.copies = new Copies({ ...base, sources, replicator });
    this.server = new FileServer({
      ...base,
      onDamage,
      takeOffer: (from, offer) => this.copies.take(from, offer),
    });
    this.scrubber = new Scrubber({ ...base, onDamage });
    this.purger = new Purger({ ...base, local, replicator, imports: this.imports });
    this.garbage = new Garbage({ ...base, local, replicator });
  }

  /** Before the transport starts. */
  register(): void {
    this.server.register();
    this.config.transport.onEvents({
      connected: peer => {
        this.holders.seen(peer);
        this.replicator.peerConnected();
        this.sources.peerConnected();
      },
      disconnected: peer => this.holders.seen(peer),
    });
  }

  /** After the stores are open and the ledger has its verified state. */
  async start(): Promise<void> {
    const { place } = this.config;
    if (place !== undefined) await followStore({ ...this.config, index: this.index, place });
    await this.usageOf.load();
    await this.garbage.start();
    await this.challenger.start();
    await this.purger.start();
    await this.replicator.start();
    await this.scrubber.start();
  }

  async stop(): Promise<void> {
    await this.garbage.stop();
    await this.work;
    await this.scrubber.stop();
    await this.challenger.stop();
    await this.purger.stop();
    await this.replicator.stop();
    await this.receipts.stop();
    await this.local.close();
  }

  /** Encrypts and stores a file under a fresh key; durable when it resolves. Nobody fetches it before a record names it. */
  async putFile(source: AsyncIterable<Uint8Array>, options?: PutOptions): Promise<PutResult> {
    const [result] = await this.local.put([source], options);
    return assertDefined(result, 'one file in, one file out');
  }

  putFiles(
    sources: readonly AsyncIterable<Uint8Array>[],
    options?: PutOptions,
  ): Promise<readonly PutResult[]> {
    return this.local.put(sources, options);
  }

  replicate(phase: PhaseId, files: readonly PutResult[], wait: WaitForCopies): Promise<CopiesState | Reject> {
    return this.copies.replicate(phase, files, wait);
  }

  /** After a record that was to name the file was refused; it stays where another record came to name it meanwhile. */
  async discardFile(cid: string): Promise<void> {
    const { ledger } = this.config;
    if (ledger.phases().some(phase => ledger.references(phase, cid).length > 0)) return;
    await this.local.drop(cid);
  }

  /** True when a record of the phase may name the file: it is here whole, and was not purged. */
  isReady(phase: PhaseId, cid: string): boolean {
    return this.index.root(cid)?.whole === true && this.ledger.purgeOf(phase, cid) === null;
  }

  /** @param isNeeded true for a file that a record is about to name: it is no garbage */
  keepWhile(isNeeded: (cid: string) => boolean): void {
    this.garbage.keepWhile(isNeeded);
  }

  /** Authentic plaintext while it is read; only the end says that it was whole. Throws as `LocalFiles.get`. */
  getFile(subject: FileSubject, range: ByteRange | null = null): AsyncIterable<Uint8Array> {
    return this.local.get(subject, range);
  }

  /**
   * Plaintext from this node's copy or, where it has none that is whole, straight from the file's holders, several at a time;
   * nothing of that is kept. Authentic while it is read; only the end says that it was whole. Throws as `LocalFiles.get`, and
   * OperatingError `no_holder`.
   */
  readFile(
    phase: PhaseId,
    subject: FileSubject,
    range: ByteRange | null,
    signal: AbortSignal,
  ): AsyncIterable<Uint8Array> {
    const record = this.index.root(subject.cid);
    const isHere = record?.whole === true && entryOf(this.ledger, phase, subject.cid, record) !== null;
    if (isHere) return this.local.get(subject, range);
    const { index, limits, sources } = this;
    const address = { phase, root: subject.cid };
    const config = { ...this.config, index, limits, sources };
    const reader = () => new RemoteReader(config, address, subject.ciphertextBytes, signal);
    return this.local.get(subject, range, asked => reader().read(asked));
  }

  /** Reads and hashes every block of this node's copy again; what is damaged is fetched again. */
  async verifyFile(cid: string): Promise<Verification> {
    const verification = await this.local.verify(cid);
    if (!verification.sound) await this.markDamaged(cid);
    return verification;
  }

  async verifyAll(
    options: { readonly signal?: AbortSignal; readonly onProgress?: (bytes: number) => void } = {},
  ): Promise<StoreVerification> {
    return this.scrubber.verifyAll(options.signal, options.onProgress);
  }

  /**
   * Fetches what is missing or damaged now, also where the placement does not ask this node for a copy. Null when the file is
   * whole, otherwise why not.
   */
  async fetchFile(phase: PhaseId, cid: string): Promise<FetchFault> {
    const entries = this.ledger.entries(phase, cid);
    let fault: FetchFault = {
      reason: this.ledger.purgeOf(phase, cid) === null ? 'no record of the phase names this file' : 'purged',
      permanent: true,
    };
    // records may differ in what they say of the file, and one that is wrong is not to hide the right one
    for (const entry of distinct(entries)) {
      fault = await this.replicator.fetchNow(entry);
      if (fault === null) return null;
    }
    return fault;
  }

  /** Null when no record of the phase names the file. */
  status(phaseId: PhaseId, cid: string): FileStatus | null {
    const { ledger } = this;
    const phase = ledger.phase(phaseId);
    const entries = ledger.entries(phaseId, cid);
    const record = this.index.root(cid);
    const own = record === null ? null : entryOf(ledger, phaseId, cid, record);
    const entry = own ?? entries[0];
    if (phase === null || entry === undefined) return null;
    const { policy, participants } = phase;
    const receipts = ledger.receipts(phaseId, cid);
    const gone = [...this.holders.gone(participants), ...this.challenger.failing(phaseId, cid)];
    const placement = placeFile(this.config.sha256, { ...entry, policy, participants, receipts, gone });
    const states = [entry, ...entries].flatMap(one => this.replicator.state(one) ?? []);
    const withheld = record?.whole === true && own === null;
    return {
      ...placement,
      entry,
      copies: placement.holders.length,
      minimum: policy.copiesMinimum,
      missing: placement.desired.filter(member => !receipts.includes(member)),
      local: record === null || own === null ? 'none' : record.whole ? 'whole' : 'partial',
      withheld,
      pinned: this.index.isPinned(cid),
      proofs: this.challenger.proofsOf(phaseId, cid),
      fetch: withheld ? { ...IDLE, reason: WITHHELD.reason } : (states[0] ?? null),
    };
  }

  /** True when this node's copy opens with the record's key to exactly this content; every byte is read for the answer. */
  hasContent(subject: FileSubject, content: FileContent): Promise<boolean> {
    return this.local.hasContent(subject, content);
  }

  /**
   * Asks the connected nodes of the phase what they have of the files at this moment. A peer that does not answer once is not
   * asked for the rest. @returns by file, what each peer says; null from those that do not say
   */
  survey(phase: PhaseId, cids: readonly string[]): Promise<ReadonlyMap<string, readonly Possession[]>> {
    return survey(this.sources, this.ledger, phase, cids);
  }

  async pin(phase: PhaseId, cid: string): Promise<Reject | null> {
    const refused = this.refusal(phase, cid);
    if (refused !== null) return refused;
    await this.index.pin(cid, phase);
    this.replicator.reconsider(cid);
    return null;
  }

  async unpin(cid: string): Promise<void> {
    await this.index.unpin(cid);
  }

  isPinned(cid: string): boolean {
    return this.index.isPinned(cid);
  }

  async usage(): Promise<StorageUsage> {
    let pinned = 0;
    for await (const _ of this.index.pins()) pinned += 1;
    return {
      node: this.usageOf.ofNode(),
      phases: this.usageOf.ofPhases(),
      freeBytes: await this.config.blobs.freeBytes(),
      pinned,
      scrub: this.scrubber.status(),
    };
  }

  collectGarbage(): Promise<GarbageReport> {
    return this.garbage.collect();
  }

  async exportCar(phase: PhaseId, cid: string): Promise<AsyncIterable<Uint8Array> | Reject> {
    return exportCar(this.carsConfig(), phase, cid);
  }

  importCar(
    phase: PhaseId,
    cid: string,
    source: AsyncIterable<Uint8Array>,
    signal?: AbortSignal,
  ): Promise<CarImport | Reject> {
    return importCar(this.carsConfig(), phase, cid, source, signal);
  }

  async purge(phase: PhaseId, cid: string, reason: string): Promise<PurgeStatus | Reject> {
    const refused = this.refusal(phase, cid);
    if (refused !== null) return refused;
    const others = this.ledger.phasesOf(cid).filter(other => other !== phase);
    const elsewhere = others.flatMap(other => this.ledger.entries(other, cid));
    const fault = await this.ledger.submitPurge(phase, cid, reason, elsewhere);
    return fault ?? assertDefined(this.purgeStatus(phase, cid), 'a committed order is in the log');
  }

  purgeStatus(phase: PhaseId, cid: string): PurgeStatus | null {
    return this.purger.status(phase, cid);
  }

  proofs(phase: PhaseId, cid: string): readonly HolderProof[] {
    return this.challenger.proofsOf(phase, cid);
  }

  /** Asks every connected holder of a file for a proof now. @returns what is known of them after it */
  async challenge(phase: PhaseId, cid: string): Promise<readonly HolderProof[]> {
    await this.challenger.challengeHolders(phase, cid);
    return this.challenger.proofsOf(phase, cid);
  }

  /** Holders that sent wrong bytes since the start, the last of them. */
  misdeeds(): readonly Misdeed[] {
    return this.sources.misdeeds();
  }

  private refusal(phase: PhaseId, cid: string): Reject | null {
    if (this.ledger.purgeOf(phase, cid) !== null) return reject('purged', `file ${cid} was purged`, 'ignore');
    return this.ledger.entries(phase, cid).length > 0
      ? null
      : reject('unknown_file', `no record of the phase names the file ${cid}`, 'ignore');
  }

  private carsConfig(): CarsConfig {
    const { imports, index, ledger, limits, replicator, usageOf: usage } = this;
    const fetchNow = (entry: FileEntry) => replicator.fetchNow(entry);
    return { ...this.config, imports, index, ledger, limits, usage, fetchNow };
  }

  /** A block that was read is missing or damaged: the copy is not whole until it is fetched again. */
  private damaged(root: string): void {
    this.work = this.work
      .then(() => this.markDamaged(root))
      .catch(error => {
        if (!(error instanceof OperatingError)) throw error;
        this.config.logger.error({ cid: root, code: error.code }, 'a damaged file could not be marked');
      });
  }

  private async markDamaged(root: string): Promise<void> {
    const record = this.index.root(root);
    if (record?.whole) await this.index.setRoot(root, { ...record, whole: false });
    this.replicator.reconsider(root);
  }
}

/** One record for each thing that is said of the file. */
function distinct(entries: readonly FileEntry[]): Iterable<FileEntry> {
  const claims = entries.map(entry => [`${entry.keyCommitment}/${entry.ciphertextBytes}`, entry] as const);
  return new Map(claims.toReversed()).values();
}
