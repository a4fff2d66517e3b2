// What this machine could do at most, measured in the same run with the same libraries: each in a process of its own, so that the
// processor time is its own too.
import { fork } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { connect, createServer } from 'node:net';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { timeSyncs } from '../syncs.mjs';
import { noiseCeiling } from './noise.mjs';
import { loadProgram } from './program.mjs';

const MEASURED_MS = 1_500;
const SIGNATURES = 64;
const SYNC_BYTES = 300;
const CHUNK_BYTES = 64 * 1024;
const STREAM_BYTES = 256 * 1024 * 1024;
const ROUNDS = 200;
const CEILING_MS_MAX = 60_000;

/** Runs for some time; @returns operations a second, and processor microseconds an operation of this process. */
function rate(work, batch) {
  work(batch);
  const before = process.cpuUsage();
  const startMs = performance.now();
  let count = 0;
  while (performance.now() - startMs < MEASURED_MS) {
    work(batch);
    count += batch;
  }
  const seconds = (performance.now() - startMs) / 1000;
  const { user, system } = process.cpuUsage(before);
  return { perSecond: count / seconds, processorUs: (user + system) / count };
}

/** Verifications and signatures as the nodes make them: P-256, checked forms, keys kept. */
async function signatures({ main }) {
  const { generateSigningKey, nodeSuite, p256Signer } = await loadProgram(main);
  const signer = p256Signer(generateSigningKey());
  const signed = Array.from({ length: SIGNATURES }, () => {
    const bytes = new Uint8Array(randomBytes(110));
    return { bytes, signature: signer.sign(bytes) };
  });
  const verify = rate(count => {
    for (let index = 0; index < count; index += 1) {
      const { bytes, signature } = signed[index % SIGNATURES];
      if (!nodeSuite.verify(signer.publicKey, bytes, signature))
        throw new Error('a good signature is refused');
    }
  }, SIGNATURES);
  const sign = rate(count => {
    for (let index = 0; index < count; index += 1) signer.sign(signed[index % SIGNATURES].bytes);
  }, SIGNATURES);
  return { verify, sign };
}

function percentile(sorted, part) {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];
}

/** Appends and fdatasyncs, one at a time, where the nodes have their data. */
function syncs({ dir }) {
  const sorted = timeSyncs(dir, SYNC_BYTES, MEASURED_MS).sort((a, b) => a - b);
  const sum = sorted.reduce((a, b) => a + b, 0);
  return {
    perSecond: (sorted.length * 1000) / sum,
    p50Ms: percentile(sorted, 0.5),
    p99Ms: percentile(sorted, 0.99),
  };
}

function hashes() {
  const of = bytes => {
    const data = randomBytes(bytes);
    return rate(
      count => {
        for (let index = 0; index < count; index += 1) createHash('sha256').update(data).digest();
      },
      bytes > 1024 ? 4 : 256,
    );
  };
  return { small: of(64), bytesPerSecond: of(1024 * 1024).perSecond * 1024 * 1024 };
}

/** The receiving end of `tcp`: echoes the first bytes, one by one; tells when it has the rest. */
function tcpServer() {
  let rounds = 0;
  let received = 0;
  const server = createServer(socket => {
    socket.setNoDelay(true);
    socket.on('data', data => {
      if (rounds < ROUNDS) {
        rounds += 1;
        socket.write(data);
        return;
      }
      received += data.length;
      if (received === STREAM_BYTES) process.send({ received });
    });
    socket.on('error', () => socket.destroy());
  });
  server.listen(0, '127.0.0.1', () => process.send({ port: server.address().port }));
}

async function tcp() {
  const child = fork(fileURLToPath(import.meta.url), ['tcpServer', '{}']);
  try {
    const { port } = await new Promise(resolve => child.once('message', resolve));
    const socket = connect(port, '127.0.0.1');
    socket.setNoDelay(true);
    await new Promise(resolve => socket.once('connect', resolve));
    const tookMs = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      const startMs = performance.now();
      socket.write('x');
      await new Promise(resolve => socket.once('data', resolve));
      tookMs.push(performance.now() - startMs);
    }
    const sorted = tookMs.sort((a, b) => a - b);
    const chunk = Buffer.alloc(CHUNK_BYTES, 1);
    const all = new Promise(resolve => child.once('message', resolve));
    const startMs = performance.now();
    for (let sent = 0; sent < STREAM_BYTES; sent += CHUNK_BYTES) {
      if (!socket.write(chunk)) await new Promise(resolve => socket.once('drain', resolve));
    }
    await all;
    const bytesPerSecond = (STREAM_BYTES * 1000) / (performance.now() - startMs);
    socket.destroy();
    return { bytesPerSecond, roundTripMs: percentile(sorted, 0.5) };
  } finally {
    child.kill();
  }
}

const WORK = { signatures, syncs, hashes, tcp, noise: noiseCeiling, tcpServer };

function inProcess(name, input) {
  return new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(import.meta.url), [name, JSON.stringify(input)]);
    const late = setTimeout(() => child.kill('SIGKILL'), CEILING_MS_MAX);
    child.once('message', ({ result }) => resolve(result));
    child.once('exit', code => {
      clearTimeout(late);
      reject(new Error(`the ceiling "${name}" ended with ${code ?? `no result in ${CEILING_MS_MAX} ms`}`));
    });
  });
}

/**
 * @param input main (the program) and dir (where the nodes' data are)
 * @returns rates of one process and of as many as there are processors, and what one operation takes
 */
export async function measureCeilings(input) {
  const one = await inProcess('signatures', input);
  const processors = availableParallelism();
  const all = await Promise.all(Array.from({ length: processors }, () => inProcess('signatures', input)));
  const sum = what => all.reduce((total, each) => total + each[what].perSecond, 0);
  return {
    processors,
    verify: { ...one.verify, allPerSecond: sum('verify') },
    sign: { ...one.sign, allPerSecond: sum('sign') },
    sync: await inProcess('syncs', input),
    sha256: await inProcess('hashes', input),
    tcp: await inProcess('tcp', input),
    noise: await inProcess('noise', input),
  };
}

const [, file, name, input] = process.argv;
if (file === fileURLToPath(import.meta.url) && process.send !== undefined && WORK[name] !== undefined) {
  const result = await WORK[name](JSON.parse(input));
  if (result !== undefined) process.send({ result }, () => process.exit(0));
}
