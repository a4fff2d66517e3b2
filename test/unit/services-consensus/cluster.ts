import { toHex } from '../../../src/core/base/bytes.ts';
import type { TransactionId } from '../../../src/core/base/ids.ts';
import type { Genesis, Parameters } from '../../../src/core/types/state.ts';
import type { KeyValueStore } from '../../../src/ports/kv.ts';
import { type Logger, silentLogger } from '../../../src/ports/logger.ts';
import type { Metrics } from '../../../src/ports/metrics.ts';
import type { Signer } from '../../../src/ports/signer.ts';
import type { ConsensusKeys, FirstStart } from '../../../src/ports/signing-state.ts';
import type { Transport } from '../../../src/ports/transport.ts';
import type { WriteAheadLog } from '../../../src/ports/wal.ts';
import { ConsensusNode, type ConsensusNodeOptions } from '../../../src/roles/consensus-node.ts';
import { MemoryStore } from '../../../src/store/memory-store.ts';
import { MemoryWal } from '../../../src/store/memory-wal.ts';
import { createActor, hashOf, TestLedger, testGenesis, testSigner } from '../../support/ledger-kit.ts';
import { MemoryNetwork, realClock } from '../../support/memory-transport.ts';

/** The marks of keys that have signed nothing, in memory: everything until it is consumed. */
export class MemoryFirstStart implements FirstStart {
  private readonly consumed = new Set<string>();

  async isMarked(publicKey: Uint8Array): Promise<boolean> {
    return !this.consumed.has(toHex(publicKey));
  }

  async consume(publicKey: Uint8Array): Promise<void> {
    this.consumed.add(toHex(publicKey));
  }
}

/** The consensus keys of one node; the next ones are drawn from its name. */
export class MemoryKeys implements ConsensusKeys {
  private held: readonly Signer[];
  private made = 0;

  constructor(private readonly name: string) {
    this.held = [testSigner(`validator ${name}`)];
  }

  signers(): readonly Signer[] {
    return this.held;
  }

  async prepare(): Promise<Signer> {
    this.made += 1;
    const next = testSigner(`validator ${this.name}, key ${this.made}`);
    this.held = [this.held[0]!, next];
    return next;
  }

  async adopt(): Promise<void> {
    this.held = this.held.slice(1);
  }
}

export interface Disk {
  readonly kv: KeyValueStore;
  readonly wal: WriteAheadLog;
}

export interface ClusterOptions {
  readonly parameters?: Partial<Parameters>;
  readonly logger?: Logger;
  readonly disk?: (index: number) => Disk;
  readonly transport?: (index: number) => Transport;
  readonly genesis?: (plain: Genesis) => Genesis;
  /** Without addresses the test connects the transports itself. */
  readonly withoutAddresses?: boolean;
  readonly limits?: ConsensusNodeOptions['limits'];
  /** Null where nothing is counted. */
  readonly metrics?: (index: number) => Metrics | null;
  /** Blocks that keep their transactions; null for an archive. */
  readonly keepBlocks?: (index: number) => number | null;
  /** Names that the operator of every node has in its configuration; the validators of genesis when left out. */
  readonly configured?: readonly string[];
  /** Names of all nodes that may run; those of genesis first. */
  readonly names?: readonly string[];
}

const NAMES: readonly string[] = ['v1', 'v2', 'v3', 'v4'];

/** Four consensus nodes in one process: real ledger, engine and signatures; network and disks as the test wants. */
export class Cluster {
  readonly network = new MemoryNetwork();
  readonly alice = createActor('alice');
  readonly bob = createActor('bob');
  readonly ledger: TestLedger;
  readonly names: readonly string[];
  readonly nodes: (ConsensusNode | null)[];
  readonly fatal: unknown[] = [];
  /** A test may put another disk in while the node is down. */
  readonly disks: Disk[];
  readonly firstStarts: FirstStart[];
  readonly keys: ConsensusKeys[];
  private readonly waiting = new Set<() => void>();
  private made = 0;

  constructor(private readonly options: ClusterOptions = {}) {
    const parameters = { replayWindowBlocks: 100_000, viewTimeoutMs: 500, ...options.parameters };
    const plain = testGenesis([this.alice], [this.bob], parameters);
    this.ledger = new TestLedger(options.genesis?.(plain) ?? plain);
    this.names = options.names ?? NAMES;
    this.nodes = this.names.map(() => null);
    this.firstStarts = this.names.map(() => new MemoryFirstStart());
    this.keys = this.names.map(name => new MemoryKeys(name));
    this.disks = this.names.map(
      (_, index) => options.disk?.(index) ?? { kv: new MemoryStore(), wal: new MemoryWal() },
    );
  }

