import { afterEach, describe, expect, it } from 'vitest';
import { isReject } from '../../../src/core/base/reject.ts';
import type { KeyValueStore, KvOperation, KvRange } from '../../../src/ports/kv.ts';
import { type Logger, silentLogger } from '../../../src/ports/logger.ts';
import { DamagedValue, sealValue, unsealValue } from '../../../src/store/checksum.ts';
import { keys } from '../../../src/store/keyspaces.ts';
import { MemoryStore } from '../../../src/store/memory-store.ts';
import { MemoryWal } from '../../../src/store/memory-wal.ts';
import { KvStateRebuild } from '../../../src/store/state-rebuild.ts';
import { GovernanceActions } from '../../support/governance-actions.ts';
import { Cluster, type ClusterOptions } from './cluster.ts';

const WINDOW = 8;
let cluster: Cluster | null = null;
afterEach(async () => {
  await cluster?.stop();
  cluster = null;
});

/** A database on a disk of which bits can turn: values carry their checksums, as in LevelDB. */
class RottingDisk implements KeyValueStore {
  private readonly inner = new MemoryStore();
  /** Read damaged by the next look at it only. */
  misread: string | null = null;

  open = () => this.inner.open();
  close = () => this.inner.close();

  get(key: string): Uint8Array | null {
    if (key === this.misread) {
      this.misread = null;
      throw new DamagedValue(key);
    }
    const sealed = this.inner.get(key);
    return sealed === null ? null : unsealValue(key, sealed);
  }

  async batch(operations: readonly KvOperation[], options: { readonly sync: boolean }): Promise<void> {
    const sealed = operations.map(operation =>
      operation.type === 'put'
        ? { ...operation, value: sealValue(operation.key, operation.value) }
        : operation,
    );
    await this.inner.batch(sealed, options);
  }

  async *entries(range: KvRange): AsyncIterable<readonly [string, Uint8Array]> {
    for await (const [key, sealed] of this.inner.entries(range)) yield [key, unsealValue(key, sealed)];
  }

  /** Keys that match, while the node is down. */
  async keys(pattern: RegExp): Promise<string[]> {
    await this.inner.open();
    const found: string[] = [];
    for await (const [key] of this.inner.entries({ from: '', to: '~' }))
      if (pattern.test(key)) found.push(key);
    return found;
  }

  /** Turns a bit of every value whose key matches. */
  async rot(pattern: RegExp): Promise<string[]> {
    const found = await this.keys(pattern);
    for (const [index, key] of found.entries()) {
      const value = this.inner.get(key)!;
      const at = index % value.length;
      value[at] = value[at]! ^ (1 << (index % 8));
      await this.inner.batch([{ type: 'put', key, value }], { sync: true });
    }
    return found;
  }
}

/** Node 3 is on a disk that rots; `said` are its lines. */
function newCluster(options: ClusterOptions = {}) {
  const disk = new RottingDisk();
  const wal = new MemoryWal();
  const said: string[] = [];
  const logger: Logger = {
    ...silentLogger,
    warn: (_fields, words) => said.push(words),
    info: (_fields, words) => said.push(words),
    child: () => logger,
  };
  const rotting = (options.names ?? ['v1', 'v2', 'v3', 'v4']).length - 1;
  const net = new Cluster({
    parameters: { replayWindowBlocks: WINDOW, viewTimeoutMs: 2000 },
    logger: {
      ...silentLogger,
      child: fields => ('node' in fields && fields.node === 'v4' ? logger : silentLogger),
    },
    ...options,
    limits: { keepMarginBlocks: 0, sync: { snapshotPeriodMs: 1, retryMs: 20, penaltyMs: 50 } },
    disk: index => (index === rotting ? { kv: disk, wal } : { kv: new MemoryStore(), wal: new MemoryWal() }),
  });
  cluster = net;
  return { net, disk, said };
}

async function commitBlocks(net: Cluster, count: number, nodes = net.running): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    const node = nodes[0]!;
    const { id, bytes } = net.transaction(net.alice, node.chain.headHeight() + WINDOW - 1);
    const answer = await node.pool.submit(bytes);
    if (isReject(answer)) throw new Error(answer.detail);
    await net.committed([id], nodes);
  }
}

