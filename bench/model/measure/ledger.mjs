// Transactions and blocks as a node has them: records that are encrypted and signed by a member, decoded, checked, executed and
// stored in a database of its own.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { ShadowLedger, serviceOver } from '../../consensus/shadow.mjs';
import { each, line, spentBy } from './clock.mjs';

const MEMBER = 'load';
const PASSPHRASE = 'a network for a benchmark';
const CONTRIBUTOR = 2;
const NOTE = { type: 'note', title: '', mediaType: 'text/plain', files: [], references: [] };
/** Blocks of two sizes: the line through both says what a block costs and what a transaction. */
const SMALL = { blocks: 60, size: 10 };
const LARGE = { blocks: 12, size: 400 };
const BODIES_PER_FRAME = 100;
const FRAME_ROUNDS = 20;
/** What a frame adds to each body. */
const FRAMED_BYTES = 3;

const accepted = result => {
  if (result.reject !== undefined) throw new Error(`${result.reject}: ${result.detail}`);
  return result;
};

async function identity(parts, dir, role, name) {
  const place = { network: { listen: ['/ip4/127.0.0.1/tcp/1'], peers: [] }, log: { level: 'info' } };
  const rpc = { host: '127.0.0.1', port: 1, portTries: 0, allowedHosts: ['127.0.0.1'], allowedOrigins: [] };
  const config = { role, name, ...place, rpc: { ...rpc, admin: false } };
  return parts.createDataDirectory(join(dir, name), config, PASSPHRASE);
}

async function genesisOf(parts, dir) {
  const { validator } = await identity(parts, dir, 'consensus', 'node-1');
  const { card } = await identity(parts, dir, 'manager', MEMBER);
  const text = parts.formatGenesis({
    ...{ name: 'bench', timeMs: Date.now(), validators: [validator], members: [card] },
    ...{ parameters: parts.DEFAULT_PARAMETERS, administrators: [MEMBER], administratorThreshold: 1 },
  });
  return parts.parseGenesis(text, 'genesis');
}

/** The member's service; what it signs is executed by the shadow ledger, or only kept. */
async function memberOf(parts, dir, genesis, payloadBytes) {
  const { bodyId, encodeSignedTransaction, nodeSuite } = parts;
  const ledger = new ShadowLedger(parts);
  await ledger.open(genesis);
  const made = [];
  let executes = true;
  // openKeys wants the passphrase where a node finds it
  const paths = parts.dataPaths(join(dir, MEMBER));
  await parts.writePrivateFile(paths.passphrase, `${PASSPHRASE}\n`);
  const member = { member: MEMBER, keys: await parts.openKeys(paths) };
  const service = serviceOver(parts, ledger, member, async signed => {
    const results = [];
    for (const one of signed) {
      const bytes = encodeSignedTransaction(one);
      made.push(bytes);
      const outcome = executes ? await ledger.execute(bytes) : 0;
      results.push({ id: bodyId(nodeSuite.sha256, one.body), end: 'block', outcome, height: 0 });
    }
    return results;
  });
  const { project } = accepted(await service.createProject('bench'));
  const { phase } = accepted(
    await service.addPhase({
      ...{ project, label: 'bench', predecessors: [], custody: 0 },
      policy: { copiesTarget: 1, copiesMinimum: 1 },
      participants: [{ member: MEMBER, roles: CONTRIBUTOR }],
    }),
  );
  accepted(await service.openPhase(phase));
  executes = false;
  const setup = made.splice(0);
  return {
    setup,
    records: async count => {
      for (let index = 0; index < count; index += 1) {
        const data = new TextEncoder().encode(String(index).padEnd(payloadBytes, 'phaseline '));
        accepted(await service.putRecord({ phase, ...NOTE, data: data.subarray(0, payloadBytes) }));
      }
      return made.splice(0);
    },
  };
}

/** The chain of one node, which block after block is executed on and stored. */
class Chain {
  constructor(parts, store) {
    this.parts = parts;
    this.store = store;
  }

