// How fast files are put, replicated, read and made whole again in a network of real processes on this machine, measured against
// what the same run measures as the machine's ceiling. `phaseline bench files` runs it. Needs a build.
// Usage: node bench/files.mjs [--quick] [--consensus N] [--bytes N] [--small-files N] [--small-bytes N] [--big-bytes N]
//   [--rounds N] [--only ceiling,large,small,big,lost] [--dir DIR] [--json FILE] [--markdown FILE] [--profile DIR]
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { measureCeiling } from './files/ceiling.mjs';
import { BenchNetwork, until } from './files/network.mjs';
import { environment, markdown, table } from './files/report.mjs';

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    consensus: { type: 'string', default: '1' },
    bytes: { type: 'string' },
    'small-files': { type: 'string' },
    'small-bytes': { type: 'string', default: '4096' },
    'big-bytes': { type: 'string' },
    rounds: { type: 'string' },
    only: { type: 'string', default: 'ceiling,large,small,big,lost' },
    dir: { type: 'string' },
    json: { type: 'string' },
    markdown: { type: 'string' },
    profile: { type: 'string' },
    main: { type: 'string', default: fileURLToPath(new URL('../dist/cli/main.js', import.meta.url)) },
  },
});
const MIB = 1024 * 1024;
const parameters = {
  consensus: Number(values.consensus),
  bytes: Number(values.bytes ?? (values.quick ? 64 * MIB : 512 * MIB)),
  smallFiles: Number(values['small-files'] ?? (values.quick ? 1_000 : 10_000)),
  smallBytes: Number(values['small-bytes']),
  bigBytes: Number(values['big-bytes'] ?? (values.quick ? 256 * MIB : 10 * 1024 * MIB)),
  rounds: Number(values.rounds ?? (values.quick ? 1 : 3)),
};
const steps = new Set(values.only.split(','));
for (const [name, value] of Object.entries(parameters)) {
  if (!Number.isSafeInteger(value) || value < 1) {
    console.error(`${name}: a whole number from 1 up is wanted`);
    process.exit(2);
  }
}
const FILES_PER_RECORD = 256;
const RECORDS_IN_FLIGHT = 4;
const HOLDERS = ['alice', 'bob', 'carol'];
const GETTER = 'dave';
const WAIT = { copies: HOLDERS.length, waitMs: 3_600_000 };
const LATENCY_PAUSE_MS = 50;
const LATENCY_SAMPLES = 100;

const work = resolve(values.dir ?? mkdtempSync(join(tmpdir(), 'phaseline-bench-')));
const inputs = join(work, 'inputs');
mkdirSync(inputs, { recursive: true });
const network = new BenchNetwork(
  resolve(values.main),
  join(work, 'net'),
  { consensus: parameters.consensus, participants: HOLDERS.length + 1 },
  values.profile === undefined ? null : resolve(values.profile),
);
const say = text => process.stderr.write(`${text}\n`);
const seconds = startMs => (performance.now() - startMs) / 1000;
const best = numbers => Math.max(...numbers);
const quantile = (sorted, at) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * at))];

/** Processor time that the work took, in ms for each of these megabytes (10^6 bytes) by node; what took next to nothing is left out. */
async function processorTime(bytes, work) {
  const before = network.processorMs();
  const value = await work();
  const after = network.processorMs();
  const took = Object.keys(after).map(name => [name, (after[name] - (before[name] ?? 0)) / (bytes / 1e6)]);
  return { value, msPerMegabyte: Object.fromEntries(took.filter(([, ms]) => ms >= 0.05)) };
}

const total = times => Object.values(times).reduce((sum, ms) => sum + ms, 0);
const least = (a, b) => (a === undefined || total(b) < total(a) ? b : a);

/** A file of bytes that nothing can make smaller, written piece by piece. */
function inputFile(name, bytes) {
  const path = join(inputs, name);
  writeFileSync(path, '');
  for (let left = bytes; left > 0; left -= 8 * MIB)
    writeFileSync(path, randomBytes(Math.min(left, 8 * MIB)), { flag: 'a' });
  return path;
}

