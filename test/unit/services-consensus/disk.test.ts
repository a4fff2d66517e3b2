import { afterEach, describe, expect, it } from 'vitest';
import type { ProjectId } from '../../../src/core/base/ids.ts';
import { isReject } from '../../../src/core/base/reject.ts';
import type { Transaction } from '../../../src/core/types/transaction.ts';
import type { KeyValueStore } from '../../../src/ports/kv.ts';
import { OperatingError } from '../../../src/ports/lifecycle.ts';
import { corrupt } from '../../../src/store/checksum.ts';
import { keys } from '../../../src/store/keyspaces.ts';
import { MemoryStore } from '../../../src/store/memory-store.ts';
import { MemoryWal } from '../../../src/store/memory-wal.ts';
import type { MendingChainStore } from '../../../src/store/mending-chain-store.ts';
import { hashOf } from '../../support/ledger-kit.ts';
import { Cluster, type ClusterOptions } from './cluster.ts';

let cluster: Cluster | null = null;
afterEach(async () => {
  await cluster?.stop();
  cluster = null;
});

function newCluster(options: ClusterOptions): Cluster {
  cluster = new Cluster({ ...options, parameters: { viewTimeoutMs: 2000 } });
  return cluster;
}

async function commitBlocks(net: Cluster, count: number, nodes = net.running): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    const { id, bytes } = net.transaction();
    const answer = await net.node(0).pool.submit(bytes);
    if (isReject(answer)) throw new Error(answer.detail);
    await net.committed([id], nodes);
  }
}

/** A disk of which some values cannot be read, and that takes no more than some writes. */
class PoorDisk implements KeyValueStore {
  readonly rotten = new Set<string>();
  writesLeft = Number.POSITIVE_INFINITY;

  constructor(private readonly inner = new MemoryStore()) {}

  open = () => this.inner.open();
  close = () => this.inner.close();
  entries: KeyValueStore['entries'] = range => this.inner.entries(range);

  get(key: string): Uint8Array | null {
    if (this.rotten.has(key)) throw corrupt(key);
    return this.inner.get(key);
  }

  async batch(...[operations, options]: Parameters<KeyValueStore['batch']>): Promise<void> {
    this.writesLeft -= 1;
    if (this.writesLeft < 0)
      throw new OperatingError('write_failed', 'no space left on device', 'Free some.');
    for (const { key } of operations) this.rotten.delete(key);
    await this.inner.batch(operations, options);
  }
}

