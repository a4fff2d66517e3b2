import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { assertDefined } from '../core/base/assert.ts';
import type { Metrics } from '../ports/metrics.ts';

type MetricType = 'counter' | 'gauge' | 'histogram';
type Row = readonly [type: MetricType, help: string, labels: readonly string[]];

type Table = Readonly<Record<string, Row>>;

/** What every node fills; histograms are in seconds. */
export const NODE_METRICS: Table = {
  phaseline_head_height: ['gauge', 'Height of the highest block that this node verified.', []],
  phaseline_head_time_seconds: ['gauge', 'Unix time of that block.', []],
  phaseline_ready: ['gauge', '1 when the node is ready.', []],
  phaseline_peers_connected: ['gauge', 'Peers that are connected.', []],
  phaseline_rpc_calls_total: ['counter', 'RPC calls, by method and result.', ['method', 'result']],
  phaseline_rpc_call_seconds: ['histogram', 'Time to answer an RPC call.', ['method']],
  phaseline_rpc_refused_total: ['counter', 'HTTP requests refused before any method ran.', ['reason']],
  phaseline_rpc_websockets: ['gauge', 'Open WebSocket connections.', []],
  phaseline_rpc_subscriptions: ['gauge', 'Running subscriptions.', []],
};

/** What a consensus node fills besides. */
export const CONSENSUS_METRICS: Table = {
  phaseline_view: ['gauge', 'Current view of the consensus.', []],
  phaseline_validator_set: ['gauge', 'Id of the validator set that decides the next height.', []],
  phaseline_evidence_recorded: ['gauge', 'Pieces of evidence against validators on chain.', []],
  phaseline_view_changes_total: ['counter', 'Times that this node entered another view.', []],
  phaseline_blocks_committed_total: ['counter', 'Blocks that this node committed.', []],
  phaseline_transactions_committed_total: [
    'counter',
    'Transactions in those blocks, by outcome.',
    ['outcome'],
  ],
  phaseline_commit_seconds: ['histogram', 'From the proposal of a block to its commit on this node.', []],
  phaseline_wal_flush_seconds: ['histogram', 'One flush of the write-ahead log to the disk.', []],
  phaseline_pool_transactions: ['gauge', 'Transactions that wait in the pool.', []],
  phaseline_pool_bytes: ['gauge', 'Bytes of those transactions.', []],
  phaseline_pool_refused_total: ['counter', 'Transactions that the pool refused, by reason.', ['reason']],
};

const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

export interface MetricsRegistry extends Metrics {
  /** Runs before each exposition: for gauges that are read rather than pushed. */
  onCollect(collect: (metrics: Metrics) => void): void;
  /** Prometheus text format. */
  expose(): Promise<{ readonly contentType: string; readonly text: string }>;
}

/**
 * @param defaultLabels on every line, such as the node's name
 * @param table what this role fills
 */
export function createMetrics(
  defaultLabels: Readonly<Record<string, string>> = {},
  table: Table = NODE_METRICS,
): MetricsRegistry {
  const registry = new Registry();
  registry.setDefaultLabels(defaultLabels);
  const counters = new Map<string, Counter>();
  const gauges = new Map<string, Gauge>();
  const histograms = new Map<string, Histogram>();
  const collectors: ((metrics: Metrics) => void)[] = [];
  for (const [name, [type, help, labels]] of Object.entries(table)) {
    const options = { name, help, labelNames: [...labels], registers: [registry] };
    if (type === 'counter') counters.set(name, new Counter(options));
    else if (type === 'gauge') gauges.set(name, new Gauge(options));
    else histograms.set(name, new Histogram({ ...options, buckets: SECONDS }));
  }
  const find = <T>(map: Map<string, T>, name: string): T =>
    assertDefined(map.get(name), `a metric of the table: ${name}`);
  const metrics: MetricsRegistry = {
    count: (name, labels = {}, by = 1) => find(counters, name).inc(labels, by),
    gauge: (name, value, labels = {}) => find(gauges, name).set(labels, value),
    observe: (name, seconds, labels = {}) => find(histograms, name).observe(labels, seconds),
    onCollect: collect => collectors.push(collect),
    expose: async () => {
      for (const collect of collectors) collect(metrics);
      return { contentType: registry.contentType, text: await registry.metrics() };
    },
  };
  return metrics;
}
