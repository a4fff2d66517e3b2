// What a light node costs in a chain that is much larger than its own part: bytes on the wire, time and memory of the first sync
// of one phase, and of a member of every phase while others write. `phaseline bench light` runs it. Needs a build.
// Usage: node bench/light.mjs [--quick | --full] [--phases N] [--records-per-phase N] [--records-per-block N] [--members N]
//   [--payload-bytes N] [--heap-mib N] [--dir DIR] [--json FILE]
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { environment } from './files/report.mjs';
import { chainIn, loadProgram, READER } from './light/chain.mjs';
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
    dir: { type: 'string' },
    json: { type: 'string' },
    main: { type: 'string', default: fileURLToPath(new URL('../dist/cli/main.js', import.meta.url)) },
  },
});
const KIB = 1024;
const MIB = 1024 * 1024;
const SYNC_BAR = { ratio: 3, extraBytes: 64 * KIB, seconds: 2 };
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

/** Encoded transactions of the phase's records, and the plaintext in them, in bytes. */
async function ownRecords(chainDir, phase, chainId) {
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
  await kv.close();
  return { count: records.length, bytes: records.reduce((sum, one) => sum + one.length, 0) };
}

/** The first sync of the reader, whose node starts with nothing. */
async function firstSync(node, chain, chainDir, own) {
  const dir = join(chainDir, READER);
  const { peerId, addresses } = await clientOf(node.dir).call('node_status');
  const relay = new Relay();
  const port = await relay.start(Number(/\/tcp\/(\d+)/.exec(addresses[0])[1]));
  await emptyNode(dir, [{ peerId, addresses: [`/ip4/127.0.0.1/tcp/${port}`] }]);
  const reader = new NodeProcess(main, dir, [`--max-old-space-size=${values['heap-mib']}`]);
  try {
    const whole = await reader.until(async () => {
      const { phases, verifiedAt } = await clientOf(dir).call('phase_list');
      return phases.length > 0 && verifiedAt.height >= chain.head ? performance.now() : null;
    });
    const seconds = (whole - relay.firstMs) / 1000;
    const { received, sent } = relay;
    const { records } = await clientOf(dir).call('record_list', { phase: chain.phase, limit: 1 });
    if (records[0]?.content === undefined) throw new Error('the records do not open');
    return { seconds, received, sent, residentBytes: reader.residentBytes };
  } finally {
    await reader.stop();
    relay.stop();
  }
}
console.log(shape);
const chainDir = join(work, 'chain');
const chain = await chainIn(program, chainDir, shape, say);
const own = await ownRecords(chainDir, chain.phase, chain.chainId);
console.log(chain, own);
const node = new NodeProcess(main, join(chainDir, 'node-1'));
await node.until(async () =>
  (await clientOf(node.dir).call('node_status')).head.height >= chain.head ? true : null,
);
console.log(await clientOf(node.dir).call('node_status'));
try {
  console.log(await firstSync(node, chain, chainDir, own));
} finally {
  await node.stop();
}
