import { createHash } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { ownKeyOf } from '../../../src/core/access/member-keys.ts';
import type {
  Hash,
  MemberId,
  PhaseId,
  ProjectId,
  TransactionId,
  UserId,
} from '../../../src/core/base/ids.ts';
import { type Reject, reject } from '../../../src/core/base/reject.ts';
import { NOTHING_SHOWN } from '../../../src/core/light/dossier.ts';
import { buildDossier, decodeDossier } from '../../../src/core/light/dossier-codec.ts';
import { EMPTY_OPENING } from '../../../src/core/merkle/map-opening.ts';
import type { Certificate, CertifiedHeader, Header } from '../../../src/core/types/chain.ts';
import { DEFAULT_POLICY } from '../../../src/core/types/flow.ts';
import { LIFECYCLE, ROLES } from '../../../src/core/types/operation.ts';
import type { Genesis, Member, PhaseState } from '../../../src/core/types/state.ts';
import { nodeSuite } from '../../../src/crypto/suite.ts';
import type { Clock, Timer } from '../../../src/ports/clock.ts';
import { silentLogger } from '../../../src/ports/logger.ts';
import type { PhaseStanding } from '../../../src/rpc/admin-api.ts';
import type {
  AdminApi,
  ConsensusNodeApi,
  FileApi,
  FileView,
  HeadView,
  IdentityApi,
  NodeStatus,
  ParticipantApi,
  PhaseView,
  RecordInput,
  RecordView,
  StagedFile,
  StageInput,
} from '../../../src/rpc/api.ts';
import { ChangeSource } from '../../../src/rpc/changes.ts';
import type { RpcMethod } from '../../../src/rpc/method.ts';
import { createMetrics } from '../../../src/rpc/metrics.ts';
import { RpcServer, type RpcServerOptions } from '../../../src/rpc/server.ts';
import { Uploads } from '../../../src/rpc/uploads.ts';
import type { UserKeySource, UserView } from '../../../src/rpc/users-api.ts';

export const TOKEN = 'A'.repeat(43);

export const hashOf = (byte: number) => byte.toString(16).padStart(2, '0').repeat(32) as Hash;
export const member = (name: string) => name as MemberId;

/** Time that moves when a test says so; timers fire in order while it moves. */
export class ManualClock implements Clock {
  private timers: { atMs: number; fire: () => void }[] = [];
  private elapsedMs = 0;

  constructor(private readonly startMs = 1_700_000_000_000) {}

  nowMs(): number {
    return this.startMs + this.elapsedMs;
  }

  monotonicMs(): number {
    return this.elapsedMs;
  }

  defer(later: () => void): void {
    setImmediate(later);
  }

  setTimer(delayMs: number, fire: () => void): Timer {
    const timer = { atMs: this.elapsedMs + delayMs, fire };
    this.timers.push(timer);
    return { cancel: () => (this.timers = this.timers.filter(other => other !== timer)) };
  }

  advance(ms: number): void {
    const untilMs = this.elapsedMs + ms;
    for (;;) {
      const next = this.timers.filter(timer => timer.atMs <= untilMs).sort((a, b) => a.atMs - b.atMs)[0];
      if (next === undefined) break;
      this.timers = this.timers.filter(timer => timer !== next);
      this.elapsedMs = next.atMs;
      next.fire();
    }
    this.elapsedMs = untilMs;
  }
}

/** Heads that a test appends. */
export class HeadBook {
  readonly heads: HeadView[] = [];
  readonly changes = new ChangeSource();
  notReady: string[] = [];

  append(): HeadView {
    const height = this.heads.length;
    const head = { height, hash: hashOf(height % 256), timeMs: 1_700_000_000_000 + height, transactions: 1 };
    this.heads.push(head);
    this.changes.notify();
    return head;
  }

