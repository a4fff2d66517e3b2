import { afterEach, describe, expect, it } from 'vitest';
import type { Hash, TransactionId } from '../../../src/core/base/ids.ts';
import { isReject, reject } from '../../../src/core/base/reject.ts';
import {
  decodeSignedTransaction,
  decodeTransaction,
  encodeSignedTransaction,
} from '../../../src/core/codec/transaction.ts';
import type { Parameters } from '../../../src/core/types/state.ts';
import type { SignedTransaction, Transaction } from '../../../src/core/types/transaction.ts';
import { nodeSuite } from '../../../src/crypto/suite.ts';
import { silentLogger } from '../../../src/ports/logger.ts';
import type { PoolLimits } from '../../../src/services/pool/limits.ts';
import { Pool, type PoolChain } from '../../../src/services/pool/pool.ts';
import { poolFrameCodec } from '../../../src/wire/pool.ts';
import { MemoryNetwork, type MemoryTransport, realClock } from '../../support/memory-transport.ts';
import { makeWrapper, newSender, verifyPlain } from './transactions.ts';

const chainId = 'c'.repeat(64) as Hash;
const alice = newSender('alice');
const bob = newSender('bob');
const keys = new Map([alice, bob].map(sender => [sender.id, sender.signer.publicKey]));
const parameters = {
  blockTransactionsMax: 100,
  blockBytesMax: 1 << 20,
  transactionBytesMax: 1 << 16,
  memberTransactionsPerBlockMax: 50,
  memberBytesPerBlockMax: 1 << 19,
} as Parameters;

class TestChain implements PoolChain {
  height = 1;
  current = parameters;
  readonly expelled = new Set<string>();
  readonly committed = new Map<TransactionId, Uint8Array>();
  readonly stored = new Map<TransactionId, Uint8Array>();

  constructor(readonly peers: readonly string[]) {}

  headHeight() {
    return this.height;
  }
  parameters() {
    return this.current;
  }
  checkAdmission(transaction: Transaction) {
    if (this.committed.has(transaction.id)) return reject('duplicate', transaction.id, 'ignore');
    const key = keys.get(transaction.body.sender);
    if (key === undefined || this.expelled.has(transaction.body.sender))
      return reject('unknown_sender', transaction.body.sender, 'ignore');
    if (transaction.body.lastValidHeight <= this.height) return reject('expired', 'too old', 'ignore');
    return verifyPlain(transaction, key) ? null : reject('bad_signature', transaction.id);
  }
  /** Tests say what waits for another thread. */
  aside: ((transaction: Transaction) => Promise<void> | null) | null = null;
  verifyAhead(transaction: Transaction) {
    return this.aside?.(transaction) ?? null;
  }
  isCommitted(id: TransactionId) {
    return this.committed.has(id);
  }
  wrapper(wrapperHash: Hash) {
    const all = [...this.committed.values(), ...this.stored.values()];
    return all.find(bytes => decoded(bytes).wrapperHash === wrapperHash) ?? null;
  }
  validatorPeers() {
    return this.peers;
  }
}

interface TestNode {
  readonly pool: Pool;
  readonly chain: TestChain;
  readonly transport: MemoryTransport;
  /** Resolves when the pool holds `count` transactions. */
  holds(count: number): Promise<void>;
}

let running: TestNode[] = [];
afterEach(async () => {
  for (const node of running) {
    node.pool.stop();
    await node.transport.stop();
  }
  running = [];
});

async function startNodes(names: readonly string[], limits: Partial<PoolLimits> = {}) {
  const network = new MemoryNetwork();
  const nodes = names.map(name => {
    const transport = network.create({ peerId: name });
    const chain = new TestChain(names.filter(other => other !== name));
    const pool = new Pool({
      chain,
      suite: nodeSuite,
      transport,
      clock: realClock,
      logger: silentLogger,
      limits,
    });
    pool.register();
    const waiting: (() => void)[] = [];
    pool.onEvents({
      added: () => {
        for (const check of [...waiting]) check();
      },
      dismissed: () => {},
    });
    const holds = (count: number) =>
      new Promise<void>(resolve => {
        const check = () => pool.size >= count && resolve();
        waiting.push(check);
        check();
      });
    return { pool, chain, transport, holds };
  });
  running = nodes;
  for (const [index, node] of nodes.entries()) {
    await node.transport.start();
    for (const other of names.slice(0, index)) node.transport.keepConnected(other, []);
  }
  await new Promise(resolve => setImmediate(resolve));
  return { network, nodes };
}

