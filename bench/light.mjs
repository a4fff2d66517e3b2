// What a light node costs in a chain that is much larger than its own part: bytes on the wire, time and memory of the first sync
// of one phase, and of a member of every phase while others write. `phaseline bench light` runs it. Needs a build.
// Usage: node bench/light.mjs [--quick | --full] [--phases N] [--records-per-phase N] [--records-per-block N] [--members N]
//   [--payload-bytes N] [--heap-mib N] [--only sync,quiet,map] [--dir DIR] [--json FILE]
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { environment } from './files/report.mjs';
import { chainIn, loadProgram, READER, reopenChain, WATCHER } from './light/chain.mjs';
import { mapCost } from './light/map-cost.mjs';
import { NodeProcess, Relay } from './light/processes.mjs';

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    full: { type: 'boolean', default: false },
    phases: { type: 'string' },
    'records-per-phase': { type: 'string' },
    'records-per-block': { type: 'string', default: '10' },
    members: { type: 'string', default: '20' },
    'payload-bytes': { type: 'string', default: '200' },
    'heap-mib': { type: 'string', default: '128' },
    only: { type: 'string', default: 'sync,quiet,map' },
    dir: { type: 'string' },
    json: { type: 'string' },
    main: { type: 'string', default: fileURLToPath(new URL('../dist/cli/main.js', import.meta.url)) },
  },
});
const steps = new Set(values.only.split(','));
const KIB = 1024;
const MIB = 1024 * 1024;
const SYNC_BAR = { ratio: 3, extraBytes: 64 * KIB, seconds: 2 };
const RESIDENT_BAR = 256 * MIB;
/** Each with an empty node; the fastest counts: what else the machine does can only slow it. */
const SYNC_ROUNDS = 3;
const QUIET_BLOCKS = 50;
const LOG_COUNTS = values.full ? [10, 100, 1_000, 10_000, 100_000] : [10, 100, 1_000, 10_000];
const LOGS_TOUCHED = 10;
/** How much dearer a touched log may be in the largest map than in the smallest: log2 of their sizes grows by as much. */
const mapFactor = Math.log2(LOG_COUNTS.at(-1)) / Math.log2(LOG_COUNTS[0]);
const shape = {
  phases: Number(values.phases ?? (values.full ? 1_000 : 20)),
  phasesPerProject: 100,
  recordsPerPhase: Number(values['records-per-phase'] ?? (values.full ? 1_000 : 200)),
  recordsPerBlock: Number(values['records-per-block']),
  members: Number(values.members),
  payloadBytes: Number(values['payload-bytes']),
};
for (const [name, value] of Object.entries({ ...shape, heapMib: Number(values['heap-mib']) })) {
  if (Number.isSafeInteger(value) && value >= 1) continue;
  console.error(`${name}: a whole number from 1 up is wanted`);
  process.exit(2);
}
const say = text => process.stderr.write(`${text}\n`);
const work = resolve(values.dir ?? mkdtempSync(join(tmpdir(), 'phaseline-bench-light-')));
const main = resolve(values.main);
const program = await loadProgram(main);
const { createClient } = await import(new URL('../client/client.js', `file://${main}`).href);

function clientOf(dir) {
  const { url } = JSON.parse(readFileSync(join(dir, 'endpoint.json'), 'utf8'));
  const token = readFileSync(join(dir, 'rpc-token'), 'utf8').trim();
  return createClient({ url, token, timeoutMs: 60_000 });
}

/** A data directory that holds keys and configuration only, as on the first start. */
async function emptyNode(dir, peers) {
  for (const part of ['db', 'files', 'endpoint.json'])
    rmSync(join(dir, part), { recursive: true, force: true });
  const config = await program.readNodeConfig(dir);
  const network = { listen: ['/ip4/127.0.0.1/tcp/0'], peers };
  await program.writeConfig(dir, { ...config, network });
}