  status(role: NodeStatus['role']): NodeStatus {
    return {
      role,
      name: 'alice',
      version: '0.1.0',
      chainId: hashOf(1),
      chainName: 'test',
      peerId: 'peer-of-alice',
      addresses: ['/ip4/127.0.0.1/tcp/1'],
      head: this.heads.at(-1) ?? null,
      peers: [{ peer: 'peer-of-bob', name: 'bob', connected: true }],
      notReady: this.notReady,
      startedMs: 1_700_000_000_000,
    };
  }
}

const header: Header = {
  version: 1,
  chainId: hashOf(1),
  height: 1,
  parentHash: hashOf(2),
  timeMs: 1_700_000_000_001,
  transactionsRoot: hashOf(3),
  mapRoot: hashOf(4),
  validatorSetId: 0,
  validatorSetHash: hashOf(5),
  nextValidatorSetHash: hashOf(5),
  previousSetChangeHeight: 0,
};
const certificate: Certificate = {
  validatorSetId: 0,
  view: 0,
  newViewDigest: hashOf(0),
  height: 1,
  blockHash: hashOf(6),
  signatures: [{ signer: 0, signature: new Uint8Array(64).fill(7) }],
};
export const certifiedHead: CertifiedHeader = { header, certificate };

/** A proof of nothing but its head. */
export const proofFile = buildDossier(nodeSuite.sha256, {
  ...{ setChanges: [], head: certifiedHead, map: EMPTY_OPENING, members: null, logs: [] },
  ...NOTHING_SHOWN,
});

export const alice: Member = {
  id: member('alice'),
  name: 'Alice',
  version: 1,
  revoked: false,
  suspendedHeight: 0,
  peerIds: ['peer-of-alice'],
  keys: [
    {
      ...{ signingKey: new Uint8Array(33), fromHeight: 0, untilHeight: 0 },
      ...{ user: null, sealingKey: new Uint8Array(33), replaced: false },
    },
  ],
};

const parameters = { blockTransactionsMax: 10, replayWindowBlocks: 100 } as Genesis['parameters'];

export class MemoryConsensusNode implements ConsensusNodeApi {
  readonly book = new HeadBook();
  readonly submitted: Uint8Array[] = [];
  readonly conflicts: ReturnType<ConsensusNodeApi['evidence']> = [1, 2].map(view => {
    const signed = { kind: 'commit' as const, validatorSetId: 0, signer: 3, signature: new Uint8Array(64) };
    const [first, second] = [view, view + 1].map(byte => ({ ...signed, body: new Uint8Array([byte]) }));
    return { validator: 'validator-3', first: first!, second: second! };
  });
  refusal: Reject | null = null;
  thrown: Error | null = null;
  readonly onHead = this.book.changes.on;

  status = () => {
    if (this.thrown !== null) throw this.thrown;
    return this.book.status('consensus');
  };
  headFrom = (height: number) => this.book.heads.find(head => head.height >= height) ?? null;
  chain = () => ({
    head: this.book.heads.at(-1)!,
    view: 0,
    leader: 'validator-0',
    validatorSetId: 0,
    quorum: 3,
    history: { mode: 'archive' as const, baseHeight: 0, blocksFrom: 1, bodiesFrom: 1 },
    poolTransactions: 0,
    poolBytes: 0,
    evidence: this.conflicts.length,
  });
  evidence = () => this.conflicts;
  recordedEvidence = () => [];
  block = (height: number) => {
    if (height !== 1) return null;
    const entries = [{ id: hashOf(8), wrapperHash: hashOf(9), outcome: 45 }];
    return { block: { header, entries }, hash: hashOf(6), certificate };
  };
  validators = () => ({
    id: 0,
    validators: [{ name: 'validator-0', publicKey: new Uint8Array(33), peerId: 'peer-0' }],
  });
  genesis = (): Genesis => ({
    name: 'test',
    timeMs: 1_700_000_000_000,
    parameters,
    validators: this.validators().validators,
    administrators: [alice.id],
    administratorThreshold: 1,
    members: [],
  });
  submit = async (signed: Uint8Array) => {
    if (this.refusal !== null) return this.refusal;
    this.submitted.push(signed);
    return { id: hashOf(10) };
  };
  transactionStatus = async (id: TransactionId) =>
    id === hashOf(10)
      ? { status: 'committed' as const, height: 1, outcome: 0 }
      : { status: 'unknown' as const, height: null, outcome: null };
  members = () => [alice];
  member = (id: MemberId) => (id === alice.id ? alice : null);
  administrators = () => [alice.id];
}