describe('a disk that rots', () => {
  it('[68] blocks, transactions and leaves are noticed when they are read, and repaired from peers', async () => {
    const disk = new PoorDisk();
    const wal = new MemoryWal();
    const net = newCluster({ disk: index => (index === 3 ? { kv: disk, wal } : plainDisk()) });
    await net.start();
    await commitBlocks(net, 6);
    await net.sameHead();
    // a node that has just started has nothing in its caches
    await net.stop(3);
    await net.start(3);
    await net.until(() => net.node(3).chain.connectedValidators().length === 3);
    const { store, repairer } = net.node(3);
    const good = net.node(0).store;
    const { id, wrapperHash } = good.block(4)!.block.entries[0]!;
    const named = net.ledger.transactions.get(good.block(2)!.block.entries[0]!.id)!;
    const logId = named.body.scopes[0]!;
    const reads: [string, () => unknown, () => unknown][] = [
      [keys.block(3), () => store.block(3), () => good.block(3)],
      [keys.wrapper(wrapperHash), () => store.transaction(id), () => good.transaction(id)],
      [keys.leaf(logId, 0), () => store.leaves(logId, 0, 1, 1), () => good.leaves(logId, 0, 1, 1)],
      [keys.leafHashPage(logId, 0), () => store.leafHashes(logId, 0, 1), () => good.leafHashes(logId, 0, 1)],
    ];
    for (const [key, read, expected] of reads) {
      disk.rotten.add(key);
      expect(read).toThrow(expect.objectContaining({ code: 'corrupt' }));
      await repairer.idle();
      expect(disk.rotten.has(key)).toBe(false);
      expect(read()).toEqual(expected());
    }
    await commitBlocks(net, 1);
    expect(net.fatal).toEqual([]);
  });

  it('[68] rot in old blocks does not end a node that deletes their transactions: it deletes them when they are repaired', async () => {
    const window = 8;
    const disk = new PoorDisk();
    const wal = new MemoryWal();
    const net = new Cluster({
      disk: index => (index === 3 ? { kv: disk, wal } : plainDisk()),
      parameters: { viewTimeoutMs: 2000, replayWindowBlocks: window },
      keepBlocks: index => (index === 3 ? window : null),
      limits: { keepMarginBlocks: 0, sync: { snapshotPeriodMs: 1 } },
    });
    cluster = net;
    await net.start();
    const commit = async (upTo: number) => {
      for (let height = net.node(0).chain.headHeight(); height < upTo; height += 1) {
        const { id, bytes } = net.transaction(net.alice, height + window - 1);
        const answer = await net.node(0).pool.submit(bytes);
        if (isReject(answer)) throw new Error(answer.detail);
        await net.committed([id]);
      }
    };
    await commit(6);
    await net.sameHead();
    await net.stop(3);
    disk.rotten.add(keys.block(2));
    disk.rotten.add(keys.wrapper(net.node(0).store.block(4)!.block.entries[0]!.wrapperHash));
    await net.start(3);
    await net.until(() => net.node(3).chain.connectedValidators().length === 3);
    await commit(24);
    await net.sameHead();
    await net.until(() => net.fatal.length > 0 || net.node(3).store.history.bodiesFrom > 5);
    expect(net.fatal).toEqual([]);
    expect(disk.rotten.size).toBe(0);
  });

  it('[68] a value is repaired though what it is checked against is damaged too', async () => {
    const disk = new PoorDisk();
    const wal = new MemoryWal();
    const net = newCluster({ disk: index => (index === 3 ? { kv: disk, wal } : plainDisk()) });
    await net.start();
    await commitBlocks(net, 6);
    await net.sameHead();
    await net.stop(3);
    await net.start(3);
    await net.until(() => net.node(3).chain.connectedValidators().length === 3);
    const { store, repairer } = net.node(3);
    const good = net.node(0).store;
    const { id, wrapperHash } = good.block(2)!.block.entries[0]!;
    const rotten = [keys.wrapper(wrapperHash), keys.block(2), keys.block(3), keys.block(4)];
    for (const key of rotten) disk.rotten.add(key);
    expect(() => store.transaction(id)).toThrow(expect.objectContaining({ code: 'corrupt' }));
    await repairer.idle();
    expect(store.block(4)).toEqual(good.block(4));
    expect(() => store.block(3)).not.toThrow();
    expect(() => store.block(2)).toThrow(expect.objectContaining({ code: 'corrupt' }));
    await repairer.idle();
    expect(store.block(2)).toEqual(good.block(2));
    expect(() => store.transaction(id)).toThrow(expect.objectContaining({ code: 'corrupt' }));
    await repairer.idle();
    expect(store.transaction(id)).toEqual(good.transaction(id));
    expect(net.fatal).toEqual([]);
  });

  it('[68] a transaction is repaired from a peer that holds it and has not its block', async () => {
    const disk = new PoorDisk();
    const wal = new MemoryWal();
    const net = newCluster({ disk: index => (index === 3 ? { kv: disk, wal } : plainDisk()) });
    await net.start(0, 1, 2);
    await commitBlocks(net, 2);
    // it has been away all the time, and was given no more than the transactions
    const bodies = [1, 2].flatMap(height => {
      const { store } = net.node(0);
      return store.block(height)!.block.entries.map(({ id, wrapperHash }) => ({
        ...{ type: 'put' as const, key: keys.wrapper(wrapperHash) },
        value: store.transaction(id)!,
      }));
    });
    await net.start(3);
    await net.sameHead();
    await net.stop(0, 1, 2, 3);
    const poor = plainDisk();
    await poor.kv.open();
    await poor.kv.batch(bodies, { sync: true });
    net.disks[0] = poor;
    const { key } = bodies[1]!;
    disk.rotten.add(key);
    await net.start(0, 3);
    await net.until(() => net.node(0).chain.headHeight() === 2);
    expect(disk.rotten).toEqual(new Set());
    expect(net.fatal).toEqual([]);
  });

  it('[53][68] a page of leaves is repaired whole, however short the answers are and whatever came meanwhile', async () => {
    const disk = new PoorDisk();
    const wal = new MemoryWal();
    const net = newCluster({
      disk: index => (index === 3 ? { kv: disk, wal } : plainDisk()),
      // one leaf an answer
      limits: { sync: { answerBytesTarget: 1 } },
    });
    await net.start();
    const { alice, ledger } = net;
    const project = hashOf('the project') as ProjectId;
    const logId = ledger.logId('project', project);
    const write = async ({ id }: Transaction) => {
      await net.node(0).pool.submit(ledger.wrappers.get(id)!);
      await net.committed([id]);
    };
    await write(ledger.make(alice, 'projectCreate', [logId], [{ project, card: new Uint8Array(90) }]));
    const archive = () =>
      write(ledger.make(alice, 'projectArchive', [logId], [{ project, expectedVersion: 0 }]));
    // once done and then refused: a leaf each time
    for (let round = 0; round < 5; round += 1) await archive();
    await net.sameHead();
    await net.stop(3);
    await net.start(3);
    await net.until(() => net.node(3).chain.connectedValidators().length === 3);
    const { store, repairer } = net.node(3);
    const good = net.node(0).store;
    const size = good.logSize(logId);
    expect(size).toBeGreaterThan(4);
    disk.rotten.add(keys.leaf(logId, 1));
    expect(() => store.leaves(logId, 0, 2, 2)).toThrow(expect.objectContaining({ code: 'corrupt' }));
    await repairer.idle();
    expect(store.leafHashes(logId, 0, size)).toEqual(good.leafHashes(logId, 0, size));
    const hashes = good.leafHashes(logId, 0, size);
    const leaves = good.leaves(logId, 0, size, size).map(({ leaf, transactionId }, position) => ({
      ...{ logId, position, leaf, transactionId },
      leafHash: hashes[position]!,
    }));
    await archive();
    await net.sameHead();
    await (store as MendingChainStore).mend({ kind: 'leaves', leaves });
    expect(store.leafHashes(logId, 0, size + 1)).toEqual(good.leafHashes(logId, 0, size + 1));
    expect(net.fatal).toEqual([]);
  });
});