/** Encoded transactions of the phase's records, and the head, as they are stored. */
async function stored(chainDir, { phase, chainId }) {
  const { LevelStore, KvChainStore, dataPaths, logIdOf, nodeSuite, decodeTransaction, KINDS } = program;
  const kv = new LevelStore(dataPaths(join(chainDir, 'node-1')).state);
  await kv.open();
  const store = new KvChainStore(kv);
  const logId = logIdOf(nodeSuite.sha256, chainId, 'phase', phase);
  const size = store.logSize(logId);
  const wrappers = store.leaves(logId, 0, size, size).map(leaf => store.transaction(leaf.transactionId));
  const records = wrappers.filter(
    one => decodeTransaction(nodeSuite.sha256, one).body.kind === KINDS.recordPut,
  );
  const { height } = store.head().block.header;
  await kv.close();
  return { height, records: records.length, recordBytes: records.reduce((sum, one) => sum + one.length, 0) };
}

/** A member's node with an empty database, whose only source is behind a relay. */
async function startLight(chainDir, name, { peerId, address }) {
  const dir = join(chainDir, name);
  const relay = new Relay();
  const port = await relay.start(Number(/\/tcp\/(\d+)/.exec(address)[1]));
  await emptyNode(dir, [{ peerId, addresses: [`/ip4/127.0.0.1/tcp/${port}`] }]);
  const node = new NodeProcess(main, dir, [`--max-old-space-size=${values['heap-mib']}`]);
  /** Resolves when the node holds everything that it may read up to this height. */
  const reached = height =>
    node.until(async () => {
      const { phases, verifiedAt } = await clientOf(dir).call('phase_list');
      return phases.length > 0 && verifiedAt.height >= height ? performance.now() : null;
    });
  const stop = async () => {
    await node.stop();
    relay.stop();
  };
  return { dir, relay, node, reached, stop };
}

/** The first sync of the reader, from a consensus node that runs as its own process. */
async function firstSync(chainDir, chain, own) {
  const server = new NodeProcess(main, join(chainDir, 'node-1'));
  try {
    const source = await server.until(async () => {
      const { peerId, addresses, head } = await clientOf(server.dir).call('node_status');
      return head.height >= own.height ? { peerId, address: addresses[0] } : null;
    });
    const light = await startLight(chainDir, READER, source);
    try {
      const seconds = ((await light.reached(own.height)) - light.relay.firstMs) / 1000;
      const { received, sent } = light.relay;
      const { records } = await clientOf(light.dir).call('record_list', { phase: chain.phase, limit: 1 });
      if (!records[0]?.content) throw new Error(`no record opens: ${JSON.stringify(records[0])}`);
      const bytes = received + sent;
      const ratio = bytes / own.recordBytes;
      const met =
        bytes <= SYNC_BAR.ratio * own.recordBytes + SYNC_BAR.extraBytes && seconds < SYNC_BAR.seconds;
      return { seconds, received, sent, ratio, met, residentBytes: light.node.residentBytes };
    } finally {
      await light.stop();
    }
  } finally {
    await server.stop();
  }
}

/** A member of every phase, while one record a block goes into one of them; served from this process, which makes the blocks. */
async function quietPhases(chainDir, chain) {
  const { createLibp2pTransport, LightServer, nodeSuite, silentLogger, systemClock: clock } = program;
  const opened = await reopenChain(program, chainDir, chain);
  const transport = await createLibp2pTransport({
    ...{ privateKeySeed: opened.seed, listen: ['/ip4/127.0.0.1/tcp/0'], logger: silentLogger, clock },
  });
  const server = new LightServer({
    ...{ store: opened.store, suite: nodeSuite, transport, clock, logger: silentLogger },
    ...{ submit: async () => ({}), isPending: () => false, vouch: () => null },
  });
  server.register();
  transport.setGate(() => true);
  await transport.start();
  const source = { peerId: transport.peerId, address: transport.addresses()[0] };
  const light = await startLight(chainDir, WATCHER, source);
  try {
    const seconds = ((await light.reached(opened.height())) - light.relay.firstMs) / 1000;
    const syncBytes = light.relay.bytes;
    for (let block = 0; block < QUIET_BLOCKS; block += 1) {
      await opened.put();
      server.onCommitted();
      await light.reached(opened.height());
    }
    const bytesPerBlock = (light.relay.bytes - syncBytes) / QUIET_BLOCKS;
    return {
      phases: shape.phases,
      seconds,
      syncBytes,
      bytesPerBlock,
      residentBytes: light.node.residentBytes,
    };
  } finally {
    await light.stop();
    server.stop();
    await transport.stop();
    await opened.close();
  }
}

