/** A result as `runBenchmark` makes it, with what a test wants to be different. */
export function stepOf(changes: Record<string, unknown> = {}) {
  return {
    ...{ loop: 'closed', rate: null, clients: 512, seconds: 10 },
    ...{
      offered: 10_100,
      accepted: 10_050,
      committed: 10_000,
      failed: 100,
      failedBy: { busy: 50, 'no outcome': 50 },
    },
    ...{ resent: 0, perSecond: 1_000 },
    latency: { count: 10_000, p50Ms: 20, p90Ms: 30, p99Ms: 50, p999Ms: 80, meanMs: 22, maxMs: 90 },
    ...{ processorUs: 500, processorUsByNode: { 'node-1': 140, 'node-2': 120 }, loadProcessorUs: 90 },
    ...{ wireBytes: 3_000, rpcBytes: 1_500, keptBytes: 4_000, writtenBytes: 9_000 },
    residentBytesMax: { 'node-1': 200 * 1024 * 1024, 'node-2': 190 * 1024 * 1024 },
    ...{ blocks: 100, transactionsPerBlock: 100, viewChanges: 0 },
    generated: { records: 12_000, seconds: 5, processorUs: 400, transactionBytes: 829 },
    tenths: Array.from({ length: 100 }, () => 100),
    ...{ fault: null, ...changes },
  };
}

export function resultOf(changes: Record<string, unknown> = {}) {
  return {
    ...{ kind: 'consensus', version: 1 },
    environment: {
      ...{
        commit: 'abcdef123456',
        node: 'v20.20.2',
        system: 'linux 6 x64',
        processors: '2 × some <processor>',
      },
      ...{ memoryMiB: 1024, loadBefore: 0.5 },
    },
    parameters: {
      ...{
        nodes: 4,
        payloadBytes: 250,
        eventLog: false,
        signatures: 'each',
        rate: null,
        clients: 512,
        seconds: 10,
      },
      ...{ warmUpS: 3, to: 'all', killLeaderAtS: null, slow: null, partition: null, delayMs: 0, loss: 0 },
      deadReplica: false,
    },
    ceilings: {
      processors: 2,
      verify: { perSecond: 10_000, processorUs: 100, allPerSecond: 20_000 },
      sign: { perSecond: 20_000, processorUs: 40, allPerSecond: 40_000 },
      sync: { perSecond: 4_000, p50Ms: 0.25, p99Ms: 1 },
      sha256: { small: { perSecond: 700_000, processorUs: 1.4 }, bytesPerSecond: 1.6e9 },
      tcp: { bytesPerSecond: 1e9, roundTripMs: 0.04 },
      noise: { bytesPerSecond: 3e8, processorUsPerMiB: 4_000, roundTripMs: 0.2 },
    },
    criticalPath: { steps: [{ what: 'fdatasync', count: 4, ms: 0.25 }], totalMs: 8 },
    ...{
      idle: null,
      load: stepOf(),
      last: null as object | null,
      tenth: null,
      dead: null,
      curve: null,
      bars: [] as object[],
      ...changes,
    },
  };
}