describe('a disk that is slow', () => {
  it('[36] a block is committed when the NEW-VIEW that it came of is archived: a conflict would be traced by it', async () => {
    const inner = new MemoryStore();
    let release = () => {};
    const archived = new Promise<void>(resolve => {
      release = resolve;
    });
    let isAsked = false;
    const kv: KeyValueStore = {
      open: () => inner.open(),
      close: () => inner.close(),
      get: key => inner.get(key),
      entries: range => inner.entries(range),
      batch: async (operations, options) => {
        if (operations.some(({ key }) => key === 'views/index')) {
          isAsked = true;
          await archived;
        }
        await inner.batch(operations, options);
      },
    };
    const net = newCluster({ disk: index => (index === 3 ? { kv, wal: new MemoryWal() } : plainDisk()) });
    await net.start();
    await commitBlocks(net, 1);
    const { store } = net.node(3);
    await net.stop(0);
    const [first, second] = [net.node(1), net.node(2)];
    for (let round = 0; round < 4; round += 1) {
      const { id, bytes } = net.transaction();
      await first.pool.submit(bytes);
      await net.committed([id], [first, second]);
    }
    expect(isAsked).toBe(true);
    expect(store.head()!.block.header.height).toBe(1);
    release();
    await net.sameHead();
    expect(net.fatal).toEqual([]);
  });
});

function plainDisk() {
  return { kv: new MemoryStore(), wal: new MemoryWal() };
}

describe('a disk that is full', () => {
  it.each([0, 1, 2, 3, 4, 5, 6, 7])(
    '[10][69] after %i more writes: a clean stop that says so, and a clean start',
    async left => {
      const disk = new PoorDisk();
      const wal = new MemoryWal();
      const net = newCluster({ disk: index => (index === 3 ? { kv: disk, wal } : plainDisk()) });
      await net.start();
      await commitBlocks(net, 2);
      disk.writesLeft = left;
      const others = [0, 1, 2].map(index => net.node(index));
      await commitBlocks(net, 8, others);
      await net.until(() => net.fatal.length > 0);
      expect(net.fatal).toEqual([expect.objectContaining({ code: 'write_failed' })]);
      await net.stop(3);
      disk.writesLeft = Number.POSITIVE_INFINITY;
      net.fatal.length = 0;
      await net.start(3);
      await net.sameHead();
      await commitBlocks(net, 1);
      expect(net.chain(3)).toEqual(net.chain(0));
      expect(net.fatal).toEqual([]);
    },
  );
});