  get genesis(): Genesis {
    return this.ledger.genesis;
  }

  peerId(index: number): string {
    return `peer-of-validator-${this.names[index]}`;
  }

  async start(...indexes: readonly number[]): Promise<void> {
    const wanted = indexes.length > 0 ? indexes : this.names.keys();
    await Promise.all([...wanted].map(index => this.startOne(index)));
  }

  async stop(...indexes: readonly number[]): Promise<void> {
    for (const index of indexes.length > 0 ? indexes : this.names.keys()) {
      const node = this.nodes[index];
      this.nodes[index] = null;
      await node?.stop();
    }
  }

  node(index: number): ConsensusNode {
    const node = this.nodes[index];
    if (node === null || node === undefined) throw new Error(`node ${index} is down`);
    return node;
  }

  get running(): ConsensusNode[] {
    return this.nodes.filter(node => node !== null);
  }

  /** A valid transaction that nothing else depends on. */
  transaction(actor = this.alice, lastValidHeight = 50_000): { id: TransactionId; bytes: Uint8Array } {
    this.made += 1;
    const project = hashOf(`project ${this.made} ${Math.random()}`);
    const scopes = [this.ledger.logId('project', project)];
    const contents = [{ project, card: new Uint8Array(90) }] as const;
    const { id } = this.ledger.make(actor, 'projectCreate', scopes, contents, { lastValidHeight });
    return { id, bytes: this.ledger.wrappers.get(id)! };
  }

  transactions(count: number, actor = this.alice): { id: TransactionId; bytes: Uint8Array }[] {
    return Array.from({ length: count }, () => this.transaction(actor));
  }

  /** Resolves when the condition holds; it is looked at after every commit and connection of any node. */
  async until(condition: () => boolean): Promise<void> {
    if (condition()) return;
    await new Promise<void>(resolve => {
      const check = () => {
        if (!condition()) return;
        this.waiting.delete(check);
        resolve();
      };
      this.waiting.add(check);
    });
  }

  /** Every running node has committed all of these. */
  async committed(ids: readonly TransactionId[], nodes = this.running): Promise<void> {
    await this.until(() => nodes.every(node => ids.every(id => node.store.locate(id) !== null)));
  }

  async sameHead(): Promise<void> {
    await this.until(() => new Set(this.running.map(node => node.chain.headHeight())).size === 1);
  }

  /** Block hashes of a node from genesis to its head. */
  chain(index: number): string[] {
    const { store, chain } = this.node(index);
    return Array.from({ length: chain.headHeight() + 1 }, (_, height) => store.block(height)!.hash);
  }

  /** Commits blocks until every running node has forgotten the transactions up to a height: pruning ends some time after a commit. */
  async prunedAbove(height: number, validBlocks: number): Promise<void> {
    while (!this.running.every(node => node.store.history.bodiesFrom > height)) {
      const [node] = this.running;
      const { id, bytes } = this.transaction(this.alice, node!.chain.headHeight() + validBlocks);
      await node!.pool.submit(bytes);
      await this.committed([id]);
    }
  }

  private async startOne(index: number): Promise<void> {
    const transport = this.options.transport?.(index) ?? this.network.create({ peerId: this.peerId(index) });
    const { withoutAddresses, configured } = this.options;
    const founders = this.genesis.validators.map(({ name }) => name);
    const known = withoutAddresses === true ? [] : (configured ?? founders);
    const { limits } = this.options;
    const metrics = this.options.metrics?.(index) ?? null;
    const keepBlocks = this.options.keepBlocks?.(index) ?? null;
    const changed = () => {
      // After the other listeners of the same event.
      setImmediate(() => {
        for (const check of [...this.waiting]) check();
      });
    };
    const node = new ConsensusNode(
      {
        name: this.names[index]!,
        genesis: this.genesis,
        keys: this.keys[index]!,
        validators: known.map(name => ({ peerId: `peer-of-validator-${name}`, addresses: [] })),
        logger: this.options.logger?.child({ node: this.names[index] }) ?? silentLogger,
        clock: realClock,
        onFatal: error => {
          this.fatal.push(error);
          changed();
        },
        ...(limits === undefined ? {} : { limits }),
        ...(metrics === null ? {} : { metrics }),
        ...(keepBlocks === null ? {} : { keepBlocks }),
      },
      { ...this.disks[index]!, transport, firstStart: this.firstStarts[index]! },
    );
    node.consensus.onCommitted(changed);
    transport.onEvents({ connected: changed, disconnected: changed });
    this.nodes[index] = node;
    await node.start();
  }
}
