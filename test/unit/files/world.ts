import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach } from 'vitest';
import type { Hash, LogId, MemberId, PhaseId, TransactionId } from '../../../src/core/base/ids.ts';
import { type Reject, reject } from '../../../src/core/base/reject.ts';
import type { CopiesPolicy } from '../../../src/core/types/flow.ts';
import { fileCipher } from '../../../src/crypto/file-cipher.ts';
import { systemRandom } from '../../../src/crypto/random.ts';
import { nodeSuite } from '../../../src/crypto/suite.ts';
import type { BlobStore } from '../../../src/ports/blob-store.ts';
import { silentLogger } from '../../../src/ports/logger.ts';
import { FileService } from '../../../src/services/files/file-service.ts';
import type {
  FileEntry,
  FileLedger,
  FilePhase,
  FileReceiptEntry,
  PurgeAck,
  PurgeOrder,
} from '../../../src/services/files/ledger.ts';
import type { FilesLimits } from '../../../src/services/files/limits.ts';
import type { PutResult } from '../../../src/services/files/local-files.ts';
import { carFormat } from '../../../src/store/car.ts';
import { FileBlobStore } from '../../../src/store/file-blob-store.ts';
import { MemoryStore } from '../../../src/store/memory-store.ts';
import { UnixFsDag } from '../../../src/store/unixfs.ts';
import { MemoryNetwork, type MemoryTransport } from '../../support/memory-transport.ts';
import { ManualClock } from './manual-clock.ts';

export const MIB = 1024 * 1024;
export const hashOf = (text: string) => nodeSuite.sha256(new TextEncoder().encode(text));
export const memberId = (name: string) => name as MemberId;

/** Bytes that do not repeat, the same for the same seed. */
export function patterned(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = seed;
  for (let index = 0; index < length; index += 1) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[index] = state >>> 24;
  }
  return bytes;
}

export async function* chunked(bytes: Uint8Array, size = 100_000): AsyncIterable<Uint8Array> {
  for (let offset = 0; offset < bytes.length; offset += size) yield bytes.subarray(offset, offset + size);
}

export async function collect(source: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of source) parts.push(part);
  return new Uint8Array(Buffer.concat(parts));
}

/** Waits, by turns of the event loop, for what other nodes do. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise(resolve => setImmediate(resolve));
}

interface PhaseBook {
  policy: CopiesPolicy;
  membershipVersion: number;
  participants: MemberId[];
  owner: MemberId | null;
  readonly files: FileEntry[];
  readonly receipts: { readonly member: MemberId; readonly cid: string }[];
  readonly purges: { readonly order: PurgeOrder; readonly acks: PurgeAck[] }[];
}

/** The ledger that all nodes of a test see, without a chain under it: what `FileLedger` promises and no more. */
export class FakeLedger {
  readonly peers = new Map<string, MemberId>();
  readonly submissions: { readonly member: MemberId; readonly receipts: readonly FileReceiptEntry[] }[] = [];
  refusal: Reject | null = null;
  /** Time of the head up to which the nodes have read the ledger; they are never behind unless a test says so. */
  headMs = Number.POSITIVE_INFINITY;
  private readonly books = new Map<PhaseId, PhaseBook>();
  private readonly listeners = new Set<(phases: readonly PhaseId[]) => void>();
  private records = 0;

  addPhase(
    name: string,
    participants: readonly string[],
    copiesTarget = 0,
    owner: string | null = null,
  ): PhaseId {
    const id = hashOf(name) as PhaseId;
    this.books.set(id, {
      policy: { copiesTarget, copiesMinimum: 2 },
      membershipVersion: 1,
      participants: participants.map(memberId),
      owner: owner === null ? null : memberId(owner),
      files: [],
      receipts: [],
      purges: [],
    });
    return id;
  }

  /** A record that names the file is committed. @param from the record that is handed over, if it is not a new one */
  record(
    phase: PhaseId,
    author: string,
    put: Pick<PutResult, 'cid' | 'ciphertextBytes' | 'keyCommitment'>,
    from: FileEntry | null = null,
  ): FileEntry {
    const { cid, ciphertextBytes, keyCommitment } = put;
    const position = this.records;
    this.records += 1;
    const record = hashOf(`record ${position}`) as TransactionId;
    const origin = from?.origin ?? record;
    const file = { cid, ciphertextBytes, keyCommitment };
    const entry = { phase, position, record, origin, author: memberId(author), ...file };
    this.book(phase).files.push(entry);
    this.changed(phase);
    return entry;
  }

