// Builds a large chain quickly: what each record takes for real is done (encryption, signatures, execution, certificates by the
// validators' keys, the chain store), and what only consensus takes is left out: the blocks are not voted on, and nothing is
// flushed before the end.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** What a cached chain was made by; counts up when the builder changes. */
const BUILDER_VERSION = 1;
const QUORUM = [0, 1, 2];
const PASSPHRASE = 'a network for a benchmark';
const CHAIN_INTERVAL_MS = 10;
const WATCHED_AT_ONCE = 50;
/** In one phase, and in all of them since the end. Members with a data directory; the others have keys in memory only. */
export const READER = 'reader';
export const WATCHER = 'watcher';
const OWNER = 'owner';

/** The compiled program that is measured. */
export async function loadProgram(main) {
  const load = path => import(new URL(`../${path}.js`, pathToFileURL(main)).href);
  const parts = await Promise.all(
    [
      'config/genesis-file',
      'config/node-config',
      'core/codec/chain',
      'core/codec/transaction',
      'core/ledger/execute',
      'core/ledger/genesis',
      'core/ledger/read',
      'core/merkle/map',
      'core/types/operation',
      'crypto/hpke',
      'crypto/phase-crypto',
      'crypto/signer',
      'crypto/suite',
      'ports/logger',
      'roles/data-directory',
      'services/light-server/light-server',
      'services/records/service',
      'store/kv-chain-store',
      'store/level-store',
      'system/clock',
      'transport/libp2p-transport',
    ].map(load),
  );
  return Object.assign({}, ...parts);
}

const dirOf = (dir, name) => join(dir, name);

/** The verified ledger of every member at once, as the records service takes it, over the store that is being filled. */
class BuilderAccess {
  #program;
  #store;
  #queue;

  constructor(program, store, chainId, queue) {
    this.#program = program;
    this.#store = store;
    this.chainId = chainId;
    this.#queue = queue;
  }

  head() {
    const { height, timeMs } = this.#store.head().block.header;
    return { height, timeMs };
  }

  system = () => this.#program.readSystem(this.#store.state);
  project = id => this.#program.readProject(this.#store.state, id);
  phase = id => this.#program.readPhase(this.#store.state, id);
  projects = () => [];
  phases = () => [];

  held(logId) {
    const to = this.#store.logSize(logId);
    return to === 0 ? null : { from: 0, to, ranges: [{ from: 0, to }] };
  }

  #item(stored) {
    const { decodeLeaf, decodeTransaction, nodeSuite } = this.#program;
    const transaction = decodeTransaction(nodeSuite.sha256, this.#store.transaction(stored.transactionId));
    return { leaf: decodeLeaf(stored.leaf), transaction };
  }

  async items(logId, from, to) {
    return this.#store.leaves(logId, from, to, to - from).map(stored => this.#item(stored));
  }

  /** Who sends a record does not read it back here. */
  itemOf = async () => null;