const damaged = expect.objectContaining({
  code: 'corrupt',
  message: expect.stringMatching(/^the stored value of ".*" is damaged$/),
  hint: expect.stringContaining('Start the node again: it builds its state anew before it votes;'),
});

/** Enough for the store to look for what has outlived its time, which it does not at each block. */
const BLOCKS_TO_NOTICE = 8;

/** Starts node 3 until it stays, with work for it to do; what ended it must be the damage, by name. */
async function comesBack(net: Cluster): Promise<number> {
  const others = [0, 1, 2].map(index => net.node(index));
  for (let ends = 0; ends < 3; ends += 1) {
    try {
      await net.start(3);
      await commitBlocks(net, BLOCKS_TO_NOTICE, others);
      const isThere = () => net.node(3).chain.headHeight() === others[0]!.chain.headHeight();
      await net.until(() => net.fatal.length > 0 || (isThere() && net.node(3).rebuild.target === null));
      if (net.fatal.length === 0) return ends;
      for (const error of net.fatal.splice(0)) expect(error).toEqual(damaged);
    } catch (error) {
      expect(error).toEqual(damaged);
    }
    await net.stop(3);
  }
  throw new Error('node 3 ends again and again');
}

/** Its chain is that of the others, and its vote counts as before. */
async function isWholeAndVotes(net: Cluster): Promise<void> {
  await net.sameHead();
  const { store, signing, chain } = net.node(3);
  expect(store.head()!.hash).toBe(net.node(1).store.head()!.hash);
  expect(signing.observes(chain.validatorSet())).toBeNull();
  // without it there is no quorum now
  await net.stop(1);
  await commitBlocks(net, 2);
  await net.sameHead();
  expect(store.head()!.hash).toBe(net.node(0).store.head()!.hash);
  expect(net.node(3).consensus.status().seat).toBe(3);
  expect(net.fatal).toEqual([]);
}

const WHOLE = 'the state is whole again';
const ASKED = 'a block is not here whole: asks the other nodes';