const kib = bytes => `${(bytes / KIB).toFixed(1)} KiB`;
const mib = bytes => `${(bytes / MIB).toFixed(0)} MiB`;
const verdict = met => (met ? 'met' : 'missed');

function rowsOf({ own, sync, quiet, map }) {
  const rows = [];
  if (sync !== undefined) {
    const { ratio, extraBytes, seconds } = SYNC_BAR;
    rows.push(
      [`${own.records} own records, as signed`, kib(own.recordBytes), '', ''],
      [
        'first sync, all bytes on the wire',
        `${kib(sync.received + sync.sent)} (${sync.ratio.toFixed(2)} ×)`,
        `≤ ${ratio} × + ${extraBytes / KIB} KiB`,
        verdict(sync.received + sync.sent <= ratio * own.recordBytes + extraBytes),
      ],
      [
        'first sync, from the first byte on',
        `${sync.seconds.toFixed(2)} s`,
        `< ${seconds} s`,
        verdict(sync.seconds < seconds),
      ],
      [
        'resident memory of its process',
        mib(sync.residentBytes),
        '≤ 256 MiB',
        verdict(sync.residentBytes <= RESIDENT_BAR),
      ],
    );
  }
  if (quiet !== undefined) {
    rows.push(
      [
        `member of ${quiet.phases} phases: first sync`,
        `${kib(quiet.syncBytes)}, ${quiet.seconds.toFixed(2)} s`,
        '',
        '',
      ],
      ['a block with one record in one of them', kib(quiet.bytesPerBlock), '', ''],
      [
        'resident memory of its process',
        mib(quiet.residentBytes),
        '≤ 256 MiB',
        verdict(quiet.residentBytes <= RESIDENT_BAR),
      ],
    );
  }
  for (const { logs, nodesPerLog, rootUsPerLog, allUsPerLog } of map ?? []) {
    const factor = allUsPerLog / map[0].allUsPerLog;
    const last = logs === LOG_COUNTS.at(-1);
    rows.push([
      `map of ${logs} logs: a touched log`,
      `${nodesPerLog.toFixed(1)} nodes, ${rootUsPerLog.toFixed(0)} µs + store ${(allUsPerLog - rootUsPerLog).toFixed(0)} µs`,
      last ? `≤ ${mapFactor.toFixed(1)} × that of ${LOG_COUNTS[0]}` : '',
      last ? `${verdict(factor <= mapFactor)} (${factor.toFixed(1)} ×)` : '',
    ]);
  }
  return rows;
}

function table(rows) {
  const widths = [0, 1, 2].map(column => Math.max(...rows.map(row => row[column].length)));
  const line = row => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ');
  return rows.map(row => line(row).trimEnd()).join('\n');
}

async function measure() {
  const result = { environment: environment(), shape };
  if (steps.has('sync') || steps.has('quiet')) {
    const chainDir = join(work, 'chain');
    const chain = await chainIn(program, chainDir, shape, say);
    result.own = await stored(chainDir, chain);
    say(`the chain has ${result.own.height} blocks`);
    for (let round = 0; steps.has('sync') && round < SYNC_ROUNDS; round += 1) {
      const sync = await firstSync(chainDir, chain, result.own);
      say(`  round ${round + 1}: ${sync.seconds.toFixed(2)} s`);
      if (result.sync === undefined || sync.seconds < result.sync.seconds) result.sync = sync;
    }
    if (steps.has('quiet')) result.quiet = await quietPhases(chainDir, chain);
  }
  if (steps.has('map')) result.map = await mapCost(program, work, LOG_COUNTS, LOGS_TOUCHED);
  return result;
}

try {
  const result = await measure();
  const json = `${JSON.stringify(result, null, 2)}\n`;
  if (values.json !== undefined) writeFileSync(values.json, json);
  process.stdout.write(process.env.PHASELINE_OUTPUT === 'json' ? json : `${table(rowsOf(result))}\n`);
} finally {
  if (values.dir === undefined) rmSync(work, { recursive: true, force: true });
}