/** Puts a file of this machine and waits until every holder has it. */
async function put(phase, path, waitForCopies) {
  const alice = network.client('alice');
  for (;;) {
    const upload = await alice.call('file_upload', { phase, path, forMs: 60_000 });
    if (upload.stage === 'receiving') continue;
    return alice.call('record_put', { phase, files: [{ upload: upload.id }], waitForCopies });
  }
}

/** Reads a file at a node that does not have it. @returns MB/s */
async function read(member, phase, cid, bytes) {
  const startMs = performance.now();
  const { stream } = await network.client(member).get({ phase, cid });
  let received = 0;
  for await (const chunk of stream) received += chunk.length;
  if (received !== bytes) throw new Error(`${received} of ${bytes} bytes came`);
  return bytes / 1e6 / seconds(startMs);
}

async function measureLarge() {
  const { bytes, rounds } = parameters;
  const path = inputFile('large', bytes);
  const results = { put: [], getOne: [], getThree: [] };
  const processor = {};
  for (let round = 1; round <= rounds; round += 1) {
    const three = await network.phase(`three ${round}`, HOLDERS, HOLDERS.length);
    const startMs = performance.now();
    const { value: stored, msPerMegabyte } = await processorTime(bytes, () => put(three, path, WAIT));
    results.put.push(bytes / 1e6 / seconds(startMs));
    processor.put = least(processor.put, msPerMegabyte);
    const one = await network.phase(`one ${round}`, HOLDERS.slice(0, 1), 1);
    const alone = await put(one, path, null);
    for (const [name, phase, { cid }] of [
      ['getOne', one, alone.files[0]],
      ['getThree', three, stored.files[0]],
    ]) {
      await network.addReader(phase, GETTER);
      await until(() => reaches(GETTER, phase, cid, name === 'getOne' ? 1 : HOLDERS.length));
      const got = await processorTime(bytes, () => read(GETTER, phase, cid, bytes));
      results[name].push(got.value);
      processor[name] = least(processor[name], got.msPerMegabyte);
    }
    say(
      `round ${round}: ${Object.entries(results)
        .map(([name, all]) => `${name} ${all.at(-1).toFixed(0)} MB/s`)
        .join(', ')}`,
    );
  }
  return {
    bytes,
    put: best(results.put),
    getOne: best(results.getOne),
    getThree: best(results.getThree),
    rounds: results,
    processor,
  };
}

/** True when the member's node reaches so many nodes with the file. */
async function reaches(member, phase, cid, copies) {
  const { files } = await network.client(member).call('file_status', { phase, cid });
  return files[0].copies >= copies && files[0].copiesReachable >= copies;
}

async function measureSmall() {
  const { smallFiles, smallBytes } = parameters;
  const paths = [];
  for (let index = 0; index < smallFiles; index += 1) {
    paths.push(join(inputs, `small-${index}`));
    writeFileSync(paths.at(-1), randomBytes(smallBytes));
  }
  const phase = await network.phase('small', HOLDERS, HOLDERS.length);
  const alice = network.client('alice');
  const startMs = performance.now();
  let next = 0;
  const lane = async () => {
    while (next < paths.length) {
      const files = paths.slice(next, next + FILES_PER_RECORD).map(path => ({ path }));
      next += FILES_PER_RECORD;
      await alice.call('record_put', { phase, files, waitForCopies: WAIT });
    }
  };
  await Promise.all(Array.from({ length: RECORDS_IN_FLIGHT }, lane));
  const took = seconds(startMs);
  return { phase, files: smallFiles, bytes: smallBytes, seconds: took, perSecond: smallFiles / took };
}

/** Bytes that are never on the disk before they are put: one random block, numbered. */
function generated(bytes) {
  const block = randomBytes(8 * MIB);
  return {
    bytes,
    read: async (offset, length) => {
      const piece = Buffer.from(block.subarray(0, length));
      piece.writeDoubleBE(offset, 0);
      return piece;
    },
  };
}

