import { createHash } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { Clock } from '../../../src/ports/clock.ts';
import { silentLogger } from '../../../src/ports/logger.ts';
import type { Transport } from '../../../src/ports/transport.ts';
import { createLibp2pTransport } from '../../../src/transport/libp2p-transport.ts';
import type { LinkLimits } from '../../../src/transport/limits.ts';
import { transportContract } from '../../contracts/transport.ts';
import { realClock } from '../../support/memory-transport.ts';
import { errorOf, RecordingPeer } from '../../support/recording-peer.ts';

const QUICK: Partial<LinkLimits> = {
  reconnectMsMin: 5,
  reconnectMsMax: 50,
  penaltyMsMin: 100,
  penaltyMsMax: 200,
};

interface Options {
  readonly listen?: string;
  readonly clock?: Clock;
  readonly limits?: Partial<LinkLimits>;
}

function make(name: string, options: Options = {}): Promise<Transport> {
  return createLibp2pTransport({
    privateKeySeed: createHash('sha256').update(name).digest(),
    listen: [options.listen ?? '/ip4/127.0.0.1/tcp/0'],
    logger: silentLogger,
    clock: options.clock ?? realClock,
    limits: { ...QUICK, ...options.limits },
  });
}

transportContract('libp2p', () => {
  const known = new Map<string, Transport>();
  const listens = new Map<string, string>();
  return {
    create: async name => {
      // A stopped transport no longer tells its address: note it when it stops.
      const listen = listens.get(name);
      const transport = await make(name, listen === undefined ? {} : { listen });
      const stop = transport.stop.bind(transport);
      transport.stop = async () => {
        const address = transport.addresses()[0];
        if (address !== undefined) listens.set(name, address.slice(0, address.indexOf('/p2p/')));
        await stop();
      };
      known.set(name, transport);
      return transport;
    },
  };
});

describe('libp2p transport', () => {
  let opened: Transport[] = [];
  let sockets: Socket[] = [];
  const start = async (name: string, options: Options = {}) => {
    const transport = await make(name, options);
    opened.push(transport);
    const peer = new RecordingPeer(transport);
    await transport.start();
    return peer;
  };
  afterEach(async () => {
    for (const socket of sockets) socket.destroy();
    await Promise.all(opened.map(transport => transport.stop()));
    opened = [];
    sockets = [];
  });

  it('names the address when the port is taken', async () => {
    const a = await start('a');
    const port = a.transport.addresses()[0]!.split('/')[4];
    const second = await make('b', { listen: `/ip4/127.0.0.1/tcp/${port}` });
    const error = await errorOf(second.start());
    expect(error.code).toBe('port_taken');
    expect(error.message).toContain(`/ip4/127.0.0.1/tcp/${port}`);
  });

  it('does not take another peer at the address for the one it dials', async () => {
    const [a, b, c] = [await start('a'), await start('b'), await start('c')];
    a.transport.keepConnected(b.id, [c.transport.addresses()[0]!.split('/p2p/')[0]!]);
    a.keep(c);
    await a.connected(c);
    await a.ask(c, 'a turn');
    expect(a.isConnected(b)).toBe(false);
    a.keep(b);
    await a.connected(b);
  });

  it('[64] closes the link with a peer that is frozen', async () => {
    const frozen: Clock = { ...realClock, setTimer: () => ({ cancel: () => {} }) };
    const a = await start('a', {
      limits: { heartbeatMs: 20, reconnectMsMin: 60_000, reconnectMsMax: 60_000 },
    });
    const b = await start('b', { clock: frozen });
    a.keep(b);
    await a.connected(b);
    await Promise.all([a.disconnected(b), b.disconnected(a)]);
  });

  it('[65] admits a peer while strangers hold connections that say nothing', async () => {
    const b = await start('b');
    const port = Number(b.transport.addresses()[0]!.split('/')[4]);
    const connecting = Array.from({ length: 100 }, async () => {
      const socket = connect(port, '127.0.0.1');
      sockets.push(socket);
      socket.on('error', () => {});
      await new Promise(resolve => socket.once('connect', resolve));
    });
    await Promise.all(connecting);
    const a = await start('a');
    a.keep(b);
    await Promise.all([a.connected(b), b.connected(a)]);
    expect(await a.ask(b, 'x')).toEqual(Uint8Array.of(0x78));
  });

  it('[65] links a peer while a stranger keeps 300 half-open sockets, opened again as they are closed', async () => {
    const b = await start('b', { limits: { upgradeTimeoutMs: 60_000 } });
    const port = Number(b.transport.addresses()[0]!.split('/')[4]);
    let stopped = false;
    let accepted = 0;
    const flood = () => {
      if (stopped) return;
      const socket = connect({ port, host: '127.0.0.1', localAddress: '127.0.0.2' }, () => (accepted += 1));
      sockets.push(socket);
      socket.on('error', () => {});
      socket.on('close', () => setTimeout(flood, 50));
    };
    for (let count = 0; count < 300; count += 1) flood();
    while (accepted < 300) await new Promise(resolve => setTimeout(resolve, 5));
    const a = await start('a');
    a.keep(b);
    await Promise.all([a.connected(b), b.connected(a)]);
    stopped = true;
  });

  it('closes a connection whose handshake does not end', async () => {
    const b = await start('b', { limits: { upgradeTimeoutMs: 50 } });
    const port = Number(b.transport.addresses()[0]!.split('/')[4]);
    const socket = connect(port, '127.0.0.1');
    sockets.push(socket);
    socket.on('error', () => {});
    socket.resume();
    await new Promise(resolve => socket.once('close', resolve));
  });

  it('dials no free text, and no address of another peer', async () => {
    const [a, b] = [await start('a'), await start('b')];
    const right = b.transport.addresses()[0]!;
    const wrong = [
      'free text',
      '/unix/tmp/x',
      '/ip4/127.0.0.1/udp/1',
      right.replace(b.id, a.id),
      '/ip6/1:2:/tcp/1',
    ];
    a.transport.keepConnected(b.id, [...wrong, right, ...Array.from({ length: 40 }, () => right)]);
    expect(a.transport.peers()[0]!.addresses).toEqual(Array.from({ length: 16 }, () => right));
    await a.connected(b);
  });

  it('leaves nothing running after stop', async () => {
    const running = () =>
      process.getActiveResourcesInfo().filter(name => /TCP|Timeout|Immediate/.test(name)).length;
    const before = running();
    const [a, b] = [await start('a'), await start('b')];
    a.keep(b);
    await Promise.all([a.connected(b), b.connected(a)]);
    await a.ask(b, 'x');
    await Promise.all([a.transport.stop(), b.transport.stop()]);
    await a.transport.stop();
    for (let turn = 0; turn < 20; turn += 1) await new Promise(resolve => setImmediate(resolve));
    expect(running()).toBeLessThanOrEqual(before);
  });
});
