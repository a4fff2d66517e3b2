// What one libp2p stream (TCP, Noise, Yamux) between two processes of this machine carries, and how long a small message takes
// there and back.
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const PROTOCOL = '/phaseline/bench-stream/1';
const CHUNK_BYTES = 64 * 1024;
const STREAM_BYTES = 128 * 1024 * 1024;
const ROUNDS = 200;
const WINDOW_BYTES = 4 * 1024 * 1024;

async function createNode(listen) {
  Promise.withResolvers ??= function withResolvers() {
    const made = {};
    made.promise = new this((resolve, reject) => Object.assign(made, { resolve, reject }));
    return made;
  };
  const [{ createLibp2p }, { tcp }, { noise }, { yamux }] = await Promise.all(
    ['libp2p', '@libp2p/tcp', '@chainsafe/libp2p-noise', '@libp2p/yamux'].map(name => import(name)),
  );
  const streamOptions = {
    maxStreamWindowSize: WINDOW_BYTES,
    maxReadBufferLength: 2 * WINDOW_BYTES,
    maxWriteBufferLength: 4 * WINDOW_BYTES,
  };
  return createLibp2p({
    addresses: { listen },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux({ streamOptions })],
  });
}

/** Echoes the first messages; tells when it has received the rest. */
async function receive() {
  const node = await createNode(['/ip4/127.0.0.1/tcp/0']);
  await node.handle(PROTOCOL, stream => {
    let rounds = 0;
    let received = 0;
    const before = process.cpuUsage();
    stream.addEventListener('message', ({ data }) => {
      if (rounds < ROUNDS) {
        rounds += 1;
        stream.send(data);
        return;
      }
      received += data.byteLength;
      if (received !== STREAM_BYTES) return;
      const { user, system } = process.cpuUsage(before);
      process.send({ processorUs: user + system });
    });
  });
  process.send({ address: node.getMultiaddrs()[0].toString() });
}

const event = (emitter, name) =>
  new Promise(resolve => emitter.addEventListener(name, resolve, { once: true }));
const message = child => new Promise(resolve => child.once('message', resolve));

/** @returns bytes a second, processor microseconds a mebibyte at both ends, median round trip in ms */
export async function noiseCeiling() {
  const child = fork(fileURLToPath(import.meta.url), ['receive']);
  const { address } = await message(child);
  const { multiaddr } = await import('@multiformats/multiaddr');
  const node = await createNode([]);
  try {
    const stream = await node.dialProtocol(multiaddr(address), PROTOCOL);
    const tookMs = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      const startMs = performance.now();
      const answer = event(stream, 'message');
      stream.send(new Uint8Array(1));
      await answer;
      tookMs.push(performance.now() - startMs);
    }
    const roundTripMs = tookMs.sort((a, b) => a - b)[Math.floor(ROUNDS / 2)];
    const chunk = new Uint8Array(CHUNK_BYTES);
    const ended = message(child);
    const before = process.cpuUsage();
    const startMs = performance.now();
    for (let sent = 0; sent < STREAM_BYTES; sent += CHUNK_BYTES) {
      if (!stream.send(chunk)) await event(stream, 'drain');
    }
    const { processorUs } = await ended;
    const bytesPerSecond = (STREAM_BYTES * 1000) / (performance.now() - startMs);
    const { user, system } = process.cpuUsage(before);
    const mebibytes = STREAM_BYTES / (1024 * 1024);
    return { bytesPerSecond, processorUsPerMiB: (processorUs + user + system) / mebibytes, roundTripMs };
  } finally {
    await node.stop();
    child.kill();
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url) && process.argv[2] === 'receive') await receive();