function decoded(bytes: Uint8Array): Transaction {
  const transaction = decodeTransaction(nodeSuite.sha256, bytes);
  if (isReject(transaction)) throw new Error(transaction.detail);
  return transaction;
}

/** The same body signed anew: ECDSA draws a fresh nonce, so the wrapper differs and the id does not. */
function otherWrapper(text: string) {
  return [makeWrapper(alice, { chainId, text }), makeWrapper(alice, { chainId, text })] as const;
}

const takeAll = {
  transactionsMax: 100,
  bytesMax: 1 << 20,
  memberTransactionsMax: 100,
  memberBytesMax: 1 << 20,
};

describe('submission', () => {
  it('[73] takes a transaction once, and answers repetitions with the same id', async () => {
    const { nodes } = await startNodes(['a']);
    const { pool, chain } = nodes[0]!;
    const bytes = makeWrapper(alice, { chainId, text: 'one' });
    const { id } = decoded(bytes);
    expect(await pool.submit(bytes)).toEqual({ id, status: 'pending' });
    expect(await pool.submit(bytes)).toEqual({ id, status: 'pending' });
    expect(pool.size).toBe(1);
    chain.committed.set(id, bytes);
    pool.committed(2, [id]);
    expect(pool.size).toBe(0);
    expect(await pool.submit(bytes)).toEqual({ id, status: 'committed' });
  });

  it('[91] refuses what admission refuses, malformed bytes, missing parts and oversize, each with its code', async () => {
    const { nodes } = await startNodes(['a']);
    const { pool } = nodes[0]!;
    const stranger = newSender('mallory');
    const good = decodeSignedTransaction(makeWrapper(alice, { chainId, text: 'x' })) as SignedTransaction;
    const cases: [Uint8Array, string][] = [
      [makeWrapper(stranger, { chainId, text: 'x' }), 'unknown_sender'],
      [makeWrapper(alice, { chainId, text: 'x', lastValidHeight: 1 }), 'expired'],
      [makeWrapper(alice, { chainId, text: 'x', bytes: 1 << 16 }), 'transaction_too_large'],
      [encodeSignedTransaction({ ...good, signature: new Uint8Array(64).fill(1) }), 'bad_signature'],
      [encodeSignedTransaction({ ...good, parts: [null] }), 'malformed'],
      [new Uint8Array([1, 2, 3]), 'malformed'],
    ];
    for (const [bytes, code] of cases) expect(await pool.submit(bytes)).toMatchObject({ reject: code });
    expect(pool.size).toBe(0);
  });

  it('[71] refuses with pool_full when full, keeps what it accepted, and keeps room for other members', async () => {
    const { nodes } = await startNodes(['a'], { transactionsMax: 4, memberTransactionsMax: 3 });
    const { pool } = nodes[0]!;
    const submit = (sender: typeof alice, text: string) =>
      pool.submit(makeWrapper(sender, { chainId, text }));
    for (const text of ['1', '2', '3']) expect(isReject(await submit(alice, text))).toBe(false);
    expect(await submit(alice, '4')).toMatchObject({ reject: 'pool_full' });
    expect(isReject(await submit(bob, '1'))).toBe(false);
    expect(await submit(bob, '2')).toMatchObject({ reject: 'pool_full' });
    expect(pool.take(takeAll, () => false)).toHaveLength(4);
  });
});

