import { afterEach, describe, expect, it } from 'vitest';
import { CONSENSUS_METRICS, createMetrics, NODE_METRICS } from '../../../src/rpc/metrics.ts';
import { Cluster } from './cluster.ts';

let cluster: Cluster | null = null;
afterEach(async () => {
  await cluster?.stop();
  cluster = null;
});

/** Value of a line of the exposition without labels other than these. */
function sampleOf(text: string, line: string): number {
  const found = text.split('\n').find(entry => entry.startsWith(`${line} `));
  return found === undefined ? Number.NaN : Number(found.split(' ').at(-1));
}

describe('metrics of a consensus node', () => {
  it('count blocks, transactions by outcome, views, flushes, commits and refusals', async () => {
    const registry = createMetrics({}, { ...NODE_METRICS, ...CONSENSUS_METRICS });
    const net = new Cluster({ metrics: index => (index === 1 ? registry : null) });
    cluster = net;
    await net.start();
    const batch = net.transactions(5);
    await Promise.all(batch.map(({ bytes }) => net.node(1).pool.submit(bytes)));
    await net.committed(batch.map(({ id }) => id));
    await net.node(1).pool.submit(new Uint8Array(3));
    const late = net.transaction();
    await net.stop(0);
    await net.node(1).pool.submit(late.bytes);
    await net.committed([late.id]);
    const { text } = await registry.expose();
    const blocks = sampleOf(text, 'phaseline_blocks_committed_total');
    expect(blocks).toBe(net.node(1).chain.headHeight());
    expect(sampleOf(text, 'phaseline_transactions_committed_total{outcome="committed"}')).toBe(6);
    expect(sampleOf(text, 'phaseline_commit_seconds_count')).toBe(blocks);
    expect(sampleOf(text, 'phaseline_wal_flush_seconds_count')).toBeGreaterThan(blocks);
    expect(sampleOf(text, 'phaseline_view_changes_total')).toBeGreaterThan(0);
    expect(sampleOf(text, 'phaseline_pool_refused_total{reason="malformed"}')).toBe(1);
  });
});