describe('a state that rots', () => {
  it.each<[string, RegExp, 'own blocks' | 'peers']>([
    ['the state of the system', /^state\/0\/system$/, 'own blocks'],
    ['rows of logs', /^state\/0\/log\//, 'own blocks'],
    ['everything of the state', /^state\//, 'own blocks'],
    ['map nodes', /^node\//, 'own blocks'],
    ['the index of transactions', /^at\//, 'own blocks'],
    ['leaf hashes beside the state', /^(hashes\/|state\/0\/system)/, 'own blocks'],
    ['the height of the head', /^meta\/head$/, 'own blocks'],
    ['the block of the head', /^block\/0{14}12$/, 'peers'],
    ['state and a block', /^(state\/0\/system|block\/0{15}5)$/, 'peers'],
    ['state and transactions', /^(state\/0\/system|tx\/[0-7].*)$/, 'peers'],
  ])('[68] %s: the node ends, builds it anew and votes again', async (_, pattern, from) => {
    const { net, disk, said } = newCluster();
    await net.start();
    await commitBlocks(net, 12);
    await net.sameHead();
    await net.stop(3);
    expect(await disk.rot(pattern)).not.toEqual([]);
    await comesBack(net);
    expect(said).toContain(WHOLE);
    expect(said.includes(ASKED)).toBe(from === 'peers');
    expect(net.node(3).store.history).toEqual(expect.objectContaining({ baseHeight: 0, bodiesFrom: 1 }));
    await isWholeAndVotes(net);
    // nothing of the old generation is left
    await net.stop(3);
    expect(await disk.keys(/^(state|node|size|stale)\/0\//)).toEqual([]);
    await net.start(3);
    await net.sameHead();
    expect(net.fatal).toEqual([]);
  });

  it.each<[string, RegExp]>([
    ['sizes of logs', /^size\//],
    ['lists of map nodes to delete', /^stale\//],
    ['snapshots for others', /^snapshot\//],
  ])('[68] %s, which nothing reads for long: rebuilt after db repair', async (_, pattern) => {
    const { net, disk, said } = newCluster();
    await net.start();
    await commitBlocks(net, 4);
    await net.sameHead();
    await net.stop(3);
    const rotten = await disk.rot(pattern);
    const rebuild = new KvStateRebuild(disk);
    expect(await rebuild.damaged()).toEqual(rotten);
    await rebuild.demand();
    expect(await comesBack(net)).toBe(0);
    expect(said).toContain(WHOLE);
    await isWholeAndVotes(net);
    await net.stop(3);
    await disk.open();
    expect(await rebuild.damaged()).toEqual([]);
  });

  it('[68] a disk that gave back other bytes once is whole: nothing is rebuilt', async () => {
    const { net, disk, said } = newCluster();
    await net.start();
    await commitBlocks(net, 4);
    await net.sameHead();
    await net.stop(3);
    await disk.open();
    await new KvStateRebuild(disk).suspect();
    expect(await comesBack(net)).toBe(0);
    expect(said).not.toContain(WHOLE);
    expect(disk.get(keys.rebuild)).toBeNull();
    await isWholeAndVotes(net);
  });

  it('[68] after db repair the state is built anew though every value that is left is whole', async () => {
    const { net, disk, said } = newCluster();
    await net.start();
    await commitBlocks(net, 4);
    await net.sameHead();
    await net.stop(3);
    const lost = await disk.keys(/^(node|size)\//);
    await disk.batch(
      lost.map(key => ({ type: 'delete', key })),
      { sync: true },
    );
    await new KvStateRebuild(disk).demand();
    expect(await comesBack(net)).toBe(0);
    expect(said).toContain(WHOLE);
    await isWholeAndVotes(net);
  });

  it('[50][68] a node that began with a snapshot takes another one, and its own blocks after it', async () => {
    const { net, disk, said } = newCluster({ keepBlocks: index => (index < 3 ? WINDOW : null) });
    await net.start(0, 1, 2);
    await commitBlocks(net, 24);
    await net.prunedAbove(10, WINDOW - 1);
    await net.start(3);
    await net.until(() => net.node(3).consensus.status().seat === 3);
    await commitBlocks(net, 3);
    await net.sameHead();
    const before = net.node(3).store.history.baseHeight;
    expect(before).toBeGreaterThan(10);
    await net.stop(3);
    await disk.rot(/^(state|node|size|at|leaf|hashes)\//);
    await comesBack(net);
    expect(said).toContain(WHOLE);
    const { store } = net.node(3);
    expect(store.history.baseHeight).toBeGreaterThan(10);
    // no transaction of the replay window is taken twice
    const { height } = store.head()!.block.header;
    for (let at = height; at >= height - WINDOW; at -= 1)
      for (const { id } of store.block(at)!.block.entries) expect(store.state.seen(id)).toBe(at);
    await isWholeAndVotes(net);
  });

  it('[16][68] takes no part before its state is whole, also over crashes, and keeps its right to vote', async () => {
    const { net, disk, said } = newCluster();
    await net.start();
    await commitBlocks(net, 8);
    await net.sameHead();
    await net.stop(3);
    await disk.rot(/^(state\/0\/system|tx\/[0-7].*)$/);
    await expect(net.start(3)).rejects.toEqual(damaged);
    await net.stop(0, 1, 2, 3);
    for (let crash = 0; crash < 2; crash += 1) {
      await net.start(3);
      await net.until(() => said.filter(words => words === ASKED).length > crash);
      const { chain, consensus, rebuild, signing } = net.node(3);
      expect(chain.headHeight()).toBeLessThan(8);
      expect(rebuild.target).toBe(8);
      expect(consensus.status()).toMatchObject({ seat: null, active: false });
      expect(signing.observes(chain.validatorSet())).toBeNull();
      await net.stop(3);
    }
    // two others hold what this node lacks, and decide nothing without it
    await net.start(0, 1, 3);
    await net.until(() => net.node(3).rebuild.target === null);
    await commitBlocks(net, 2);
    await net.sameHead();
    expect(net.node(3).consensus.status().seat).toBe(3);
    expect(net.fatal).toEqual([]);
  });

  it('[16][68] knows what it must reach before it votes, though the note of it is read damaged', async () => {
    const { net, disk } = newCluster();
    await net.start();
    await commitBlocks(net, 6);
    await net.sameHead();
    const height = net.node(3).chain.headHeight();
    await net.stop(3);
    await disk.open();
    await new KvStateRebuild(disk).demand();
    expect(await new KvStateRebuild(disk).begin()).toBe(height);
    // the new state is at genesis when power is lost
    await disk.batch([{ type: 'put', key: keys.head, value: new Uint8Array(8) }], { sync: true });
    disk.misread = keys.rebuild;
    expect(await new KvStateRebuild(disk).begin()).toBe(height);
    await disk.batch([{ type: 'put', key: keys.head, value: new Uint8Array(8) }], { sync: true });
    disk.misread = keys.rebuild;
    await new KvStateRebuild(disk).demand();
    expect(await new KvStateRebuild(disk).begin()).toBe(height);
    await disk.rot(/^(block\/.*|meta\/rebuild)$/);
    await disk.batch([{ type: 'put', key: keys.head, value: new Uint8Array(8) }], { sync: true });
    expect(await new KvStateRebuild(disk).begin()).toBe(height);
  });

  it('[16][68] reaches the highest block that is here, though db repair brought an older head back', async () => {
    const { net, disk } = newCluster();
    await net.start();
    await commitBlocks(net, 6);
    await net.sameHead();
    const height = net.node(3).chain.headHeight();
    await net.stop(3);
    await disk.open();
    const older = new Uint8Array(8);
    older[7] = 2;
    await disk.batch([{ type: 'put', key: keys.head, value: older }], { sync: true });
    await new KvStateRebuild(disk).demand();
    expect(await new KvStateRebuild(disk).begin()).toBe(height);
  });

  it('[68] begins once more where db repair has taken values of the state that was on its way', async () => {
    const { net, disk, said } = newCluster();
    await net.start();
    await commitBlocks(net, 6);
    await net.sameHead();
    await net.stop(3);
    await disk.rot(/^block\/0{15}4$/);
    await new KvStateRebuild(disk).demand();
    await net.stop(0, 1, 2);
    await net.start(3);
    await net.until(() => said.includes(ASKED));
    await net.stop(3);
    const lost = await disk.keys(/^(state|size|node)\/1\//);
    expect(lost).not.toEqual([]);
    await disk.batch(
      lost.map(key => ({ type: 'delete', key })),
      { sync: true },
    );
    await new KvStateRebuild(disk).demand();
    await net.start();
    await net.until(() => net.fatal.length > 0 || net.node(3).rebuild.target === null);
    expect(net.fatal).toEqual([]);
    await isWholeAndVotes(net);
  });

  it('[68] takes no transaction before its state is whole', async () => {
    const { net, disk, said } = newCluster();
    await net.start();
    await commitBlocks(net, 6);
    await net.sameHead();
    await net.stop(3);
    await disk.rot(/^block\/0{15}4$/);
    await new KvStateRebuild(disk).demand();
    await net.stop(0, 1, 2);
    await net.start(3);
    await net.until(() => said.includes(ASKED));
    expect(await net.node(3).submit(net.transaction().bytes)).toMatchObject({ reject: 'unavailable' });
  });

  it('[68] what it has voted for is not known any more: it stops and says so', async () => {
    const { net, disk } = newCluster();
    await net.start();
    await commitBlocks(net, 2);
    await net.sameHead();
    await net.stop(3);
    await disk.rot(/^meta\/signing$/);
    await expect(net.start(3)).rejects.toMatchObject({ code: 'corrupt' });
    await net.stop(3);
    await expect(net.start(3)).rejects.toMatchObject({
      code: 'signing_records_damaged',
      hint: expect.stringContaining('phaseline restore'),
    });
  });
});

describe('a network of one', () => {
  function alone() {
    return newCluster({
      names: ['v1'],
      genesis: plain => ({ ...plain, validators: plain.validators.slice(0, 1) }),
    });
  }

  it('[68] builds its state anew from its own blocks', async () => {
    const { net, disk } = alone();
    await net.start();
    await commitBlocks(net, 6);
    const before = net.chain(0);
    await net.stop();
    await disk.rot(/^(state|node|size|at|leaf|hashes|stale)\//);
    await expect(net.start()).rejects.toEqual(damaged);
    await net.stop();
    await net.start();
    await net.until(() => net.node(0).rebuild.target === null);
    expect(net.chain(0)).toEqual(before);
    await commitBlocks(net, 2);
    expect(net.fatal).toEqual([]);
  });

  it('[68] stops and says so when a block has rotted too', async () => {
    const { net, disk } = alone();
    await net.start();
    await commitBlocks(net, 6);
    await net.stop();
    await disk.rot(/^(state\/0\/system|block\/0{15}4)$/);
    await expect(net.start()).rejects.toEqual(damaged);
    await net.stop();
    await net.start();
    await net.until(() => net.fatal.length > 0);
    expect(net.fatal).toEqual([
      expect.objectContaining({
        code: 'state_lost',
        message:
          'the state is damaged, block 4 of the 6 that give it is not here whole, and no other validator is known',
        hint: 'Name the other validators in the configuration, if there are any, or restore the data directory from a backup.',
      }),
    ]);
    net.fatal.length = 0;
  });

  /** v2 writes some blocks alone, then v1 becomes a validator too. */
  async function joined(configured: readonly string[]) {
    const { net, disk } = newCluster({
      names: ['v1', 'v2'],
      configured,
      genesis: plain => ({ ...plain, validators: plain.validators.slice(1, 2) }),
      parameters: { viewTimeoutMs: 2000 },
    });
    const founder = () => net.node(1);
    const govern = new GovernanceActions(net.ledger, () => founder().store.state);
    await net.start();
    await commitBlocks(net, 3, [founder()]);
    const { id } = govern.propose(net.alice, [govern.add('v1')], { expiresHeight: 40_000 }, 50_000);
    await founder().pool.submit(net.ledger.wrappers.get(id)!);
    await net.until(() => net.running.every(node => node.chain.validatorSet().validators.length === 2));
    await commitBlocks(net, 2);
    await net.sameHead();
    return { net, disk };
  }

  it.each<[string, readonly string[], RegExp]>([
    ['the state that there was', ['v2'], /^block\/0{15}2$/],
    ['the last change of the set', ['v2'], /^(state\/0\/system|block\/0{15}2)$/],
    ['the configuration', ['v1', 'v2'], /^(state\/0\/system|set\/.*|block\/0{15}2)$/],
  ])(
    '[60][68] that others have joined: it asks them for what its disk has lost, by %s',
    async (_, configured, pattern) => {
      const { net, disk } = await joined(configured);
      await net.stop(1);
      expect(await disk.rot(pattern)).not.toEqual([]);
      await new KvStateRebuild(disk).demand();
      await net.start(1);
      await net.until(() => net.fatal.length > 0 || net.node(1).rebuild.target === null);
      expect(net.fatal).toEqual([]);
      await commitBlocks(net, 2);
      await net.sameHead();
      expect(net.node(1).chain.validatorPeers()).toEqual([net.peerId(0)]);
    },
  );

  it('[50][60] that others have joined: it follows them again though its disk is empty and it may not vote', async () => {
    const { net } = await joined(['v1', 'v2']);
    const { height } = net.node(0).store.head()!.block.header;
    await net.stop(1);
    net.disks[1] = { kv: new MemoryStore(), wal: new MemoryWal() };
    await net.start(1);
    await net.until(() => net.node(1).chain.headHeight() === height);
    expect(net.node(1).consensus.status().seat).toBeNull();
    expect(net.fatal).toEqual([]);
  });

  it('[68] stops and says so where it knows of no other validator', async () => {
    const { net, disk } = await joined(['v2']);
    await net.stop(1);
    await disk.rot(/^(state\/0\/system|set\/.*|block\/0{15}2)$/);
    await expect(net.start(1)).rejects.toEqual(damaged);
    await net.stop(1);
    await net.start(1);
    await net.until(() => net.fatal.length > 0);
    expect(net.fatal.splice(0)).toEqual([
      expect.objectContaining({
        code: 'state_lost',
        hint: expect.stringContaining('Name the other validators in the configuration'),
      }),
    ]);
  });
});