describe('proposals', () => {
  it('takes one of each member in turn, within count and byte limits, and skips what is in flight', async () => {
    const { nodes } = await startNodes(['a']);
    const { pool } = nodes[0]!;
    for (let index = 0; index < 20; index += 1) {
      await pool.submit(makeWrapper(alice, { chainId, text: `many ${index}` }));
    }
    const single = makeWrapper(bob, { chainId, text: 'single' });
    await pool.submit(single);
    const first = pool.take({ ...takeAll, transactionsMax: 4 }, () => false);
    expect(first).toHaveLength(4);
    expect(first.map(entry => entry.transaction.body.sender)).toContain(bob.id);
    const inFlight = new Set(first.map(entry => entry.transaction.id));
    const second = pool.take(takeAll, id => inFlight.has(id));
    expect(second).toHaveLength(17);
    const size = decoded(single).bytes;
    expect(pool.take({ ...takeAll, bytesMax: size * 3 }, () => false).length).toBeLessThanOrEqual(3);
    expect(pool.take({ ...takeAll, memberTransactionsMax: 2 }, () => false)).toHaveLength(3);
  });

  it('drops what has expired and says so', async () => {
    const { nodes } = await startNodes(['a']);
    const { pool } = nodes[0]!;
    const short = makeWrapper(alice, { chainId, text: 'short', lastValidHeight: 5 });
    await pool.submit(short);
    await pool.submit(makeWrapper(alice, { chainId, text: 'long', lastValidHeight: 6 }));
    pool.committed(4, []);
    expect(pool.size).toBe(2);
    pool.committed(5, []);
    expect(pool.size).toBe(1);
    expect(pool.dismissal(decoded(short).id)).toMatchObject({ reject: 'expired' });
  });

  it('[4] forgets what a change of members or parameters has made impossible, and says so', async () => {
    const { nodes } = await startNodes(['a']);
    const { pool, chain } = nodes[0]!;
    const bytes = makeWrapper(alice, { chainId, text: 'left behind' });
    await pool.submit(bytes);
    pool.committed(2, []);
    expect(pool.size).toBe(1);
    chain.expelled.add(alice.id);
    chain.current = { ...parameters };
    pool.committed(3, []);
    expect(pool.size).toBe(0);
    expect(pool.dismissal(decoded(bytes).id)).toMatchObject({ reject: 'unknown_sender' });
  });

  it('[40] takes back the transactions of a block that was cut off, but not committed ones', async () => {
    const { nodes } = await startNodes(['a']);
    const { pool, chain } = nodes[0]!;
    const [kept, done] = ['kept', 'done'].map(text => makeWrapper(alice, { chainId, text }));
    const references = [decoded(kept!), decoded(done!)];
    const ids = references.map(({ id }) => id);
    chain.stored.set(ids[0]!, kept!);
    chain.committed.set(ids[1]!, done!);
    pool.returned(references);
    expect(pool.get(ids[0]!)?.bytes).toEqual(kept);
    expect(pool.get(ids[1]!)).toBeNull();
  });
});

describe('gossip', () => {
  it('brings an accepted transaction to every validator, and a bad one does not hold up its neighbours [72]', async () => {
    const { nodes } = await startNodes(['a', 'b', 'c']);
    const [a, b, c] = nodes as [TestNode, TestNode, TestNode];
    const bodies = ['1', '2', '3'].map(text => makeWrapper(alice, { chainId, text }));
    await Promise.all(bodies.map(bytes => a.pool.submit(bytes)));
    await Promise.all([b.holds(3), c.holds(3)]);
    const good = decodeSignedTransaction(makeWrapper(bob, { chainId, text: 'bad' })) as SignedTransaction;
    const bad = encodeSignedTransaction({ ...good, signature: new Uint8Array(64).fill(1) });
    const frame = poolFrameCodec.encode({
      kind: 'bodies',
      transactions: [bad, makeWrapper(bob, { chainId, text: 'good' })],
    });
    a.transport.send('b', '/phaseline/pool/1', frame);
    await b.holds(4);
    expect(b.pool.size).toBe(4);
  });

  it('tells a peer that connects late what is pending, and the peer fetches it', async () => {
    const { network, nodes } = await startNodes(['a', 'b']);
    const [a, b] = nodes as [TestNode, TestNode];
    network.cut('a', 'b');
    for (let index = 0; index < 30; index += 1) {
      await a.pool.submit(makeWrapper(alice, { chainId, text: `${index}`, bytes: 30_000 }));
    }
    expect(b.pool.size).toBe(0);
    network.heal('a', 'b');
    await b.holds(30);
  });

  it('collects the exact wrappers a proposal names, from the inbox, the store or peers, and never taints an id', async () => {
    const { nodes } = await startNodes(['a', 'b']);
    const [a, b] = nodes as [TestNode, TestNode];
    const [first, second] = otherWrapper('twice');
    const reference = ({ id, wrapperHash }: Transaction) => ({ id, wrapperHash });
    expect(decoded(first).id).toBe(decoded(second).id);
    expect(decoded(first).wrapperHash).not.toBe(decoded(second).wrapperHash);
    await a.pool.submit(first);
    await b.holds(1);
    a.chain.stored.set(decoded(second).id, second);
    const { signal } = new AbortController();
    const found = await b.pool.collect(
      [reference(decoded(second)), reference(decoded(first))],
      ['a'],
      signal,
    );
    expect(found.map(entry => entry?.transaction.wrapperHash)).toEqual([
      decoded(second).wrapperHash,
      decoded(first).wrapperHash,
    ]);
    expect(b.pool.get(decoded(first).id)?.transaction.wrapperHash).toBe(decoded(first).wrapperHash);
    const unknown = decoded(makeWrapper(bob, { chainId, text: 'nowhere' }));
    expect(await b.pool.collect([reference(unknown)], ['a', 'gone'], signal)).toEqual([null]);
  });

  it('[32][93] a peer that sends undecodable frames is dropped', async () => {
    const { nodes } = await startNodes(['a', 'b']);
    const [a, b] = nodes as [TestNode, TestNode];
    const lost = new Promise<string>(resolve =>
      b.transport.onEvents({ connected: () => {}, disconnected: resolve }),
    );
    a.transport.send('b', '/phaseline/pool/1', new Uint8Array([255, 255]));
    expect(await lost).toBe('a');
  });
});

