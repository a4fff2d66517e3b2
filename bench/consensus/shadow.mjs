// The ledger as the load's member sees it, in memory: the few transactions that make its phase are executed here as the nodes
// execute them, so that records can be built by the same code as on a member's node, without one.

const SETUP_INTERVAL_MS = 1;

/** What a records service needs of a ledger (`LedgerAccess`); one block for each transaction of the set-up. */
export class ShadowLedger {
  #program;
  #store;
  #parent;
  #states = null;
  /** Set by `follow`: how high the network's chain is. */
  #height = 0;

  constructor(program) {
    this.#program = program;
  }

  async open(genesis) {
    const { MemoryStore, KvChainStore, genesisBlock, nodeSuite } = this.#program;
    const kv = new MemoryStore();
    await kv.open();
    const window = genesis.parameters.replayWindowBlocks;
    this.#store = new KvChainStore(kv, { replayWindowBlocks: () => window });
    const { block, hash, diff } = genesisBlock(nodeSuite, genesis);
    await this.#store.commit({ block, hash, certificate: null }, diff, []);
    this.#parent = { header: block.header, hash };
    this.chainId = block.header.chainId;
  }

  /** The block that these decoded transactions would make; nothing changes. @param verify the verdict on signatures */
  tryBlock(transactions, verify) {
    const { executeBlock, nodeSuite } = this.#program;
    const input = { timeMs: this.#parent.header.timeMs + SETUP_INTERVAL_MS, transactions };
    const execution = executeBlock(nodeSuite, this.#store.state, this.#parent, input, verify);
    if (execution.reject !== undefined) throw new Error(`${execution.reject}: ${execution.detail}`);
    return execution;
  }

  /** @returns the outcome; 0 is committed */
  async execute(bytes) {
    const { decodeTransaction, nodeSuite } = this.#program;
    const { block, hash, diff } = this.tryBlock([decodeTransaction(nodeSuite.sha256, bytes)]);
    // nobody asks this store for proofs: what only a quorum can give is left out
    const certificate = {
      ...{ validatorSetId: 0, view: 0, newViewDigest: '0'.repeat(64) },
      ...{ height: block.header.height, blockHash: hash, signatures: [] },
    };
    await this.#store.commit({ block, hash, certificate }, diff, [bytes]);
    this.#parent = { header: block.header, hash };
    this.#states = null;
    return block.entries[0].outcome;
  }

  /** Decoded once: records do not change what these answer. */
  #state(name, read) {
    this.#states ??= new Map();
    if (!this.#states.has(name)) this.#states.set(name, read());
    return this.#states.get(name);
  }

  follow(height) {
    this.#height = height;
  }

  head = () => ({ height: Math.max(this.#height, this.#parent.header.height), timeMs: Date.now() });
  system = () => this.#state('system', () => this.#program.readSystem(this.#store.state));
  project = id => this.#state(id, () => this.#program.readProject(this.#store.state, id));
  phase = id => this.#state(id, () => this.#program.readPhase(this.#store.state, id));
  projects = () => [];
  phases = () => [];

  held(logId) {
    const to = this.#store.logSize(logId);
    return to === 0 ? null : { from: 0, to, ranges: [{ from: 0, to }] };
  }

  async items(logId, from, to) {
    const { decodeLeaf, decodeTransaction, nodeSuite } = this.#program;
    return this.#store.leaves(logId, from, to, to - from).map(stored => ({
      leaf: decodeLeaf(stored.leaf),
      transaction: decodeTransaction(nodeSuite.sha256, this.#store.transaction(stored.transactionId)),
    }));
  }

  itemOf = async () => null;
}

/** The records service of the load's member; `submit` is what becomes of the transactions that it signs. */
export function serviceOver(program, ledger, { member, keys }, submit) {
  ledger.submit = submit;
  return new program.Records({
    ...{ access: ledger, crypto: program.phaseCrypto, suite: program.nodeSuite, member },
    signer: program.p256Signer(keys.signing),
    unsealers: [program.p256Unsealer(keys.sealing)],
  });
}
