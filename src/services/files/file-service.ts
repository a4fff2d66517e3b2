import type { MemberId, PhaseId, Sha256 } from '../../core/base/ids.ts';
import { type Placement, placeFile } from '../../core/placement/placement.ts';
import type { BlobStore } from '../../ports/blob-store.ts';
import type { Clock } from '../../ports/clock.ts';
import type { FileCipher } from '../../ports/file-cipher.ts';
import type { FileDag } from '../../ports/file-dag.ts';
import type { KeyValueStore } from '../../ports/kv.ts';
import type { Service } from '../../ports/lifecycle.ts';
import type { Logger } from '../../ports/logger.ts';
import type { PeerId, Transport } from '../../ports/transport.ts';
import type { Extent } from '../../wire/files.ts';
import type { FetchFault } from './file-fetch.ts';
import { FileIndex } from './file-index.ts';
import { FileServer } from './file-server.ts';
import type { FileEntry, FileLedger } from './ledger.ts';
import { FILES_LIMITS, type FilesLimits } from './limits.ts';
import { type FileSubject, LocalFiles, type PutResult, type Verification } from './local-files.ts';
import { readPath, writePath } from './paths.ts';
import { Receipts } from './receipts.ts';
import { type FetchState, Replicator } from './replicator.ts';
import { Sources } from './sources.ts';

export interface FileServiceConfig {
  readonly blobs: BlobStore;
  /** Over the same blob store. */
  readonly dag: FileDag;
  /** Opened; keys under `files/`. */
  readonly kv: KeyValueStore;
  readonly cipher: FileCipher;
  readonly ledger: FileLedger;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly sha256: Sha256;
  readonly limits?: Partial<FilesLimits>;
}

/** One file of one phase: "k of n" and why not more. */
export interface FileStatus extends Placement {
  readonly entry: FileEntry;
  /** The k: current participants that signed to hold the file. */
  readonly copies: number;
  /** Copies under which the phase's policy sees a gap. */
  readonly minimum: number;
  /** Members that should hold the file and have not signed. */
  readonly missing: readonly MemberId[];
  /** What this node has. */
  readonly local: Extent;
  /** This node's fetching; null when there is nothing to fetch. */
  readonly fetch: FetchState | null;
}

/** The off-chain files of a participant's node: an embedded content-addressed store that follows the phases' logs. */
export class FileService implements Service {
  private readonly index: FileIndex;
  private readonly local: LocalFiles;
  private readonly sources: Sources;
  private readonly receipts: Receipts;
  private readonly replicator: Replicator;
  private readonly server: FileServer;

  constructor(private readonly config: FileServiceConfig) {
    const limits = { ...FILES_LIMITS, ...config.limits };
    const index = new FileIndex(config.kv);
    const whole = { ...config, limits, index };
    this.index = index;
    this.local = new LocalFiles({ ...whole, unreferencedMs: limits.unreferencedMs });
    this.sources = new Sources(whole);
    this.receipts = new Receipts(whole);
    this.replicator = new Replicator({ ...whole, sources: this.sources, receipts: this.receipts });
    this.server = new FileServer(whole);
  }

  /** Before the transport starts. */
  register(): void {
    this.server.register();
    this.config.transport.onEvents({
      connected: () => this.replicator.peerConnected(),
      disconnected: () => {},
    });
  }

  /** After the stores are open and the ledger has its verified state. */
  async start(): Promise<void> {
    await this.local.collectGarbage(root => this.config.ledger.phasesOf(root).length > 0);
    await this.replicator.start();
  }

  async stop(): Promise<void> {
    await this.replicator.stop();
    await this.receipts.stop();
  }

  /**
   * Encrypts and stores a file under a fresh key; durable when it resolves. Nobody fetches it before a record names it.
   * @param source a path of this machine, or the content
   */
  putFile(source: string | AsyncIterable<Uint8Array>): Promise<PutResult> {
    return this.local.put(typeof source === 'string' ? readPath(source) : source);
  }

  /** After a record that was to name the file was refused. */
  discardFile(cid: string): Promise<void> {
    return this.local.drop(cid);
  }

  /** Authentic plaintext while it is read; only the end says that it was whole. Throws as `LocalFiles.get`. */
  getFile(subject: FileSubject): AsyncIterable<Uint8Array> {
    return this.local.get(subject);
  }

  /** All of the plaintext to a path, or nothing. @returns bytes written */
  getFileTo(subject: FileSubject, path: string): Promise<number> {
    return writePath(path, this.local.get(subject));
  }

  /** Reads and hashes every block of this node's copy again. */
  async verifyFile(cid: string): Promise<Verification> {
    const verification = await this.local.verify(cid);
    const record = this.index.root(cid);
    if (!verification.sound && record?.whole) await this.index.setRoot(cid, { ...record, whole: false });
    return verification;
  }

  /**
   * Fetches what is missing or damaged now, also where the placement does not ask this node for a copy. Null when the file is
   * whole, otherwise why not.
   */
  async fetchFile(phase: PhaseId, cid: string): Promise<FetchFault> {
    const entry = this.config.ledger.entries(phase, cid)[0];
    if (entry === undefined) return { reason: 'no record of the phase names this file', permanent: true };
    return this.replicator.fetchNow(entry);
  }

  /** Null when no record of the phase names the file. */
  status(phaseId: PhaseId, cid: string): FileStatus | null {
    const { ledger } = this.config;
    const phase = ledger.phase(phaseId);
    const entry = ledger.entries(phaseId, cid)[0];
    if (phase === null || entry === undefined) return null;
    const { policy, participants } = phase;
    const receipts = ledger.receipts(phaseId, cid);
    const placement = placeFile(this.config.sha256, { ...entry, policy, participants, receipts });
    const record = this.index.root(cid);
    return {
      ...placement,
      entry,
      copies: placement.holders.length,
      minimum: policy.copiesMinimum,
      missing: placement.desired.filter(member => !receipts.includes(member)),
      local: record === null ? 'none' : record.whole ? 'whole' : 'partial',
      fetch: this.replicator.state(entry),
    };
  }

  /** Asks the connected nodes of the phase what they have of the file at this moment; null from those that do not say. */
  async survey(
    phase: PhaseId,
    cid: string,
  ): Promise<readonly { readonly peer: PeerId; readonly extent: Extent | null }[]> {
    const peers = this.sources.candidates({ phase, root: cid });
    return Promise.all(
      peers.map(async peer => ({ peer, extent: await this.sources.extent(peer, { phase, root: cid }) })),
    );
  }
}
