// What two processes of this machine can do at most: one reads bytes, hashes them (SHA-256), encrypts them (AES-256-GCM in segments
// of 64 KiB) and sends them over one libp2p stream (TCP, Noise, Yamux); the other receives. Nothing is stored, parsed or asked for.
import { fork } from 'node:child_process';
import { createCipheriv, createHash, randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';

const PROTOCOL = '/phaseline/bench-ceiling/1';
const CHUNK_BYTES = 1024 * 1024;
const SEGMENT_BYTES = 64 * 1024;
const WINDOW_BYTES = 4 * 1024 * 1024;
const MEGABYTE = 1e6;

async function createNode(listen) {
  if (Promise.withResolvers === undefined) {
    Promise.withResolvers = () => {
      const made = {};
      made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
      return made;
    };
  }
  const [{ createLibp2p }, { tcp }, { noise }, { yamux }] = await Promise.all(
    ['libp2p', '@libp2p/tcp', '@chainsafe/libp2p-noise', '@libp2p/yamux'].map(name => import(name)),
  );
  return createLibp2p({
    addresses: { listen },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [
      yamux({
        streamOptions: {
          maxStreamWindowSize: WINDOW_BYTES,
          maxReadBufferLength: 2 * WINDOW_BYTES,
          maxWriteBufferLength: 4 * WINDOW_BYTES,
        },
      }),
    ],
  });
}

/** The receiving process: tells its address, then when all bytes came. */
async function receive() {
  const node = await createNode(['/ip4/127.0.0.1/tcp/0']);
  await node.handle(PROTOCOL, async stream => {
    let received = 0;
    let expected = Number.POSITIVE_INFINITY;
    const before = process.cpuUsage();
    const end = () => {
      if (received >= expected) process.send({ processor: process.cpuUsage(before) });
    };
    process.on('message', bytes => {
      expected = bytes;
      end();
    });
    stream.addEventListener('message', ({ data }) => {
      received += data.byteLength;
      end();
    });
  });
  process.send({ address: node.getMultiaddrs()[0].toString() });
}

function seal(key, chunk, counter) {
  const sealed = [];
  for (let at = 0; at < chunk.length; at += SEGMENT_BYTES) {
    const nonce = Buffer.alloc(12);
    nonce.writeUInt32BE(counter, 0);
    nonce.writeUInt32BE(at, 4);
    const cipher = createCipheriv('aes-256-gcm', key, nonce);
    sealed.push(cipher.update(chunk.subarray(at, at + SEGMENT_BYTES)), cipher.final(), cipher.getAuthTag());
  }
  return Buffer.concat(sealed);
}

const message = child => new Promise(resolve => child.once('message', resolve));

const processorMs = ({ user, system }) => (user + system) / 1000;

/** @returns megabytes (10^6) of plaintext a second, and the processor time of both processes for one of them, in ms */
export async function measureCeiling(bytes) {
  const child = fork(fileURLToPath(import.meta.url), ['receive'], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const { address } = await message(child);
  const { multiaddr } = await import('@multiformats/multiaddr');
  const node = await createNode([]);
  try {
    const stream = await node.dialProtocol(multiaddr(address), PROTOCOL);
    const key = randomBytes(32);
    const chunk = randomBytes(CHUNK_BYTES);
    const hash = createHash('sha256');
    const ended = message(child);
    const chunks = Math.ceil(bytes / CHUNK_BYTES);
    let sent = 0;
    const before = process.cpuUsage();
    const startMs = performance.now();
    for (let counter = 0; counter < chunks; counter += 1) {
      hash.update(chunk);
      const sealed = seal(key, chunk, counter);
      sent += sealed.length;
      if (!stream.send(sealed))
        await new Promise(resolve => stream.addEventListener('drain', resolve, { once: true }));
    }
    child.send(sent);
    const { processor } = await ended;
    const megabytes = (chunks * CHUNK_BYTES) / MEGABYTE;
    return {
      rate: megabytes / ((performance.now() - startMs) / 1000),
      processorMs: (processorMs(processor) + processorMs(process.cpuUsage(before))) / megabytes,
    };
  } finally {
    await node.stop();
    child.kill();
  }
}

if (process.argv[2] === 'receive' && process.send !== undefined) await receive();
