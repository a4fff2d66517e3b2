import { createHash } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../../../src/ports/logger.ts';
import type { Transport } from '../../../src/ports/transport.ts';
import { createLibp2pTransport } from '../../../src/transport/libp2p-transport.ts';
import { Links } from '../../chaos/network/links.ts';
import { realClock } from '../../support/memory-transport.ts';
import { RecordingPeer } from '../../support/recording-peer.ts';

const BREAKS = 12;

/** Someone on the way turns bits below the encryption. An error that ends the process fails the test by itself. */
describe('bytes turned on the way', () => {
  const started: Transport[] = [];
  let links: Links | null = null;
  const open = async (name: string) => {
    const transport = await createLibp2pTransport({
      privateKeySeed: createHash('sha256').update(name).digest(),
      listen: ['/ip4/127.0.0.1/tcp/0'],
      logger: silentLogger,
      clock: realClock,
      limits: { reconnectMsMin: 5, reconnectMsMax: 20, heartbeatMs: 100 },
    });
    started.push(transport);
    const peer = new RecordingPeer(transport);
    await transport.start();
    return peer;
  };
  afterEach(async () => {
    await Promise.all(started.splice(0).map(transport => transport.stop()));
    await links?.close();
  });

  it('[32] ends the link and makes another, whichever side sees them', async () => {
    const [one, other] = [await open('one'), await open('other')];
    const port = () => Number(/\/tcp\/(\d+)/.exec(other.transport.addresses()[0]!)![1]);
    links = new Links(7, port);
    const proxied = await links.add('one', 'other');
    one.transport.keepConnected(other.id, [`/ip4/127.0.0.1/tcp/${proxied}`]);
    for (let count = 1; count <= BREAKS; count += 1) {
      await Promise.all([one.connected(other), other.connected(one)]);
      const [from, to, sender, receiver] =
        count % 2 === 0 ? (['one', 'other', one, other] as const) : (['other', 'one', other, one] as const);
      links.direction(from, to).garbleNext();
      sender.say(receiver, `frame ${count}`);
      const losses = (peer: RecordingPeer) =>
        peer.events.filter(event => event.startsWith('disconnected')).length;
      await Promise.all([one, other].map(peer => peer.until(() => losses(peer) >= count)));
    }
    await Promise.all([one.connected(other), other.connected(one)]);
    expect(one.say(other, 'whole again')).toBe(true);
    await other.until(() => other.frames.some(frame => frame.text === 'whole again'));
    expect(other.frames.map(frame => frame.text)).toEqual(['whole again']);
  });
});
