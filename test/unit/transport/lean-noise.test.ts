import { Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { silentLogger } from '../../../src/ports/logger.ts';
import type { Transport } from '../../../src/ports/transport.ts';
import { createLibp2pTransport } from '../../../src/transport/libp2p-transport.ts';
import { bytesOf } from '../../support/ledger-kit.ts';
import { realClock } from '../../support/memory-transport.ts';

const PROTOCOL = '/test/1';
const ANSWER_BYTES = 1 << 20;

let ends: Transport[] = [];

/** Two linked nodes; the second answers a request of n bytes with the same bytes. */
beforeEach(async () => {
  const make = (seed: number) =>
    createLibp2pTransport({
      privateKeySeed: bytesOf(`lean ${seed}`, 32),
      listen: ['/ip4/127.0.0.1/tcp/0'],
      logger: silentLogger,
      clock: realClock,
    });
  ends = [await make(1), await make(2)];
  const options = {
    id: PROTOCOL,
    frameBytesMax: ANSWER_BYTES,
    outboxBytesMax: 2 * ANSWER_BYTES,
    requestsInFlightMax: 4,
  };
  for (const end of ends) end.register(options, { request: async (_, frame) => [frame] });
  const linked = new Promise<void>(resolve =>
    ends[0]!.onEvents({ connected: () => resolve(), disconnected: () => {} }),
  );
  for (const end of ends) await end.start();
  ends[0]!.keepConnected(ends[1]!.peerId, ends[1]!.addresses());
  await linked;
});

afterEach(async () => {
  vi.restoreAllMocks();
  await Promise.all(ends.map(end => end.stop()));
});

const echo = (bytes: Uint8Array) =>
  ends[0]!.request(ends[1]!.peerId, PROTOCOL, bytes, { timeoutMs: 30_000 }) as Promise<Uint8Array>;

describe('noise over TCP', () => {
  it('gives every length of message back as it was', async () => {
    // about the shortest messages for the native cipher, about the longest of Noise, and several of them
    const lengths = [0, 1, 1_150, 1_178, 1_200, 1_250, 65_490, 65_519, 65_535, 65_600, 200_001, ANSWER_BYTES];
    const all = lengths.map(length => bytesOf(`content ${length}`, length));
    const got = await Promise.all(all.map(echo));
    for (const [index, bytes] of all.entries()) expect(Buffer.compare(got[index]!, bytes)).toBe(0);
  });

  it('writes what is sent together to the socket in one call', async () => {
    const socket = Socket.prototype as unknown as { _writeGeneric(): void };
    const writes = vi.spyOn(socket, '_writeGeneric');
    await echo(new Uint8Array(ANSWER_BYTES));
    // 2 MiB are 34 messages of three pieces and more; they leave as the window of the stream opens
    expect(writes.mock.calls.length).toBeLessThan(34);
  });
});
