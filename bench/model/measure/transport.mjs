// One link of the program's own transport (libp2p: TCP, Noise, Yamux, framing) between two processes of this machine.
import { fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';

const PROTOCOL = {
  ...{ id: '/phaseline/bench-price/1', frameBytesMax: 1 << 20 },
  ...{ outboxBytesMax: 8 << 20, requestsInFlightMax: 4 },
};
const VOTE_BYTES = 240;
const SENDS = 4_000;
const TOGETHER = 16;
const LARGE_BYTES = 64 * 1024;
const LARGE = 600;
/** The sender rests after so many, or after each: then both ends wake up for every one. */
const BURST = 8;
const MEASURED = {
  alone: { count: SENDS / 2, together: 1, bytes: VOTE_BYTES, burst: 1 },
  single: { count: SENDS, together: 1, bytes: VOTE_BYTES, burst: BURST },
  joined: { count: SENDS / 4, together: TOGETHER, bytes: VOTE_BYTES, burst: BURST },
  large: { count: LARGE, together: 1, bytes: LARGE_BYTES, burst: BURST },
};

async function transportOf(parts, listen) {
  const { createLibp2pTransport, silentLogger, systemClock } = parts;
  const privateKeySeed = new Uint8Array(randomBytes(32));
  return createLibp2pTransport({ privateKeySeed, listen, logger: silentLogger, clock: systemClock });
}

/** The receiving end: tells its processor time whenever the frames that it was told of are there. */
export async function receiveFrames(parts) {
  const transport = await transportOf(parts, ['/ip4/127.0.0.1/tcp/0']);
  let expected = 0;
  let before = null;
  transport.register(PROTOCOL, {
    message: () => {
      expected -= 1;
      if (expected > 0) return null;
      const { user, system } = process.cpuUsage(before);
      process.send({ processorUs: user + system });
      return null;
    },
  });
  process.on('message', ({ frames }) => {
    expected = frames;
    before = process.cpuUsage();
    process.send({ expecting: frames });
  });
  await transport.start();
  process.send({ peer: transport.peerId, addresses: transport.addresses() });
}

const message = child => new Promise(resolve => child.once('message', resolve));

/** @returns processor microseconds a send, of both ends */
async function sends(transport, peer, child, { count, together, bytes, burst }) {
  child.send({ frames: count * together });
  await message(child);
  const frame = new Uint8Array(randomBytes(bytes));
  const received = message(child);
  const before = process.cpuUsage();
  for (let index = 0; index < count; index += 1) {
    for (let at = 0; at < together; at += 1) {
      while (!transport.send(peer, PROTOCOL.id, frame)) await turn();
    }
    await turn();
    // a sender that never rests would fill whole packets
    if (index % burst === 0) await new Promise(resolve => setTimeout(resolve, 1));
  }
  const { processorUs } = await received;
  const { user, system } = process.cpuUsage(before);
  return { send: (user + system) / count, receive: processorUs / count };
}

/** @param input file and words that start the receiving end */
export async function measureTransport(parts, { receiver }) {
  const child = fork(...receiver);
  const { peer, addresses } = await message(child);
  const transport = await transportOf(parts, []);
  transport.register(PROTOCOL, {});
  const connected = new Promise(resolve =>
    transport.onEvents({ connected: resolve, disconnected: () => {} }),
  );
  await transport.start();
  try {
    transport.keepConnected(peer, addresses);
    await connected;
    const run = kind => sends(transport, peer, child, MEASURED[kind]);
    await run('single');
    const single = await run('single');
    const alone = await run('alone');
    const joined = await run('joined');
    await run('large');
    const large = await run('large');
    return pricesOf(alone, single, joined, large);
  } finally {
    await transport.stop();
    child.kill();
  }
}

function pricesOf(alone, single, joined, large) {
  const kib = (LARGE_BYTES - VOTE_BYTES) / 1024;
  // one wake for each of those alone, one for each burst of the others
  const woken = end => (Math.max(0, alone[end] - single[end]) * BURST) / (BURST - 1);
  const votes = `frames of ${VOTE_BYTES} B, one a turn of the event loop, alone and in bursts of ${BURST}; less the waking`;
  const more = joined.send + joined.receive - single.send - single.receive;
  const bytes = `${LARGE} frames of ${LARGE_BYTES / 1024} KiB, less what a small one takes`;
  return {
    'loop.wake': { value: woken('receive'), how: 'the same at the receiving end: what being alone adds' },
    'transport.send': { value: Math.max(0, alone.send - woken('send')), how: votes },
    'transport.receive': { value: Math.max(0, alone.receive - woken('receive')), how: votes },
    'transport.frame': {
      value: Math.max(0, more / (TOGETHER - 1)),
      how: `${TOGETHER} frames a turn; what each beyond the first adds at both ends`,
    },
    'transport.sendKib': { value: Math.max(0, (large.send - single.send) / kib), how: bytes },
    'transport.receiveKib': { value: Math.max(0, (large.receive - single.receive) / kib), how: bytes },
  };
}
