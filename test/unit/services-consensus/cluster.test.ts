import { afterEach, describe, expect, it } from 'vitest';
import { isReject } from '../../../src/core/base/reject.ts';
import { Cluster, type ClusterOptions } from './cluster.ts';

let cluster: Cluster | null = null;
afterEach(async () => {
  await cluster?.stop();
  expect(cluster?.fatal ?? []).toEqual([]);
  cluster = null;
});

async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  cluster = new Cluster(options);
  await cluster.start();
  await cluster.until(() => cluster!.running.every(node => node.chain.connectedValidators().length === 3));
  return cluster;
}

describe('four consensus nodes', () => {
  it('[1] transactions submitted at all nodes give identical chains', async () => {
    const net = await startCluster();
    const ids: string[] = [];
    for (let round = 0; round < 10; round += 1) {
      const batch = [...net.transactions(4, net.alice), ...net.transactions(4, net.bob)];
      const answers = await Promise.all(batch.map(({ bytes }, at) => net.node(at % 4).pool.submit(bytes)));
      expect(answers.filter(isReject)).toEqual([]);
      ids.push(...batch.map(({ id }) => id));
    }
    await net.committed(ids as never);
    await net.sameHead();
    const chains = [0, 1, 2, 3].map(index => net.chain(index));
    for (const chain of chains) expect(chain).toEqual(chains[0]);
    const counts = net.running.map(node => node.consensus.counters.transactions);
    expect(counts).toEqual([80, 80, 80, 80]);
    expect(net.running.map(node => node.pool.size)).toEqual([0, 0, 0, 0]);
  });

  it('[73] the same transaction sent to every node many times is executed once', async () => {
    const net = await startCluster();
    const batch = net.transactions(5);
    for (let round = 0; round < 5; round += 1) {
      await Promise.all(net.running.flatMap(node => batch.map(({ bytes }) => node.pool.submit(bytes))));
    }
    await net.committed(batch.map(({ id }) => id));
    await Promise.all(net.running.flatMap(node => batch.map(({ bytes }) => node.pool.submit(bytes))));
    const after = net.transaction();
    await net.node(0).pool.submit(after.bytes);
    await net.committed([after.id]);
    expect(net.running.map(node => node.consensus.counters.transactions)).toEqual([6, 6, 6, 6]);
  });

  it('[43][61] the leader stops, the others go on; it comes back and catches up', async () => {
    const net = await startCluster();
    const first = net.transactions(3);
    await Promise.all(first.map(({ bytes }) => net.node(1).pool.submit(bytes)));
    await net.committed(first.map(({ id }) => id));
    await net.stop(0);
    const second = net.transactions(3, net.bob);
    await Promise.all(second.map(({ bytes }) => net.node(2).pool.submit(bytes)));
    await net.committed(second.map(({ id }) => id));
    expect(net.running.every(node => node.consensus.status().view > 0)).toBe(true);
    await net.start(0);
    await net.committed([...first, ...second].map(({ id }) => id));
    const third = net.transactions(3);
    await Promise.all(third.map(({ bytes }) => net.node(0).pool.submit(bytes)));
    await net.committed(third.map(({ id }) => id));
    await net.sameHead();
    expect(net.chain(0)).toEqual(net.chain(3));
  });

  it('[14] all nodes stop and start again on the same disks, and go on with the same chain', async () => {
    const net = await startCluster();
    const first = net.transactions(10);
    await Promise.all(first.map(({ bytes }) => net.node(0).pool.submit(bytes)));
    await net.committed(first.map(({ id }) => id));
    await net.sameHead();
    const before = net.chain(2);
    await net.stop();
    await net.start();
    expect(net.chain(2).slice(0, before.length)).toEqual(before);
    const second = net.transactions(10, net.bob);
    await Promise.all(second.map(({ bytes }, at) => net.node(at % 4).pool.submit(bytes)));
    await net.committed(second.map(({ id }) => id));
    await net.sameHead();
    expect(net.chain(3)).toEqual(net.chain(1));
    expect(net.chain(3).slice(0, before.length)).toEqual(before);
  });

  it('[3] a block closes by count and by bytes, and members share it', async () => {
    const bytesMax = 2000;
    const net = await startCluster({
      parameters: {
        blockTransactionsMax: 4,
        memberTransactionsPerBlockMax: 3,
        transactionBytesMax: bytesMax,
        memberBytesPerBlockMax: bytesMax,
        blockBytesMax: bytesMax,
      },
    });
    const batch = [...net.transactions(20, net.alice), ...net.transactions(4, net.bob)];
    await Promise.all(batch.map(({ bytes }) => net.node(0).pool.submit(bytes)));
    await net.committed(batch.map(({ id }) => id));
    const sizes = new Map(batch.map(({ id, bytes }) => [id, bytes.length]));
    const heights = net.chain(0).map((_, height) => net.node(0).store.block(height)!.block.entries);
    expect(heights.length).toBeGreaterThan(6);
    for (const entries of heights) {
      expect(entries.length).toBeLessThanOrEqual(4);
      const total = entries.reduce((sum, { id }) => sum + sizes.get(id)!, 0);
      expect(total).toBeLessThanOrEqual(bytesMax);
    }
    const last = Math.max(...batch.slice(20).map(({ id }) => net.node(0).store.locate(id)!.height));
    expect(last).toBeLessThan(heights.length - 1);
  });

  it('[24] a leader that leaves one member out is replaced, and the transaction is committed', async () => {
    const net = await startCluster({ parameters: { viewTimeoutMs: 150 } });
    const { pool } = net.node(0);
    const honest = pool.take.bind(pool);
    pool.take = (limits, skip) =>
      honest(limits, skip).filter(({ transaction }) => transaction.body.sender !== net.bob.id);
    const censored = net.transaction(net.bob);
    await net.node(1).pool.submit(censored.bytes);
    while (net.node(1).store.locate(censored.id) === null) {
      const other = net.transaction(net.alice);
      await net.node(1).pool.submit(other.bytes);
      await net.committed([other.id]);
    }
    const { height } = net.node(1).store.locate(censored.id)!;
    const { view } = net.node(1).store.block(height)!.certificate!;
    expect(net.genesis.validators[view % 4]!.name).not.toBe('v1');
  });

  it('[43] a leader whose connection is lost is replaced long before its view times out', async () => {
    const net = await startCluster({
      parameters: { viewTimeoutMs: 60_000, viewTimeoutMsMax: 60_000 },
      limits: { consensus: { connectionGraceMs: 50 } },
    });
    await net.stop(0);
    const { id, bytes } = net.transaction();
    await net.node(2).pool.submit(bytes);
    await net.committed([id]);
    expect(net.node(2).consensus.status().primary).toBe('v2');
  });
});