/** Waits that a test ends. */
function gates() {
  const open: (() => void)[] = [];
  return { open, aside: () => new Promise<void>(resolve => open.push(resolve)) };
}

const turns = async (count: number) => {
  for (let turn = 0; turn < count; turn += 1) await new Promise(resolve => setImmediate(resolve));
};

describe('signatures that are verified aside', () => {
  it('keep the order of arrival, and a proposal waits for them', async () => {
    const { nodes } = await startNodes(['a', 'b']);
    const [a, b] = nodes as [TestNode, TestNode];
    const { open, aside } = gates();
    const texts = ['first', 'second', 'third'];
    const wrappers = texts.map(text => makeWrapper(alice, { chainId, text }));
    const ids = wrappers.map(bytes => decoded(bytes).id);
    // the second needs no other thread, and may not overtake the first
    b.chain.aside = transaction => (transaction.id === ids[1] ? null : aside());
    await Promise.all(wrappers.map(bytes => a.pool.submit(bytes)));
    await turns(5);
    expect(open).toHaveLength(2);
    expect(b.pool.size).toBe(0);
    const references = wrappers.map(bytes => {
      const { id, wrapperHash } = decoded(bytes);
      return { id, wrapperHash };
    });
    const collected = b.pool.collect(references, [], new AbortController().signal);
    for (const end of open.toReversed()) end();
    expect((await collected).map(entry => entry?.transaction.id)).toEqual(ids);
    expect(b.pool.take(takeAll, () => false).map(entry => entry.transaction.id)).toEqual(ids);
  });

  it('are judged by the state after the wait', async () => {
    const { nodes } = await startNodes(['a']);
    const [a] = nodes as [TestNode];
    const { open, aside } = gates();
    a.chain.aside = aside;
    const bytes = makeWrapper(alice, { chainId, text: 'meanwhile' });
    const { id } = decoded(bytes);
    const twice = [a.pool.submit(bytes), a.pool.submit(bytes)];
    const late = a.pool.submit(makeWrapper(alice, { chainId, text: 'late' }));
    open[0]?.();
    expect(await twice[0]).toEqual({ id, status: 'pending' });
    a.pool.committed(2, [id]);
    a.chain.committed.set(id, bytes);
    a.chain.expelled.add('alice');
    open[1]?.();
    expect(await twice[1]).toEqual({ id, status: 'committed' });
    open[2]?.();
    expect(await late).toMatchObject({ reject: 'unknown_sender' });
    expect(a.pool.size).toBe(0);
  });

  it('end with the pool, which takes nothing then', async () => {
    const { nodes } = await startNodes(['a', 'b']);
    const [a, b] = nodes as [TestNode, TestNode];
    const { open, aside } = gates();
    a.chain.aside = aside;
    b.chain.aside = aside;
    const own = a.pool.submit(makeWrapper(alice, { chainId, text: 'own' }));
    b.transport.send(
      'a',
      '/phaseline/pool/1',
      poolFrameCodec.encode({
        kind: 'bodies',
        transactions: [makeWrapper(bob, { chainId, text: 'gossiped' })],
      }),
    );
    await turns(5);
    expect(open).toHaveLength(2);
    a.pool.stop();
    a.chain.checkAdmission = () => {
      throw new Error('the store is closed');
    };
    for (const end of open) end();
    expect(await own).toMatchObject({ reject: 'not_ready' });
    await turns(5);
    expect(a.pool.size).toBe(0);
  });
});