export function phaseState(id: PhaseId, project = hashOf(20) as ProjectId): PhaseState {
  return {
    id,
    project,
    owner: alice.id,
    card: { epoch: 1, bytes: new Uint8Array(90) },
    lifecycle: LIFECYCLE.open,
    lifecycleHeight: 0,
    closedMs: 0,
    version: 1,
    membershipVersion: 1,
    custody: 0,
    policy: DEFAULT_POLICY,
    frozen: false,
    participants: [
      {
        member: alice.id,
        roles: ROLES.contributor | ROLES.steward,
        startPosition: 0,
        fromEpoch: 1,
        heldFrom: 1,
      },
    ],
    former: [],
    epochs: [
      {
        number: 1,
        commitment: hashOf(11),
        publicKey: new Uint8Array(33),
        startPosition: 0,
        height: 1,
        opener: alice.id,
      },
    ],
    requests: [],
    complaints: [],
    recovery: null,
  };
}

export async function bytesOf(stream: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return new Uint8Array(Buffer.concat(chunks));
}

/** A participant node whose phases, records and files are in memory. */
export class MemoryParticipant implements ParticipantApi, IdentityApi, AdminApi {
  readonly book = new HeadBook();
  readonly recordChanges = new ChangeSource();
  readonly phaseViews: PhaseView[] = [];
  readonly recordsOf = new Map<PhaseId, RecordView[]>();
  readonly files = new Map<string, { file: FileView; bytes: Uint8Array }>();
  readonly onHead = this.book.changes.on;
  readonly onRecords = this.recordChanges.on;
  refusal: Reject | null = null;
  /** Ends a download after this many chunks with an error. */
  breakAfterChunks = Number.POSITIVE_INFINITY;
  uploadSignal: AbortSignal | null = null;

  addPhase(id: PhaseId, label: string, projectLabel: string | null = 'permits', project?: ProjectId): void {
    this.phaseViews.push({
      state: phaseState(id, project),
      label,
      projectLabel,
      entry: { size: 0, root: hashOf(12), digest: hashOf(13) },
      current: true,
      openEpochs: [1],
      missingEpochs: [],
    });
    this.recordsOf.set(id, []);
  }

  status = () => this.book.status('participant');
  headFrom = (height: number) => this.book.heads.find(head => head.height >= height) ?? null;
  members = () => [alice];
  member = (id: MemberId) => (id === alice.id ? alice : null);
  administrators = () => [alice.id];
  verifiedAt = () => ({ height: 1, timeMs: 1_700_000_000_001 });
  projects = async () => [];
  phases = async () => this.phaseViews;
  phase = async (id: PhaseId) => this.phaseViews.find(view => view.state.id === id) ?? null;

  readonly staged = new Map<string, { file: StagedFile; bytes: Uint8Array }>();
  private stagings = 0;
  readonly uploads: Uploads;

  constructor(clock = new ManualClock()) {
    this.uploads = new Uploads(this, clock);
  }

  stageFiles = async (_phase: PhaseId, files: readonly StageInput[]) => {
    const staged: StagedFile[] = [];
    for (const { source } of files) {
      const bytes = await bytesOf(source);
      const sha256 = createHash('sha256').update(bytes).digest('hex') as Hash;
      const id = `staged-${this.stagings}`;
      const file = { id, cid: `bafystaged${this.stagings}`, bytes: bytes.length, sha256, reused: false };
      this.staged.set(id, { file, bytes });
      this.stagings += 1;
      staged.push(file);
    }
    return staged;
  };
  discardStaged = async (id: string) => {
    this.staged.delete(id);
  };