  submit(signed) {
    return Promise.all(signed.map(one => new Promise(resolve => this.#queue(one, resolve))));
  }
}

/** Executes, certifies and stores one block after the other. */
class ChainBuilder {
  constructor(program, store, validators) {
    this.program = program;
    this.store = store;
    this.signers = validators.slice(0, QUORUM.length).map(({ key }) => program.p256Signer(key));
    this.head = store.head();
    this.lanes = new Map();
  }

  /** Transactions wait in lanes, by the first scope they name; a block takes one of each lane. */
  enqueue(signed, resolve) {
    const { decodeTransaction, encodeSignedTransaction, nodeSuite } = this.program;
    const bytes = encodeSignedTransaction(signed);
    const transaction = decodeTransaction(nodeSuite.sha256, bytes);
    const [scope] = transaction.body.scopes;
    const lane = this.lanes.get(scope) ?? [];
    lane.push({ transaction, bytes, resolve });
    this.lanes.set(scope, lane);
  }

  #certificate(hash, header) {
    const { voteBytes } = this.program;
    const subject = {
      validatorSetId: 0,
      view: 0,
      newViewDigest: '0'.repeat(64),
      height: header.height,
      blockHash: hash,
    };
    const bytes = voteBytes('commit', { chainId: header.chainId, ...subject });
    return {
      ...subject,
      signatures: QUORUM.map(signer => ({ signer, signature: this.signers[signer].sign(bytes) })),
    };
  }

  /** @returns false when nothing waits */
  async next() {
    const taken = [];
    for (const [scope, lane] of this.lanes) {
      taken.push(lane.shift());
      if (lane.length === 0) this.lanes.delete(scope);
    }
    if (taken.length === 0) return false;
    const { nodeSuite, executeBlock } = this.program;
    const parent = { header: this.head.block.header, hash: this.head.hash };
    const input = {
      timeMs: parent.header.timeMs + CHAIN_INTERVAL_MS,
      transactions: taken.map(one => one.transaction),
    };
    // the signatures were made in this process, a moment ago
    const execution = executeBlock(nodeSuite, this.store.state, parent, input, { verify: () => true });
    if (execution.reject !== undefined) throw new Error(`${execution.reject}: ${execution.detail}`);
    const { block, hash, diff } = execution;
    this.head = { block, hash, certificate: this.#certificate(hash, block.header) };
    await this.store.commit(
      this.head,
      diff,
      taken.map(one => one.bytes),
    );
    for (const [index, { transaction, resolve }] of taken.entries()) {
      const { outcome } = block.entries[index];
      resolve({ id: transaction.id, end: 'block', outcome, height: block.header.height });
    }
    return true;
  }

  /** Makes blocks until the work is done, which waits for them. */
  async during(work) {
    let running = true;
    const done = work.finally(() => {
      running = false;
    });
    while (running) {
      // what follows on a block is queued before the next one is made
      await new Promise(resolve => setImmediate(resolve));
      while (this.lanes.size > 0 && (await this.next())) await new Promise(resolve => setImmediate(resolve));
    }
    return done;
  }
}

/** Keys, configurations and genesis of four validators and of the members. */
async function prepare(program, dir, memberCount) {
  const { createDataDirectory, openKeys, dataPaths, generateSigningKey, p256PublicKey } = program;
  const make = async (role, name) => {
    const config = { role, name, network: { listen: ['/ip4/127.0.0.1/tcp/0'], peers: [] }, rpc: {}, log: {} };
    const identity = await createDataDirectory(dirOf(dir, name), config, PASSPHRASE);
    writeFileSync(dataPaths(dirOf(dir, name)).passphrase, `${PASSPHRASE}\n`, { mode: 0o600 });
    return { identity, keys: await openKeys(dataPaths(dirOf(dir, name))) };
  };
  const validators = [];
  for (let index = 1; index <= 4; index += 1) {
    const { identity, keys } = await make('consensus', `node-${index}`);
    validators.push({ validator: identity.validator, key: keys.consensus });
  }
  const members = new Map();
  for (const name of [OWNER, READER, WATCHER]) {
    const { identity, keys } = await make(name === OWNER ? 'manager' : 'participant', name);
    members.set(name, { card: identity.card, signing: keys.signing, sealing: keys.sealing });
  }
  for (let index = members.size; index < memberCount; index += 1) {
    const id = `member-${index}`;
    const signing = generateSigningKey();
    const sealing = program.generateSealingKey();
    const card = {
      ...{ id, name: id, peerIds: [] },
      signingKey: p256PublicKey(signing, 'compressed'),
      sealingKey: p256PublicKey(sealing, 'compressed'),
    };
    members.set(id, { card, signing, sealing });
  }
  const genesis = {
    name: 'bench',
    timeMs: Date.now() - 86_400_000,
    parameters: program.DEFAULT_PARAMETERS,
    validators: validators.map(one => one.validator),
    administrators: [OWNER],
    administratorThreshold: 1,
    members: [...members.values()].map(one => one.card).sort((a, b) => (a.id < b.id ? -1 : 1)),
  };
  for (const name of ['node-1', 'node-2', 'node-3', 'node-4', OWNER, READER, WATCHER]) {
    writeFileSync(dataPaths(dirOf(dir, name)).genesis, program.formatGenesis(genesis), { mode: 0o600 });
  }
  return { genesis, validators, members };
}

function refused(result) {
  if (result.reject !== undefined) throw new Error(`${result.reject}: ${result.detail}`);
  return result;
}

/** The store of the first validator, its writes flushed at the end only. */
async function openStore(program, dir, genesis) {
  const kv = new program.LevelStore(program.dataPaths(dirOf(dir, 'node-1')).state);
  mkdirSync(program.dataPaths(dirOf(dir, 'node-1')).database, { recursive: true });
  await kv.open();
  const unflushed = {
    get: key => kv.get(key),
    entries: range => kv.entries(range),
    batch: operations => kv.batch(operations, { sync: false }),
  };
  const window = genesis.parameters.replayWindowBlocks;
  const store = new program.KvChainStore(unflushed, { replayWindowBlocks: () => window });
  const { block, hash, diff } = program.genesisBlock(program.nodeSuite, genesis);
  if (store.head() === null) await store.commit({ block, hash, certificate: null }, diff, []);
  return { kv, store, chainId: block.header.chainId };
}

/** One author each for the phases, in turn: the reader has the first phase and no other. */
async function buildPhases({ shape, serviceOf, builder, names }) {
  const owner = serviceOf(OWNER);
  const phases = [];
  let project = null;
  for (let index = 0; index < shape.phases; index += 1) {
    if (index % shape.phasesPerProject === 0) {
      project = refused(
        await builder.during(owner.createProject(`project ${index / shape.phasesPerProject}`)),
      ).project;
    }
    const author = index === 0 ? READER : names[index % names.length];
    const input = {
      ...{ project, label: `phase ${index}`, predecessors: [], custody: 0 },
      policy: { copiesTarget: 1, copiesMinimum: 1 },
      participants: [{ member: author, roles: 2 }],
    };
    const { phase } = refused(await builder.during(owner.addPhase(input)));
    refused(await builder.during(owner.openPhase(phase)));
    phases.push({ phase, author });
  }
  return phases;
}

/** As many phases at a time as a block has records; each gets one record a block. */
async function buildRecords({ shape, serviceOf, builder, phases, say }) {
  const text = 'x'.repeat(shape.payloadBytes);
  for (let first = 0; first < phases.length; first += shape.recordsPerBlock) {
    const group = phases.slice(first, first + shape.recordsPerBlock);
    const work = group.flatMap(({ phase, author }) => {
      const service = serviceOf(author);
      return Array.from({ length: shape.recordsPerPhase }, (_, index) => {
        const data = new TextEncoder().encode(`${index} ${text}`);
        const content = { type: 'note', title: '', mediaType: 'text/plain', data, files: [] };
        return service.putRecord({ phase, references: [], ...content }).then(refused);
      });
    });
    await builder.during(Promise.all(work));
    if (first % (10 * shape.recordsPerBlock) === 0) say(`  ${builder.head.block.header.height} blocks`);
  }
}

/** The watcher comes into every phase, for what is written from now on. */
async function addWatcher({ serviceOf, builder, phases }) {
  const owner = serviceOf(OWNER);
  for (let first = 0; first < phases.length; first += WATCHED_AT_ONCE) {
    const group = phases.slice(first, first + WATCHED_AT_ONCE);
    const inputs = group.map(({ phase }) => ({ phase, member: WATCHER, roles: 1, grant: 'none' }));
    await builder.during(Promise.all(inputs.map(input => owner.addParticipant(input).then(refused))));
  }
}

/** The records service of a member over the chain that is built. */
function serviceFor(program, access, { card, signing, sealing }) {
  return new program.Records({
    ...{ access, crypto: program.phaseCrypto, suite: program.nodeSuite, member: card.id },
    signer: program.p256Signer(signing),
    unsealers: [program.p256Unsealer(sealing)],
  });
}

function accessTo(program, store, chainId, builder) {
  return new BuilderAccess(program, store, chainId, (signed, resolve) => builder.enqueue(signed, resolve));
}

async function build(program, dir, shape, say) {
  const { genesis, validators, members } = await prepare(program, dir, shape.members);
  const { kv, store, chainId } = await openStore(program, dir, genesis);
  const builder = new ChainBuilder(program, store, validators);
  const access = accessTo(program, store, chainId, builder);
  const serviceOf = name => serviceFor(program, access, members.get(name));
  const names = [...members.keys()].filter(name => ![READER, WATCHER, OWNER].includes(name));
  const phases = await buildPhases({ shape, serviceOf, builder, names });
  say(`  ${phases.length} phases, ${builder.head.block.header.height} blocks`);
  await buildRecords({ shape, serviceOf, builder, phases, say });
  await addWatcher({ serviceOf, builder, phases });
  await kv.batch([], { sync: true });
  await kv.compact();
  await kv.close();
  return { chainId, phase: phases[0].phase };
}

/** The chain of an earlier `chainIn`, to be served and gone on with in this process: the reader writes into its phase. */
export async function reopenChain(program, dir, { chainId, phase }) {
  const keysOf = name => program.openKeys(program.dataPaths(dirOf(dir, name)));
  const genesis = await program.readGenesis(program.dataPaths(dirOf(dir, READER)).genesis);
  const { kv, store } = await openStore(program, dir, genesis);
  const validators = [];
  for (const signer of QUORUM) validators.push({ key: (await keysOf(`node-${signer + 1}`)).consensus });
  const builder = new ChainBuilder(program, store, validators);
  const { signing, sealing } = await keysOf(READER);
  const access = accessTo(program, store, chainId, builder);
  const service = serviceFor(program, access, { card: { id: READER }, signing, sealing });
  const { transport: seed } = await keysOf('node-1');
  const content = { type: 'note', title: '', mediaType: 'text/plain', data: new Uint8Array(200), files: [] };
  const put = () => builder.during(service.putRecord({ phase, references: [], ...content }).then(refused));
  return { store, seed, put, height: () => builder.head.block.header.height, close: () => kv.close() };
}

/**
 * The chain of this shape in `dir`: built, or found there from an earlier run of the same shape and program.
 * @returns what to look for in it, and how long building took, in seconds (0 when it was there)
 */
export async function chainIn(program, dir, shape, say) {
  const mark = join(dir, 'chain.json');
  const wanted = JSON.stringify({ ...shape, builder: BUILDER_VERSION });
  if (existsSync(mark)) {
    const known = JSON.parse(readFileSync(mark, 'utf8'));
    if (JSON.stringify(known.shape) === wanted) return { ...known.chain, builtS: 0 };
  }
  say(`building a chain of ${shape.phases} phases with ${shape.recordsPerPhase} records each in ${dir}`);
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir, { recursive: true });
  const startMs = performance.now();
  const chain = await build(program, dir, shape, say);
  writeFileSync(mark, JSON.stringify({ shape: JSON.parse(wanted), chain }));
  return { ...chain, builtS: (performance.now() - startMs) / 1000 };
}