  setParticipants(phase: PhaseId, participants: readonly string[]): void {
    const book = this.book(phase);
    book.participants = participants.map(memberId);
    book.membershipVersion += 1;
    this.changed(phase);
  }

  setPolicy(phase: PhaseId, policy: CopiesPolicy): void {
    this.book(phase).policy = policy;
  }

  sign(phase: PhaseId, member: MemberId, receipts: readonly FileReceiptEntry[]): void {
    this.book(phase).receipts.push(...receipts.map(({ cid }) => ({ member, cid })));
    this.changed(phase);
  }

  viewOf(member: MemberId): FileLedger {
    return {
      member,
      memberOfPeer: peer => this.peers.get(peer) ?? null,
      peersOf: of => [...this.peers].flatMap(([peer, owner]) => (owner === of ? [peer] : [])),
      catchUp: async () => this.headMs,
      phases: () => [...this.books.keys()],
      phase: id => this.phase(id),
      files: (phase, from) =>
        this.book(phase).files.filter(entry => entry.position >= from && !this.isPurged(phase, entry.cid)),
      entries: (phase, cid) => (this.isPurged(phase, cid) ? [] : this.named(phase, cid)),
      references: (phase, cid) => this.named(phase, cid),
      purgeOf: (phase, cid) => this.purge(phase, cid)?.order ?? null,
      purges: phase => this.book(phase).purges.map(({ order }) => order),
      purgeAcks: (phase, cid) => this.purge(phase, cid)?.acks ?? [],
      phasesOf: cid =>
        [...this.books.keys()].filter(id => this.named(id, cid).length > 0 && !this.isPurged(id, cid)),
      receipts: (phase, cid) => [
        ...new Set(this.book(phase).receipts.flatMap(entry => (entry.cid === cid ? [entry.member] : []))),
      ],
      onChange: listener => {
        this.listeners.add(listener);
        return () => this.listeners.delete(listener);
      },
      submitReceipts: async (phase, receipts) => {
        this.submissions.push({ member, receipts });
        if (this.refusal !== null) return this.refusal;
        if (!this.book(phase).participants.includes(member)) return reject('notParticipant', member);
        this.sign(phase, member, receipts);
        return null;
      },
      submitPurge: async (phase, cid, reason, elsewhere) => {
        if (this.refusal !== null) return this.refusal;
        const others = elsewhere.map(entry => ({
          logId: hashOf(entry.phase) as LogId,
          record: entry.record,
        }));
        this.orderPurge(phase, cid, member, reason, others);
        return null;
      },
      submitPurgeAcks: async (phase, node, acks) => {
        if (this.refusal !== null) return this.refusal;
        if (!this.book(phase).participants.includes(member)) return reject('notParticipant', member);
        for (const { order, kept } of acks) {
          this.acknowledgements.push({ member, node, cid: order.cid, kept });
          this.purge(phase, order.cid)?.acks.push({ member, node, height: 1, kept });
        }
        this.changed(phase);
        return null;
      },
    };
  }

  readonly acknowledgements: (Omit<PurgeAck, 'height'> & { readonly cid: string })[] = [];

  orderPurge(
    phase: PhaseId,
    cid: string,
    by: MemberId,
    reason = '',
    elsewhere: PurgeOrder['elsewhere'] = [],
  ): void {
    const references = this.named(phase, cid).map(({ record }) => record);
    const position = this.records;
    this.records += 1;
    const place = { position, height: 1, timeMs: 1, order: hashOf(`order ${position}`) as TransactionId };
    this.book(phase).purges.push({
      order: { phase, cid, ...place, by, reason, references, elsewhere },
      acks: [],
    });
    this.changed(phase);
  }

  private named(phase: PhaseId, cid: string): readonly FileEntry[] {
    return this.books.get(phase)?.files.filter(entry => entry.cid === cid) ?? [];
  }

  private purge(phase: PhaseId, cid: string) {
    return this.books.get(phase)?.purges.find(({ order }) => order.cid === cid);
  }

  private isPurged(phase: PhaseId, cid: string): boolean {
    return this.purge(phase, cid) !== undefined;
  }

  private phase(id: PhaseId): FilePhase | null {
    const book = this.books.get(id);
    if (book === undefined) return null;
    const { policy, membershipVersion, participants, owner } = book;
    const readers = owner === null ? participants : [...participants, owner];
    return { id, policy, membershipVersion, participants, readers };
  }

  private book(phase: PhaseId): PhaseBook {
    return this.books.get(phase)!;
  }

  private changed(phase: PhaseId): void {
    for (const listener of this.listeners) listener([phase]);
  }
}

