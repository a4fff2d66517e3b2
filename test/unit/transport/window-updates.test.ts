import type { Stream } from '@libp2p/interface';
import { describe, expect, it } from 'vitest';
import { silentLogger } from '../../../src/ports/logger.ts';
import type { Transport } from '../../../src/ports/transport.ts';
import { createLibp2pTransport } from '../../../src/transport/libp2p-transport.ts';
import { spareWindowUpdates } from '../../../src/transport/window-updates.ts';
import { bytesOf } from '../../support/ledger-kit.ts';
import { realClock } from '../../support/memory-transport.ts';

const PROTOCOL = '/test/1';

function fakeStream(state: number) {
  const stream = {
    state,
    recvWindow: 1000,
    recvWindowCapacity: 1000,
    updates: 0,
    sendWindowUpdate: () => {
      stream.updates += 1;
      stream.recvWindowCapacity = stream.recvWindow;
    },
  };
  spareWindowUpdates(stream as unknown as Stream);
  const receive = (bytes: number) => {
    stream.recvWindowCapacity -= bytes;
    stream.sendWindowUpdate();
  };
  return { stream, receive };
}

describe('window updates', () => {
  it('go out when half of the window is used, and never leave the peer without window', () => {
    const { stream, receive } = fakeStream(3);
    for (let frame = 0; frame < 100; frame += 1) {
      receive(100);
      expect(stream.recvWindowCapacity).toBeGreaterThan(500);
    }
    expect(stream.updates).toBe(20);
    receive(1000);
    expect(stream.recvWindowCapacity).toBe(1000);
  });

  it.each([0, 1, 2, 5])('go out as before while the stream is opening or paused (state %i)', state => {
    const { stream, receive } = fakeStream(state);
    receive(1);
    expect(stream.updates).toBe(1);
  });

  it('are spared on the streams of the muxer: small messages cost none', async () => {
    const got: number[] = [];
    const ends = await Promise.all(
      [1, 2].map(seed =>
        createLibp2pTransport({
          privateKeySeed: bytesOf(`window ${seed}`, 32),
          listen: ['/ip4/127.0.0.1/tcp/0'],
          logger: silentLogger,
          clock: realClock,
        }),
      ),
    );
    const [sender, receiver] = ends as [Transport, Transport];
    const options = { id: PROTOCOL, frameBytesMax: 4096, outboxBytesMax: 1 << 20, requestsInFlightMax: 1 };
    const all = new Promise<void>(resolve =>
      receiver.register(options, {
        message: (_, frame) => {
          got.push(frame.length);
          if (got.length === 50) resolve();
          return null;
        },
      }),
    );
    sender.register(options, {});
    const linked = new Promise<void>(resolve =>
      sender.onEvents({ connected: () => resolve(), disconnected: () => {} }),
    );
    await Promise.all(ends.map(end => end.start()));
    sender.keepConnected(receiver.peerId, receiver.addresses());
    await linked;
    const stream = muxerStream(receiver, sender.peerId);
    const before = stream.recvWindowCapacity;
    for (let message = 0; message < 50; message += 1) {
      sender.send(receiver.peerId, PROTOCOL, new Uint8Array(1000));
      await new Promise<void>(resolve => setImmediate(resolve));
    }
    await all;
    expect(before - stream.recvWindowCapacity).toBeGreaterThan(50_000);
    await Promise.all(ends.map(end => end.stop()));
  });
});

/** The stream behind the port: what the test above is about has no other witness. */
function muxerStream(transport: Transport, peer: string): { recvWindowCapacity: number } {
  type Inside = {
    sessions: Map<string, { channels: Map<string, { stream: { recvWindowCapacity: number } }> }>;
  };
  return (transport as unknown as Inside).sessions.get(peer)!.channels.get(PROTOCOL)!.stream;
}
