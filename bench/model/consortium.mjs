// The validators of a model, its genesis, and its blocks: real ones, which the engine hashes and logs. Only signatures are a
// stand-in, which costs what `signature.sign` and `signature.verify` say.

const START_MS = 1_700_000_000_000;
const SIGNATURE = new Uint8Array(64).fill(1);

const text = number => new TextEncoder().encode(String(number));

function validatorsOf(count) {
  return Array.from({ length: count }, (_, index) => {
    const publicKey = new Uint8Array(33);
    publicKey[0] = 2;
    new DataView(publicKey.buffer).setUint32(29, index + 1);
    return { name: `node-${index + 1}`, publicKey, peerId: `peer-${index + 1}` };
  });
}

export class Consortium {
  /** What stands behind each block: its groups of transactions. The nodes of a model need no decoding to know it. */
  #groups = new Map();
  #chain = new Map();
  #contents = new WeakMap();

  /** @param core of `loadCore` */
  constructor(core, nodes) {
    const { validatorSetHash, treeRoot } = core;
    this.core = core;
    this.suite = core.nodeSuite;
    const { sha256 } = this.suite;
    this.set = { id: 0, validators: validatorsOf(nodes) };
    this.chainId = sha256(text('model'));
    this.setHash = validatorSetHash(sha256, this.set);
    this.genesis = this.#header(
      { height: -1, mapRoot: '0'.repeat(64) },
      '0'.repeat(64),
      START_MS,
      treeRoot(sha256, []),
    );
    this.genesisHash = core.headerHash(sha256, this.genesis);
    this.parameters = core.DEFAULT_PARAMETERS;
    this.indexOf = new Map(this.set.validators.map(({ peerId }, index) => [peerId, index]));
  }

  #header(parent, parentHash, timeMs, transactionsRoot) {
    return {
      ...{
        version: 1,
        chainId: this.chainId,
        height: parent.height + 1,
        parentHash,
        timeMs,
        transactionsRoot,
      },
      ...{ mapRoot: parent.mapRoot, validatorSetId: 0, validatorSetHash: this.setHash },
      ...{ nextValidatorSetHash: this.setHash, previousSetChangeHeight: 0 },
    };
  }

  engine(index) {
    const { suite, chainId, set, parameters } = this;
    const seat = { index, sign: () => SIGNATURE };
    const reign = { chainId, set, startHeight: 0, startHash: this.genesisHash };
    const start = { header: this.genesis, blockHash: this.genesisHash, certificate: null, reign, parameters };
    return this.core.createEngine({ suite, chainId, findSeat: () => seat }, start, []);
  }

  /** @param groups numbers of transactions as `{ from, count }` */
  block(parent, parentHash, nowUs, groups) {
    const { encodeBlockEntryLeaf, headerHash, leafHash, treeRoot } = this.core;
    const { sha256 } = this.suite;
    const entries = groups.flatMap(({ from, count }) =>
      Array.from({ length: count }, (_, at) => {
        const id = (from + at).toString(16).padStart(64, '0');
        return { id, wrapperHash: id, outcome: 0 };
      }),
    );
    const root = treeRoot(
      sha256,
      entries.map(entry => leafHash(sha256, encodeBlockEntryLeaf(entry))),
    );
    const timeMs = Math.max(START_MS + Math.floor(nowUs / 1000), parent.timeMs + 1);
    const block = { header: this.#header(parent, parentHash, timeMs, root), entries };
    const hash = headerHash(sha256, block.header);
    this.#groups.set(hash, groups);
    return { block, hash };
  }

  groupsOf(blockHash) {
    return this.#groups.get(blockHash);
  }

  /** The chain, as any node has it that has committed so far. */
  committed(height, block) {
    if (!this.#chain.has(height)) this.#chain.set(height, block);
  }

  blockAt(height) {
    return this.#chain.get(height);
  }

  /** A message as its receivers decode it; once for all of them. */
  decoded(signed) {
    let message = this.#contents.get(signed);
    if (message === undefined) {
      message = this.core.decodeMessage(signed);
      if (message.reject !== undefined) throw new Error(`${message.reject}: ${message.detail}`);
      this.#contents.set(signed, message);
    }
    return message;
  }
}