export interface FileNode {
  readonly name: string;
  readonly service: FileService;
  readonly transport: MemoryTransport;
  readonly blobs: BlobStore;
  readonly kv: MemoryStore;
  readonly dag: UnixFsDag;
  readonly directory: string;
}

export interface NodeOptions {
  /** The member that the node belongs to; its own name when not given. */
  readonly member?: string;
  readonly limits?: Partial<FilesLimits>;
  readonly blobs?: BlobStore;
  readonly place?: string;
  /** Stores of an earlier life. */
  readonly earlier?: FileNode;
  /** How others see this node's blob store; for holders that lie. */
  readonly serve?: (blobs: BlobStore) => BlobStore;
}

/** Nodes on one network, over real stores, with one ledger and one clock. */
export class World {
  readonly network = new MemoryNetwork();
  readonly ledger = new FakeLedger();
  readonly clock = new ManualClock();
  readonly nodes: FileNode[] = [];

  constructor(private readonly root: string) {}

  async node(name: string, options: NodeOptions = {}): Promise<FileNode> {
    const peerId = `peer-${name}`;
    const member = memberId(options.member ?? name);
    this.ledger.peers.set(peerId, member);
    const directory = options.earlier?.directory ?? join(this.root, `${name}-${this.nodes.length}`);
    const stored = options.blobs ?? options.earlier?.blobs ?? new FileBlobStore(directory);
    const blobs = options.serve?.(stored) ?? stored;
    const kv = options.earlier?.kv ?? new MemoryStore();
    const dag = new UnixFsDag(stored);
    const transport = this.network.create({ peerId });
    const service = new FileService({
      blobs,
      ...(options.place === undefined ? {} : { place: options.place }),
      dag,
      kv,
      cipher: fileCipher,
      car: carFormat,
      random: systemRandom,
      ledger: this.ledger.viewOf(member),
      transport,
      clock: this.clock,
      logger: silentLogger,
      sha256: nodeSuite.sha256,
      limits: { receiptDelayMs: 10, servedCacheBytes: 0, ...options.limits },
    });
    await blobs.open();
    await kv.open();
    service.register();
    await transport.start();
    await service.start();
    const node = { name, service, transport, blobs: stored, kv, dag, directory };
    this.nodes.push(node);
    return node;
  }

  connect(a: FileNode, b: FileNode): void {
    a.transport.keepConnected(b.transport.peerId, b.transport.addresses());
  }

  connectAll(...nodes: readonly FileNode[]): void {
    for (const a of nodes) for (const b of nodes) if (a.name < b.name) this.connect(a, b);
  }

  async stop(): Promise<void> {
    for (const node of this.nodes) {
      await node.service.stop();
      await node.transport.stop();
    }
  }

  /** Lets waiting receipts go out, until every node's copy is signed for. */
  async settled(phase: PhaseId, cid: string, copies: number): Promise<void> {
    const { service } = this.nodes[0]!;
    await until(() => {
      this.clock.advance(10);
      return service.status(phase, cid)?.copies === copies;
    });
  }
}

export const NO_COMMITMENT = '0'.repeat(64) as Hash;

/** A view of a blob store in which some reads are watched or answered otherwise. */
export function reading(
  blobs: BlobStore,
  get: (cid: string, bytes: Uint8Array | null) => Uint8Array | null,
): BlobStore {
  return {
    open: () => blobs.open(),
    close: () => blobs.close(),
    put: (cid, bytes) => blobs.put(cid, bytes),
    putMany: many => blobs.putMany(many),
    get: async cid => get(cid, await blobs.get(cid)),
    has: cid => blobs.has(cid),
    delete: cid => blobs.delete(cid),
    list: () => blobs.list(),
    freeBytes: () => blobs.freeBytes(),
  };
}

export const put = (node: FileNode, mebibytes = 3, seed = 1): Promise<PutResult> =>
  node.service.putFile(chunked(patterned(mebibytes * MIB, seed)));
export const isWhole = (node: FileNode, phase: PhaseId, cid: string) =>
  node.service.status(phase, cid)?.local === 'whole';

/** A world of its own for each test of a file. */
export function eachWorld(label: string, use: (world: World) => void): void {
  const root = mkdtempSync(join(tmpdir(), `phaseline-${label}-`));
  let world: World;
  beforeEach(() => {
    world = new World(mkdtempSync(join(root, 'world-')));
    use(world);
  });
  afterEach(() => world.stop());
  afterAll(() => rmSync(root, { recursive: true, force: true }));
}