  putRecord = async (input: RecordInput, signal: AbortSignal) => {
    this.uploadSignal = signal;
    if (this.refusal !== null) return this.refusal;
    const files: (FileView & { reused: boolean })[] = [];
    for (const given of input.files) {
      const bytes = 'staged' in given ? this.staged.get(given.staged)!.bytes : await bytesOf(given.source);
      const file = {
        cid: `bafy${this.files.size}`,
        name: given.name,
        mediaType: given.mediaType,
        bytes: bytes.length,
        sha256: createHash('sha256').update(bytes).digest('hex') as Hash,
        ciphertextBytes: bytes.length + 16,
        keyCommitment: hashOf(14),
        reused: false,
      };
      this.files.set(file.cid, { file, bytes });
      files.push(file);
    }
    for (const given of input.files) if ('staged' in given) this.staged.delete(given.staged);
    const list = this.recordsOf.get(input.phase)!;
    const { asUser = null } = input;
    const record: RecordView = {
      phase: input.phase,
      id: hashOf(100 + list.length),
      position: list.length,
      height: 1,
      timeMs: 1_700_000_000_002,
      author: alice.id,
      user: asUser === null ? null : { id: hashOf(7), name: asUser.name },
      epoch: 1,
      references: input.references,
      handedOverFrom: null,
      verified: true,
      content: { ...input, files },
      unreadable: null,
      typeFault: null,
    };
    list.push(record);
    this.recordChanges.notify();
    return { id: record.id, height: 1, timeMs: record.timeMs, position: record.position, files };
  };
  records = async (phase: PhaseId, from: number, limit: number) => {
    const all = this.recordsOf.get(phase)!;
    const records = all.slice(from, from + limit);
    return { records, next: from + records.length, size: all.length };
  };
  record = async (phase: PhaseId, key: TransactionId | number) =>
    this.recordsOf.get(phase)!.find(record => record.id === key || record.position === key) ??
    reject('unknown_record', 'no such record');
  lineage = async (id: TransactionId) => ({
    ...{ id, author: member('alice'), phase: hashOf(0xa1) as PhaseId, position: 3, height: 4 },
    timeMs: 1_700_000_000_000,
    readable: [hashOf(0xa1) as PhaseId],
    steps: [
      {
        ...{ from: hashOf(0xa1) as PhaseId, to: hashOf(0xa2) as PhaseId, by: member('bob'), height: 7 },
        ...{ handover: hashOf(0x77) as TransactionId, timeMs: 1_700_000_000_500, sourcePosition: 9 },
        position: null,
        request: {
          ...{ number: 6, requester: member('bob'), height: 5 },
          votes: [{ member: member('alice'), approve: true, height: 6 }],
        },
      },
    ],
  });
  verifyRecord = async (phase: PhaseId, key: TransactionId | number) => {
    const found = await this.record(phase, key);
    return 'reject' in found ? found : [{ name: 'inclusion', ok: true, detail: 'in the log' }];
  };
  readFile = async (
    _phase: PhaseId,
    cid: string,
    range: { readonly offset: number; readonly bytes: number } | null,
  ) => {
    const found = this.files.get(cid);
    if (found === undefined) return reject('unknown_file', 'no such file');
    const end = range === null ? found.bytes.length : range.offset + range.bytes;
    const bytes = found.bytes.subarray(range?.offset ?? 0, end);
    return { file: found.file, stream: this.chunks(bytes) };
  };
  private async *chunks(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
    let sent = 0;
    for (let offset = 0; offset < bytes.length; offset += 65_536) {
      if (sent === this.breakAfterChunks) throw new Error('a damaged block');
      yield bytes.subarray(offset, offset + 65_536);
      sent += 1;
    }
  }
  fileStatus = async (_phase: PhaseId, cid: string | null) =>
    [...this.files.values()]
      .filter(({ file }) => cid === null || file.cid === cid)
      .map(({ file }) => ({
        file,
        record: hashOf(100),
        position: 0,
        holders: [{ member: alice.id, height: 1, reachable: true }],
        copiesTarget: 2,
        copiesMinimum: 1,
        local: 'whole' as const,
        missing: [],
        reason: null,
        pinned: false,
        proofs: [{ member: alice.id, provenMs: 1_700_000_000_000, failedSinceMs: null }],
      }));
  fileReferences = async (phase: PhaseId) => [{ phase, record: hashOf(100), position: 0 }];
  readonly fileCare: FileApi['fileCare'] = {
    pin: async () => null,
    unpin: async () => {},
    usage: async () => ({
      node: { bytes: 10, bytesMax: null, files: 1 },
      phases: [{ phase: hashOf(0xa1) as PhaseId, bytes: 10, bytesMax: 100, files: 1 }],
      ...{ freeBytes: 1_000, pinned: 0 },
      scrub: { running: false, blocks: 1, bytes: 10, bad: 0, roundMs: 1_700_000_000_000 },
    }),
    verifyAll: async () => ({ files: 1, blocks: 1, bytes: 10, damaged: [{ cid: 'bafy0', blocks: 1 }] }),
    collectGarbage: async () => ({ files: 0, bytes: 0, strayBlocks: 0 }),
    exportCar: async (_phase, cid) => this.chunks(Buffer.from(`car of ${cid}`)),
    importCar: async (_phase, _cid, source) => {
      const bytes = await bytesOf(source);
      return { blocks: bytes.length, whole: true, reason: null };
    },
    purge: async () => this.fileCare.purgeStatus(hashOf(0xa1) as PhaseId, 'bafy0')!,
    purgeStatus: () => ({
      ...{ order: hashOf(40), position: 3, height: 4, timeMs: 1_700_000_000_000, by: alice.id },
      ...{ reason: 'asked for', references: [hashOf(100)], holders: [alice.id] },
      elsewhere: [{ logId: hashOf(41), record: hashOf(100) }],
      acknowledged: [{ member: alice.id, node: 'peer-1', height: 5, kept: false }],
      open: [{ member: alice.id, node: 'peer-2' }],
    }),
  };
  verifyFile = async () => [{ name: 'blocks', ok: false, detail: 'block 3 is damaged' }];
  repairFile = async () => ({ whole: true, reason: null });
  successors = async () =>
    this.phaseViews.map(({ state, label }) => ({
      id: state.id,
      label,
      project: { id: state.project, label: null },
    }));
  handover = async ({ targets }: { targets: readonly PhaseId[] }) =>
    targets.map(target => ({
      ...{ target, items: 4, skipped: [], refusal: null },
      transactions: [{ id: hashOf(30), height: 2, timeMs: 1_700_000_000_003 }],
    }));
  certifiedHead = async () => ({
    head: certifiedHead,
    hash: hashOf(6),
    set: { id: 0, validators: [] },
    notFresh: null,
  });
  prove = async () => ({
    bytes: proofFile,
    verdict: {
      ok: true,
      checks: [{ name: 'head certificate', ok: true, detail: 'height 1' }],
      summary: null,
      records: [],
    },
  });
  readProof = (bytes: Uint8Array) => decodeDossier(nodeSuite.sha256, bytes);
  firstPosition = async () => 0;
  trail = async () => ({
    events: [
      {
        ...{ position: 0, height: 1, timeMs: 1_700_000_000_001, transaction: hashOf(100), kind: 'recordPut' },
        ...{ member: alice.id, keyId: 0, refused: null, records: [hashOf(100)], details: { roles: 3 } },
      },
    ],
    next: 1,
    size: 2,
  });
  filesDue = async () => [
    {
      ...{ phase: hashOf(0xa1) as PhaseId, days: 30, dueMs: 1_700_000_000_000 },
      files: [{ cid: 'bafy0', ciphertextBytes: 1016, records: [hashOf(100) as TransactionId] }],
    },
  ];
  purgeCertificate = async () => new Uint8Array([4, 5]);
  dossier = async () => ({ bytes: 3, stream: this.chunks(new Uint8Array([1, 2, 3])) });
  users = async () => [...this.usersGiven];
  usersGiven: UserView[] = [];
  addUser = async (name: string, key: UserKeySource) => {
    const user = hashOf(40 + this.usersGiven.length) as UserId;
    const kept = 'passphrase' in key;
    this.usersGiven.push({ user, name, keyId: 1, fromHeight: 2, untilHeight: null, kept });
    return { id: hashOf(41), height: 1, timeMs: 1, user };
  };
  revokeUser = async (name: string) => {
    const found = this.usersGiven.find(entry => entry.name === name);
    if (found === undefined) return reject('unknownUser', `there is no user "${name}"`, 'ignore');
    return { id: hashOf(42), height: 2, timeMs: 2, user: found.user };
  };
  card = () => {
    const { signingKey, sealingKey } = ownKeyOf(alice).key;
    const card = { id: alice.id, name: alice.name, signingKey, sealingKey, peerIds: alice.peerIds };
    return { card, proof: new Uint8Array(64) };
  };
  answer = () => new Uint8Array(64);
  sources = () => [{ name: 'validator-0', publicKey: new Uint8Array(33), peerId: 'peer-0' }];
  standingGiven: PhaseStanding = {
    ...{ standing: 'foreign', end: null, epochs: 0, openEpochs: [], frozen: false, opensCard: false },
    ...{ label: null, projectLabel: null },
  };
  standing = async () => this.standingGiven;
  probe = async () => ({ answer: 'refused' as const, reason: 'not_readable', bytes: 0 });
}

