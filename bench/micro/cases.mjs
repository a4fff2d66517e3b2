// What is measured, by topic: each case does `items` things a call, and is compared with a ceiling of the same run.
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';

const BLOCK = 500;
const FRAME = 100;
const LEAVES = 4_096;

/** Calls `work` with the next of these at each call. */
function inTurn(things, work) {
  let at = 0;
  return () => {
    at = (at + 1) % things.length;
    return work(things[at]);
  };
}

function hashing({ program }) {
  const { nodeSuite, nodeHash } = program;
  const of = bytes => new Uint8Array(randomBytes(bytes));
  const small = of(64);
  const large = of(1024 * 1024);
  const left = nodeSuite.sha256(of(8));
  const right = nodeSuite.sha256(of(9));
  return [
    { name: 'SHA-256 of 64 bytes', run: () => nodeSuite.sha256(small), ceiling: 'sha256' },
    { name: 'Merkle node', run: () => nodeHash(nodeSuite.sha256, left, right), ceiling: 'sha256' },
    { name: 'SHA-256 of 1 MiB', run: () => nodeSuite.sha256(large), ceiling: null },
  ];
}

function signing({ program, material }) {
  const { nodeSuite, p256Signer, rememberingSuite, VerifiedTransactions, decodeTransaction } = program;
  const signer = p256Signer(material.keys.signing);
  const decode = bytes => decodeTransaction(nodeSuite.sha256, bytes);
  const key = signer.publicKey;
  const each = material.each.map(decode);
  const batch = material.batch.map(decode);
  const remembering = size => new VerifiedTransactions(rememberingSuite(nodeSuite, size), size, null).verify;
  const shared = () => {
    const verify = remembering(4_096);
    for (const transaction of batch) if (!verify(transaction, key)) throw new Error('refused');
  };
  const one = remembering(1);
  return [
    { name: 'sign', run: () => signer.sign(randomBytes(32)), ceiling: 'sign' },
    {
      name: 'verify a record, signed alone',
      run: inTurn(each, transaction => one(transaction, key)),
      ceiling: 'verify',
    },
    { name: 'verify a record, of a tree of 64', run: shared, items: batch.length, ceiling: 'verify' },
  ];
}

function codec({ program, material }) {
  const { decodeTransaction, decodeSignedTransaction, encodeSignedTransaction, nodeSuite, poolFrameCodec } =
    program;
  const frame = { kind: 'bodies', transactions: material.each.slice(0, FRAME) };
  const encoded = poolFrameCodec.encode(frame);
  const signed = decodeSignedTransaction(material.each[0]);
  return [
    { name: 'encode a record', run: () => encodeSignedTransaction(signed), ceiling: null },
    {
      name: 'decode and check a record',
      run: inTurn(material.each, bytes => decodeTransaction(nodeSuite.sha256, bytes)),
      ceiling: 'verify',
    },
    {
      name: 'pool frame: encode, a record',
      run: () => poolFrameCodec.encode(frame),
      items: FRAME,
      ceiling: null,
    },
    {
      name: 'pool frame: decode, a record',
      run: () => poolFrameCodec.decode(encoded),
      items: FRAME,
      ceiling: null,
    },
  ];
}

function merkle({ program }) {
  const { nodeSuite, appendLeaf, EMPTY_FRONTIER, inclusionProof, mapUpdate, ZERO_HASH } = program;
  const { sha256 } = nodeSuite;
  const leaves = Array.from({ length: LEAVES }, (_, index) => sha256(new Uint8Array([index, index >> 8])));
  const append = () => {
    let frontier = EMPTY_FRONTIER;
    for (const leaf of leaves) frontier = appendLeaf(sha256, frontier, leaf);
  };
  const cases = [
    { name: 'append a leaf', run: append, items: LEAVES, ceiling: 'sha256' },
    {
      name: 'inclusion proof of a tree of 64',
      run: () => inclusionProof(sha256, at => leaves[at], 33, 64),
      ceiling: 'sha256',
    },
  ];
  const whole = mapUpdate(sha256, () => null, ZERO_HASH, new Map(leaves.map(leaf => [leaf, leaf])));
  const node = hash => whole.added.get(hash) ?? null;
  const change = new Map([[leaves[5], leaves[6]]]);
  return [
    ...cases,
    {
      name: `map of ${LEAVES} logs: change one`,
      run: () => mapUpdate(sha256, node, whole.root, change),
      ceiling: null,
    },
  ];
}

function state({ program, material }) {
  const { decodeTransaction, nodeSuite } = program;
  const transactions = material.each.slice(0, BLOCK).map(bytes => decodeTransaction(nodeSuite.sha256, bytes));
  // signatures are measured apart
  const run = () => material.ledger.tryBlock(transactions, { verify: () => true });
  return [{ name: `execute a block of ${BLOCK}, a record`, run, items: BLOCK, ceiling: 'verify' }];
}

/** The node's own stores on disk, flushed as a node flushes them. */
async function store({ program, material, dir, cleanUps }) {
  const { LevelStore, KvChainStore, FileWal, decodeTransaction, nodeSuite } = program;
  const kv = new LevelStore(join(dir, 'state'));
  await kv.open();
  cleanUps.push(() => kv.close());
  const wal = new FileWal(join(dir, 'consensus.wal'));
  await wal.create();
  cleanUps.push(() => wal.close());
  const window = material.genesis.parameters.replayWindowBlocks;
  const chain = new KvChainStore(kv, { replayWindowBlocks: () => window });
  const wrappers = material.each.slice(0, BLOCK).map(bytes => {
    const { id, wrapperHash } = decodeTransaction(nodeSuite.sha256, bytes);
    return { id, wrapperHash, bytes };
  });
  const record = new Uint8Array(300);
  await chain.putAhead(wrappers);
  // what is there already costs nothing: other names make them other bodies
  const others = Array.from({ length: 64 }, (_, round) =>
    wrappers.map((wrapper, index) => ({
      ...wrapper,
      wrapperHash: nodeSuite.sha256(new Uint8Array([round, index, index >> 8])),
    })),
  );
  const put = inTurn(others, group => chain.putAhead(group));
  const read = inTurn(wrappers, ({ wrapperHash }) => chain.wrapper(wrapperHash));
  return [
    { name: 'append 300 bytes to the log, flushed', run: () => wal.append([record]), ceiling: 'sync' },
    {
      name: `store ${BLOCK} bodies ahead, a record`,
      run: put,
      items: BLOCK,
      ceiling: 'sync',
    },
    { name: 'read a body', run: read, ceiling: null },
  ];
}

/** A member's own work: encryption, hashes and signature of a record of 250 bytes. */
function member({ material }) {
  return [{ name: 'make a record: encrypt, hash, sign', run: () => material.put(), ceiling: 'sign' }];
}

export const TOPICS = { hashing, signing, codec, merkle, state, store, member };
