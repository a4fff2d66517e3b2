import type { Hash, LogId, TransactionId } from '../../src/core/base/ids.ts';
import { ZERO_HASH } from '../../src/core/base/ids.ts';
import { isReject, type Reject } from '../../src/core/base/reject.ts';
import { voteBytes } from '../../src/core/codec/chain.ts';
import { decodeTransaction } from '../../src/core/codec/transaction.ts';
import type { SetChange } from '../../src/core/light/trust.ts';
import type { Certificate } from '../../src/core/types/chain.ts';
import type { Transaction } from '../../src/core/types/transaction.ts';
import { nodeSuite } from '../../src/crypto/suite.ts';
import type {
  ChainStore,
  History,
  StoredBlock,
  StoredLeaf,
  TransactionLocation,
} from '../../src/ports/chain-store.ts';
import type { KeyValueStore } from '../../src/ports/kv.ts';
import { silentLogger } from '../../src/ports/logger.ts';
import type { ProtocolHandler, ProtocolOptions, Transport } from '../../src/ports/transport.ts';
import { LightClient } from '../../src/services/light-client/light-client.ts';
import type { LightClientLimits } from '../../src/services/light-client/limits.ts';
import { LightServer } from '../../src/services/light-server/light-server.ts';
import type { LightServerLimits } from '../../src/services/light-server/limits.ts';
import { MemoryStore } from '../../src/store/memory-store.ts';
import { type LightRequest, lightRequestCodec } from '../../src/wire/light.ts';
import { type LightAnswer, lightAnswerCodec } from '../../src/wire/light-answer.ts';
import { joinedAnswer } from './joined-answer.ts';
import { Actions } from './ledger-actions.ts';
import { type Actor, bytesOf, type TestLedger, testSigner } from './ledger-kit.ts';
import { MemoryNetwork, realClock } from './memory-transport.ts';

const QUORUM = [0, 1, 3];

/** A test ledger as the store of a consensus node, its blocks certified by three of its four validators. */
export class LedgerStore implements ChainStore {
  constructor(readonly ledger: TestLedger) {}

  get state() {
    return this.ledger.state;
  }

  certificate(height: number): Certificate | null {
    if (height === 0) return null;
    const blockHash = this.ledger.blocks[height]!.hash;
    const subject = { validatorSetId: 0, view: 0, newViewDigest: ZERO_HASH, height, blockHash };
    const bytes = voteBytes('commit', { chainId: this.ledger.chainId, ...subject });
    const signatures = QUORUM.map(signer => {
      const { name } = this.ledger.genesis.validators[signer]!;
      return { signer, signature: testSigner(`validator ${name}`).sign(bytes) };
    });
    return { ...subject, signatures };
  }

  head(): StoredBlock {
    return this.block(this.ledger.height)!;
  }

  block(height: number): StoredBlock | null {
    const kept = this.ledger.blocks[height];
    return kept === undefined ? null : { ...kept, certificate: this.certificate(height) };
  }

  transaction(id: TransactionId): Uint8Array | null {
    return this.ledger.wrappers.get(id) ?? null;
  }

  locate(id: TransactionId): TransactionLocation | null {
    for (const [height, { block }] of this.ledger.blocks.entries()) {
      const index = block.entries.findIndex(entry => entry.id === id);
      if (index >= 0) return { height, index, outcome: block.entries[index]!.outcome };
    }
    return null;
  }

  private log(logId: LogId) {
    return this.ledger.state.leaves.get(logId) ?? [];
  }

  logSize(logId: LogId): number {
    return this.log(logId).length;
  }

  leaves(logId: LogId, from: number, to: number, limit: number): readonly StoredLeaf[] {
    return this.log(logId).slice(from, Math.min(to, from + limit));
  }

  leafHashes(logId: LogId, from: number, to: number) {
    return this.log(logId)
      .slice(from, to)
      .map(entry => entry.leafHash);
  }

  commit = () => Promise.reject(new Error('the test commits through its ledger'));
  putAhead = this.commit;
  prune = this.commit;
  readonly history: History = { baseHeight: 0, blocksFrom: 1, bodiesFrom: 1 };

  setChange(): null {
    return null;
  }

  async setChanges(): Promise<readonly SetChange[]> {
    return [];
  }

  stage(): never {
    throw new Error('the test has no snapshots');
  }

  wrapper(wrapperHash: Hash): Uint8Array | null {
    for (const { block } of this.ledger.blocks) {
      const entry = block.entries.find(known => known.wrapperHash === wrapperHash);
      if (entry !== undefined) return this.transaction(entry.id);
    }
    return null;
  }
}

/** Changes an answer on its way out; null lets it pass. */
export type Lie = (answer: LightAnswer, request: LightRequest) => LightAnswer | Reject | null;