const servers: RpcServer[] = [];

/** A real server on a free loopback port; `stopServers` ends all. */
export async function startServer(
  methods: readonly RpcMethod[],
  options: Partial<RpcServerOptions> = {},
): Promise<{ url: string; server: RpcServer; clock: ManualClock; fatal: Error[] }> {
  const clock = (options.clock as ManualClock | undefined) ?? new ManualClock();
  const fatal: Error[] = [];
  const server = new RpcServer({
    host: '127.0.0.1',
    port: 0,
    portTries: 0,
    allowedHosts: [],
    allowedOrigins: [],
    info: { title: 'test node', version: '0.1.0' },
    methods,
    node: new MemoryParticipant(),
    files: null,
    checkSigned: null,
    token: TOKEN,
    metrics: createMetrics(),
    clock,
    logger: silentLogger,
    onFatal: error => fatal.push(error),
    ...options,
  });
  await server.start();
  servers.push(server);
  return { url: server.address().url, server, clock, fatal };
}

export async function stopServers(): Promise<void> {
  await Promise.all(servers.splice(0).map(server => server.stop()));
}

export interface Answer {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests read answers freely
  readonly json: any;
}

/** A plain HTTP exchange with any header, Host and Origin too. */
export function exchange(
  url: string,
  method: string,
  headers: Record<string, string>,
  body: string | Uint8Array = '',
): Promise<Answer> {
  return new Promise((resolve, fail) => {
    const sent = httpRequest(url, { method, headers, agent: false }, response => {
      const chunks: Buffer[] = [];
      response.on('data', chunk => chunks.push(chunk));
      response.on('error', fail);
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        const isJson = String(response.headers['content-type'] ?? '').includes('json');
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          text,
          json: isJson && text !== '' ? JSON.parse(text) : undefined,
        });
      });
    });
    sent.on('error', fail);
    sent.end(body);
  });
}

export const post = (url: string, body: string | Uint8Array, headers: Record<string, string> = {}) =>
  exchange(url, 'POST', { 'content-type': 'application/json', ...headers }, body);

/** One call with the session token (or none). */
export async function call(url: string, method: string, params: unknown = {}, token: string | null = TOKEN) {
  const headers: Record<string, string> = token === null ? {} : { authorization: `Bearer ${token}` };
  const answer = await post(url, JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }), headers);
  return answer.json;
}

/** Writes raw bytes to the server and answers what it says until it closes. */
export function rawExchange(url: string, text: string): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, fail) => {
    let received = '';
    const socket = connect(Number(port), hostname, () => socket.write(text));
    socket.on('data', chunk => (received += chunk.toString()));
    socket.on('error', error => (received === '' ? fail(error) : resolve(received)));
    socket.on('close', () => resolve(received));
  });
}