async function measureBig() {
  const { bigBytes } = parameters;
  const free = statfsSync(work);
  if (free.bavail * free.bsize < 3.5 * bigBytes) {
    say(`a file of ${bigBytes} bytes needs ${3.5 * bigBytes} free bytes for three copies: left out`);
    return undefined;
  }
  const phase = await network.phase('big', HOLDERS, HOLDERS.length);
  const alice = network.client('alice');
  const unwatch = network.watchMemory();
  const startMs = performance.now();
  const { upload } = await alice.put({ phase, name: 'big', source: generated(bigBytes), record: 'later' });
  await alice.call('record_put', { phase, files: [{ upload }], waitForCopies: null });
  await until(
    async () => {
      const [mine] = (await alice.call('file_status', { phase })).files;
      return mine.copies >= HOLDERS.length;
    },
    3_600_000,
    500,
  );
  const took = seconds(startMs);
  unwatch();
  return {
    bytes: bigBytes,
    seconds: took,
    rate: bigBytes / 1e6 / took,
    residentBytes: network.residentBytes,
  };
}

/** Commits small records, one at a time, until it is stopped or has enough. */
function latencies(phase, samples) {
  const tookMs = [];
  let stopped = false;
  const running = (async () => {
    while (!stopped && tookMs.length < samples) {
      const startMs = performance.now();
      await network.client('carol').call('record_put', { phase, type: 'tick', text: 'x' });
      tookMs.push(performance.now() - startMs);
      await new Promise(resolve => setTimeout(resolve, LATENCY_PAUSE_MS));
    }
    const sorted = tookMs.sort((a, b) => a - b);
    return { samples: sorted.length, medianMs: quantile(sorted, 0.5), p95Ms: quantile(sorted, 0.95) };
  })();
  return {
    result: running,
    stop: () => {
      stopped = true;
      return running;
    },
  };
}

async function measureLost(small) {
  const phase = await network.phase('ticks', ['carol'], 1);
  const before = await latencies(phase, LATENCY_SAMPLES).result;
  const startMs = performance.now();
  await network.loseDisk('bob');
  const during = latencies(phase, Number.POSITIVE_INFINITY);
  await until(
    async () => {
      const { phases } = await network.client('bob').call('file_quota', {});
      return (phases.find(one => one.phase === small.phase)?.files ?? 0) >= small.files;
    },
    3_600_000,
    200,
  );
  const took = seconds(startMs);
  return { files: small.files, seconds: took, before, during: await during.stop() };
}

const result = { parameters, environment: environment() };
process.once('SIGINT', async () => {
  await network.stop();
  if (values.dir === undefined) rmSync(work, { recursive: true, force: true });
  process.exit(1);
});
try {
  if (steps.has('ceiling')) {
    const runs = [];
    for (let round = 0; round < parameters.rounds; round += 1)
      runs.push(await measureCeiling(parameters.bytes));
    const rates = runs.map(({ rate }) => rate);
    result.ceiling = best(rates);
    result.ceilingProcessorMs = Math.min(...runs.map(({ processorMs }) => processorMs));
    say(`ceiling: ${rates.map(rate => rate.toFixed(0)).join(', ')} MB/s`);
  }
  await network.start();
  say(`${parameters.consensus} consensus nodes, ${HOLDERS.join(', ')}, ${GETTER} and the manager run`);
  if (steps.has('large')) result.large = await measureLarge();
  if (steps.has('small') || steps.has('lost')) {
    result.small = await measureSmall();
    say(`small: ${result.small.perSecond.toFixed(0)} files/s`);
  }
  if (steps.has('lost')) result.lost = await measureLost(result.small);
  if (steps.has('big')) result.big = await measureBig();
} finally {
  await network.stop();
  if (values.dir === undefined) rmSync(work, { recursive: true, force: true });
}
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(result, null, 2)}\n`);
if (values.markdown !== undefined) writeFileSync(values.markdown, `${markdown(result)}\n`);
process.stdout.write(
  process.env.PHASELINE_OUTPUT === 'json' ? `${JSON.stringify(result, null, 2)}\n` : `${table(result)}\n`,
);