  async open(genesis) {
    const { block, hash, diff } = this.parts.genesisBlock(this.parts.nodeSuite, genesis);
    await this.store.commit({ block, hash, certificate: null }, diff, []);
    this.parent = { header: block.header, hash };
  }

  input(transactions) {
    return { timeMs: this.parent.header.timeMs + 1, transactions };
  }

  execute(transactions) {
    const { executeBlock, nodeSuite } = this.parts;
    const options = { verify: () => true };
    return accepted(
      executeBlock(nodeSuite, this.store.state, this.parent, this.input(transactions), options),
    );
  }

  build(transactions) {
    const { buildBlock, nodeSuite } = this.parts;
    const input = { timeMs: this.parent.header.timeMs + 1, candidates: transactions };
    const built = buildBlock(nodeSuite, this.store.state, this.parent, input, { verify: () => true });
    if (built.transactions.length < transactions.length) throw new Error('a record was left out');
  }

  async commit({ block, hash, diff }, bodies) {
    const certificate = {
      ...{ validatorSetId: 0, view: 0, newViewDigest: '0'.repeat(64) },
      ...{ height: block.header.height, blockHash: hash, signatures: [] },
    };
    await this.store.commit({ block, hash, certificate }, diff, bodies);
    this.parent = { header: block.header, hash };
  }
}

const add = (sum, { mainUs, otherUs }) => {
  sum.mainUs += mainUs;
  sum.otherUs += otherUs;
};

/** Means for one block of that size. */
async function blocks(parts, chain, bodies, { blocks: count, size }) {
  const { decodeTransaction, nodeSuite } = parts;
  const total = { build: 0, execute: 0, ahead: { mainUs: 0, otherUs: 0 }, commit: { mainUs: 0, otherUs: 0 } };
  for (let index = 0; index < count; index += 1) {
    const some = bodies.splice(0, size);
    const transactions = some.map(bytes => decodeTransaction(nodeSuite.sha256, bytes));
    total.build += (await spentBy(() => chain.build(transactions))).allUs;
    let execution;
    const executed = await spentBy(() => {
      execution = chain.execute(transactions);
    });
    total.execute += executed.allUs;
    const wrappers = transactions.map(({ id, wrapperHash }, at) => ({ id, wrapperHash, bytes: some[at] }));
    add(total.ahead, await spentBy(() => chain.store.putAhead(wrappers)));
    add(total.commit, await spentBy(() => chain.commit(execution, some)));
  }
  const mean = value => value / count;
  return {
    ...{ build: mean(total.build), execute: mean(total.execute) },
    aheadMain: mean(total.ahead.mainUs),
    aheadOther: mean(total.ahead.otherUs),
    commitMain: mean(total.commit.mainUs),
    commitOther: mean(total.commit.otherUs),
  };
}

function transactionPrices(parts, chain, bodies) {
  const { checkAdmission, decodeTransaction, Mempool, nodeSuite, POOL_LIMITS, poolFrameCodec } = parts;
  const { rememberingSuite, verifyTransactionSignature, readSystem } = parts;
  const count = bodies.length;
  const decode = each(count, at => decodeTransaction(nodeSuite.sha256, bodies[at]));
  const transactions = bodies.map(bytes => decodeTransaction(nodeSuite.sha256, bytes));
  const { state } = chain.store;
  const key = readSystem(state).members.find(({ id }) => id === MEMBER).keys[0].signingKey;
  const suite = rememberingSuite(nodeSuite, POOL_LIMITS.verifiedSignaturesMax);
  const verify = each(count, at => {
    if (!verifyTransactionSignature(suite, transactions[at], key)) throw new Error('a good signature fails');
  });
  const pool = new Mempool(POOL_LIMITS);
  const { height } = chain.parent.header;
  const admit = each(count, at => {
    accepted(checkAdmission(nodeSuite, state, height, transactions[at], () => true) ?? {});
    pool.add({ transaction: transactions[at], bytes: bodies[at], sinceMs: 0 });
    pool.remove(transactions[at].id);
  });
  const frames = Math.floor(count / BODIES_PER_FRAME);
  const rounds = frames * FRAME_ROUNDS;
  const groups = Array.from({ length: frames }, (_, at) =>
    bodies.slice(at * BODIES_PER_FRAME, (at + 1) * BODIES_PER_FRAME),
  );
  const encoded = groups.map(group => poolFrameCodec.encode({ kind: 'bodies', transactions: group }));
  const frame = each(rounds, at =>
    poolFrameCodec.encode({ kind: 'bodies', transactions: groups[at % frames] }),
  );
  const unframe = each(rounds, at => poolFrameCodec.decode(encoded[at % frames]));
  const bytes = bodies.reduce((sum, { length }) => sum + length, 0) / count;
  return {
    bytes,
    decode: decode + unframe / BODIES_PER_FRAME,
    verify,
    admit,
    frame: frame / BODIES_PER_FRAME,
  };
}