/** A transport whose owner tells lies on one protocol. */
function lying(transport: Transport, lie: { tell: Lie }): Transport {
  const register = (options: ProtocolOptions, handler: ProtocolHandler) =>
    transport.register(options, {
      ...handler,
      request: async (from, frame) => {
        const bytes = joinedAnswer(await handler.request!(from, frame));
        const request = lightRequestCodec.decode(frame);
        const answer = isReject(bytes) ? bytes : lightAnswerCodec.decode(bytes);
        if (isReject(bytes) || isReject(request) || isReject(answer)) return bytes;
        const told = lie.tell(answer, request);
        if (told === null) return bytes;
        return isReject(told) ? told : lightAnswerCodec.encode(told);
      },
    });
  return new Proxy(transport, {
    get: (target, name) => {
      if (name === 'register') return register;
      const value = Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

export interface TestServer {
  readonly server: LightServer;
  readonly transport: Transport;
  readonly store: LedgerStore;
  readonly lie: { tell: Lie };
}

/** Consensus nodes without consensus, and light clients, on a network in memory. */
export class LightNetwork {
  readonly network = new MemoryNetwork();
  readonly actions: Actions;
  readonly pool = new Map<TransactionId, Transaction>();
  readonly servers: TestServer[] = [];
  /** What a transaction waits for after the pool took it. */
  flush: () => Promise<void> = async () => undefined;
  private readonly running: { stop(): unknown }[] = [];

  constructor(readonly ledger: TestLedger) {
    this.actions = new Actions(ledger);
  }

  async serve(
    index: number,
    limits: Partial<LightServerLimits> = {},
    ledger = this.ledger,
    chain: ChainStore | null = null,
  ): Promise<TestServer> {
    const { peerId, name } = this.ledger.genesis.validators[index]!;
    const lie: { tell: Lie } = { tell: () => null };
    const inner = this.network.create({ peerId, penaltyMs: 20 });
    const transport = lying(inner, lie);
    const store = new LedgerStore(ledger);
    const server = new LightServer({
      store: chain ?? store,
      suite: nodeSuite,
      transport,
      clock: realClock,
      logger: silentLogger,
      submit: async bytes => {
        const taken = this.submit(bytes);
        await this.flush();
        return taken;
      },
      isPending: id => this.pool.has(id),
      vouch: bytes => ({ signer: index, signature: testSigner(`validator ${name}`).sign(bytes) }),
      limits: { noticeIntervalMs: 1, ...limits },
    });
    server.register();
    await inner.start();
    this.running.push({ stop: () => Promise.all([server.stop(), inner.stop()]) });
    const made = { server, transport: inner, store, lie };
    this.servers.push(made);
    return made;
  }

  private submit(bytes: Uint8Array): object | Reject {
    const transaction = decodeTransaction(nodeSuite.sha256, bytes);
    if (isReject(transaction)) return transaction;
    this.ledger.wrappers.set(transaction.id, bytes);
    this.pool.set(transaction.id, transaction);
    return transaction;
  }

  /** Commits a block and tells every server. */
  commit(...transactions: readonly Transaction[]): void {
    this.ledger.commit(...transactions);
    this.announce();
  }

  announce(): void {
    for (const { server } of this.servers) server.onCommitted();
  }

  commitPool(): void {
    const transactions = [...this.pool.values()];
    this.pool.clear();
    this.commit(...transactions);
  }

  async join(
    actor: Actor,
    options: {
      kv?: KeyValueStore;
      limits?: Partial<LightClientLimits>;
      sources?: readonly TestServer[];
    } = {},
  ): Promise<TestClient> {
    const transport = this.network.create({ peerId: actor.card.peerIds[0]!, penaltyMs: 20 });
    const kv = options.kv ?? new MemoryStore();
    await kv.open();
    const sources = (options.sources ?? this.servers).map(server => ({
      peer: server.transport.peerId,
      addresses: server.transport.addresses(),
    }));
    let nonce = 0;
    const failures: unknown[] = [];
    const client = new LightClient({
      genesis: this.ledger.genesis,
      member: actor.id,
      suite: nodeSuite,
      kv,
      transport,
      clock: realClock,
      random: length => {
        nonce += 1;
        return bytesOf(`nonce ${nonce}`, length);
      },
      logger: silentLogger,
      fail: error => failures.push(error),
      sources,
      limits: { failedMs: 5, resendMs: 20, crossCheckMs: 10_000, connectMs: 200, ...options.limits },
    });
    client.register();
    const joined = new TestClient(client, transport, kv, failures);
    await transport.start();
    await client.start();
    this.running.push(joined);
    return joined;
  }

  async stop(): Promise<void> {
    for (const part of this.running.reverse()) await part.stop();
  }
}

/** A light client that a test can wait for, without a clock. */
export class TestClient {
  readonly updates: { readonly logId: LogId; readonly from: number; readonly to: number }[] = [];

  constructor(
    readonly light: LightClient,
    readonly transport: Transport,
    readonly kv: KeyValueStore,
    /** What the client could not go on after. */
    readonly failures: readonly unknown[],
  ) {
    light.onEvents({ updated: (logId, from, to) => this.updates.push({ logId, from, to }) });
  }

  /** Asked on every turn of the event loop. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise(resolve => setImmediate(resolve));
  }

  reached(height: number): Promise<void> {
    return this.until(() => this.light.head().height >= height);
  }

  async stop(): Promise<void> {
    await this.light.stop();
    await this.transport.stop();
  }
}
