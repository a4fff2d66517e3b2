import type { MemberId, PhaseId, Sha256 } from '../../core/base/ids.ts';
import { type Placement, placeFile } from '../../core/placement/placement.ts';
import type { BlobStore } from '../../ports/blob-store.ts';
import type { Clock } from '../../ports/clock.ts';
import type { FileCipher } from '../../ports/file-cipher.ts';
import type { ByteRange, FileDag } from '../../ports/file-dag.ts';
import type { KeyValueStore } from '../../ports/kv.ts';
import type { Service } from '../../ports/lifecycle.ts';
import type { Logger } from '../../ports/logger.ts';
import type { PeerId, Transport } from '../../ports/transport.ts';
import type { Extent } from '../../wire/files.ts';
import { entryOf } from './access.ts';
import type { FetchFault } from './file-fetch.ts';
import { FileIndex } from './file-index.ts';
import { FileServer } from './file-server.ts';
import { Holders } from './holders.ts';
import type { FileEntry, FileLedger } from './ledger.ts';
import { FILES_LIMITS, type FilesLimits } from './limits.ts';
import {
  type FileContent,
  type FileSubject,
  LocalFiles,
  type PutResult,
  type Verification,
} from './local-files.ts';
import { Receipts } from './receipts.ts';
import { type FetchState, Replicator, WITHHELD } from './replicator.ts';
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
  /** What this node has for this phase. */
  readonly local: Extent;
  /** True when it has the file by the records of another phase only: it neither serves it in this one nor signs for it. */
  readonly withheld: boolean;
  /** This node's fetching; null when there is nothing to fetch. */
  readonly fetch: FetchState | null;
}

/** What a connected node says that it has. */
export interface Possession {
  readonly peer: PeerId;
  readonly member: MemberId | null;
  readonly extent: Extent | null;
}

const IDLE = { running: false, attempts: 0, nextAttemptMs: null };

/** The off-chain files of a participant's node: an embedded content-addressed store that follows the phases' logs. */
export class FileService implements Service {
  private readonly index: FileIndex;
  private readonly local: LocalFiles;
  private readonly sources: Sources;
  private readonly receipts: Receipts;
  private readonly holders: Holders;
  private readonly replicator: Replicator;
  private readonly server: FileServer;

  constructor(private readonly config: FileServiceConfig) {
    const limits = { ...FILES_LIMITS, ...config.limits };
    const index = new FileIndex(config.kv);
    const whole = { ...config, limits, index };
    this.index = index;
    this.local = new LocalFiles({ ...whole, ...limits });
    this.sources = new Sources(whole);
    this.receipts = new Receipts(whole);
    this.holders = new Holders(whole);
    const { sources, receipts, holders } = this;
    this.replicator = new Replicator({ ...whole, sources, receipts, holders });
    this.server = new FileServer(whole);
  }

  /** Before the transport starts. */
  register(): void {
    this.server.register();
    this.config.transport.onEvents({
      connected: peer => {
        this.holders.seen(peer);
        this.replicator.peerConnected();
      },
      disconnected: peer => this.holders.seen(peer),
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

  /** Encrypts and stores a file under a fresh key; durable when it resolves. Nobody fetches it before a record names it. */
  putFile(source: AsyncIterable<Uint8Array>): Promise<PutResult> {
    return this.local.put(source);
  }

  /** After a record that was to name the file was refused. */
  discardFile(cid: string): Promise<void> {
    return this.local.drop(cid);
  }

  /** Authentic plaintext while it is read; only the end says that it was whole. Throws as `LocalFiles.get`. */
  getFile(subject: FileSubject, range: ByteRange | null = null): AsyncIterable<Uint8Array> {
    return this.local.get(subject, range);
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
    const entries = this.config.ledger.entries(phase, cid);
    let fault: FetchFault = { reason: 'no record of the phase names this file', permanent: true };
    // records may differ in what they say of the file, and one that is wrong is not to hide the right one
    for (const entry of distinct(entries)) {
      fault = await this.replicator.fetchNow(entry);
      if (fault === null) return null;
    }
    return fault;
  }

  /** Null when no record of the phase names the file. */
  status(phaseId: PhaseId, cid: string): FileStatus | null {
    const { ledger } = this.config;
    const phase = ledger.phase(phaseId);
    const entries = ledger.entries(phaseId, cid);
    const record = this.index.root(cid);
    const own = record === null ? null : entryOf(ledger, phaseId, cid, record);
    const entry = own ?? entries[0];
    if (phase === null || entry === undefined) return null;
    const { policy, participants } = phase;
    const receipts = ledger.receipts(phaseId, cid);
    const gone = this.holders.gone(participants);
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
  async survey(phase: PhaseId, cids: readonly string[]): Promise<ReadonlyMap<string, readonly Possession[]>> {
    const found = new Map<string, Possession[]>(cids.map(cid => [cid, []]));
    const peers = new Set(cids.slice(0, 1).flatMap(cid => this.sources.candidates({ phase, root: cid })));
    await Promise.all([...peers].map(peer => this.ask(peer, phase, found)));
    return found;
  }

  private async ask(peer: PeerId, phase: PhaseId, found: ReadonlyMap<string, Possession[]>): Promise<void> {
    const member = this.config.ledger.memberOfPeer(peer);
    let silent = false;
    for (const [root, possessions] of found) {
      const answer: Awaited<ReturnType<Sources['extent']>> = silent
        ? 'silent'
        : await this.sources.extent(peer, { phase, root });
      silent = answer === 'silent';
      possessions.push({ peer, member, extent: answer === 'silent' || answer === 'refused' ? null : answer });
    }
  }
}

/** One record for each thing that is said of the file. */
function distinct(entries: readonly FileEntry[]): Iterable<FileEntry> {
  const claims = entries.map(entry => [`${entry.keyCommitment}/${entry.ciphertextBytes}`, entry] as const);
  return new Map(claims.toReversed()).values();
}