/** @param input dir, payloadBytes */
export async function measureLedger(parts, { dir, payloadBytes }) {
  const home = join(dir, 'ledger');
  mkdirSync(home, { recursive: true });
  const genesis = await genesisOf(parts, home);
  const member = await memberOf(parts, home, genesis, payloadBytes);
  const kv = new parts.LevelStore(join(home, 'db'));
  await kv.open();
  try {
    const chain = new Chain(parts, new parts.KvChainStore(kv));
    await chain.open(genesis);
    for (const bytes of member.setup) {
      const transaction = parts.decodeTransaction(parts.nodeSuite.sha256, bytes);
      await chain.commit(chain.execute([transaction]), [bytes]);
    }
    const bodies = await member.records(2 * (SMALL.blocks * SMALL.size + LARGE.blocks * LARGE.size));
    const one = transactionPrices(parts, chain, bodies.slice(0, LARGE.blocks * LARGE.size));
    // the first ones only warm the code
    await blocks(parts, chain, bodies, SMALL);
    await blocks(parts, chain, bodies, LARGE);
    const small = await blocks(parts, chain, bodies, SMALL);
    const large = await blocks(parts, chain, bodies, LARGE);
    const bytes = one.bytes + FRAMED_BYTES;
    return {
      ...pricesOf(one, small, large),
      'transaction.bytes': { value: bytes, how: 'mean of the records' },
    };
  } finally {
    await kv.close();
  }
}

function pricesOf(one, small, large) {
  const through = name => line(SMALL.size, small[name], LARGE.size, large[name]);
  const [build, execute] = [through('build'), through('execute')];
  const [aheadMain, aheadOther] = [through('aheadMain'), through('aheadOther')];
  const [commitMain, commitOther] = [through('commitMain'), through('commitOther')];
  const sizes = `blocks of ${SMALL.size} and of ${LARGE.size} records; the line through both`;
  const priced = (value, how) => ({ value, how });
  return {
    'signature.verify': priced(one.verify, "members' signatures, by the rule and with the memory of a node"),
    'transaction.decode': priced(one.decode, 'records decoded and hashed, out of frames of 100'),
    'transaction.frame': priced(one.frame, 'frames of 100 records encoded'),
    'transaction.admit': priced(one.admit, 'all checks but the signature, into the pool and out again'),
    'ledger.block': priced(execute.base, sizes),
    'ledger.build': priced(build.slope, sizes),
    'ledger.execute': priced(execute.slope, sizes),
    'store.ahead': priced(aheadMain.slope, sizes),
    'store.aheadWriter': priced(aheadOther.slope, sizes),
    'store.block': priced(aheadMain.base + commitMain.base, sizes),
    'store.blockWriter': priced((aheadOther.base + commitOther.base) / 2, sizes),
    'store.commit': priced(commitMain.slope, sizes),
    'store.commitWriter': priced(commitOther.slope, sizes),
  };
}
