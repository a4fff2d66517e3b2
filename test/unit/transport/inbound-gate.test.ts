import type { MultiaddrConnection } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import { beforeEach, describe, expect, it } from 'vitest';
import { InboundGate } from '../../../src/transport/inbound-gate.ts';
import { hostGroup, KnownHosts } from '../../../src/transport/known-hosts.ts';
import { LINK_LIMITS } from '../../../src/transport/limits.ts';
import { realClock } from '../../support/memory-transport.ts';

/** What the gate sees of a connection. */
class Opened extends EventTarget {
  aborted = false;
  constructor(readonly remoteAddr: ReturnType<typeof multiaddr>) {
    super();
  }
  abort(): void {
    this.aborted = true;
    this.dispatchEvent(new Event('close'));
  }
}

let nowMs = 0;
let gate: InboundGate;
const limits = {
  ...LINK_LIMITS,
  pendingConnectionsMax: 4,
  pendingPerHostMax: 2,
  pendingPerKnownHostMax: 3,
  pendingGraceMs: 500,
};
const open = (host: string) => {
  const connection = new Opened(multiaddr(`/${host.includes(':') ? 'ip6' : 'ip4'}/${host}/tcp/1000`));
  const denied = gate.denies(connection as unknown as MultiaddrConnection);
  return { connection, denied };
};

describe('the gate for inbound connections [65]', () => {
  beforeEach(() => {
    nowMs = 0;
    gate = new InboundGate({ ...realClock, monotonicMs: () => nowMs }, limits, host => host === '10.0.0.1');
  });

  it('bounds the handshakes of one host, and of one IPv6 network', () => {
    expect(['1.1.1.1', '1.1.1.1', '1.1.1.1', '2.2.2.2'].map(host => open(host).denied)).toEqual([
      false,
      false,
      true,
      false,
    ]);
    gate = new InboundGate({ ...realClock, monotonicMs: () => nowMs }, limits, () => false);
    const hosts = ['2001:db8::1', '2001:db8:0:0:5::2', '2001:db8::3', '2001:db8:0:1::1'];
    expect(hosts.map(host => open(host).denied)).toEqual([false, false, true, false]);
  });

  it('keeps the places of known hosts from strangers, and bounds those too', () => {
    for (const host of ['1.1.1.1', '2.2.2.2', '3.3.3.3', '4.4.4.4']) expect(open(host).denied).toBe(false);
    expect(open('5.5.5.5').denied).toBe(true);
    expect([1, 2, 3, 4].map(() => open('10.0.0.1').denied)).toEqual([false, false, false, true]);
  });

  it('gives the place of a handshake that is over, or makes no progress, to the next', () => {
    const first = open('1.1.1.1');
    const second = open('1.1.1.1');
    second.connection.dispatchEvent(new Event('close'));
    const third = open('1.1.1.1');
    expect([third.denied, open('1.1.1.1').denied]).toEqual([false, true]);
    gate.settled(third.connection as unknown as MultiaddrConnection);
    expect(open('1.1.1.1').denied).toBe(false);
    nowMs = 500;
    expect([open('1.1.1.1').denied, first.connection.aborted, third.connection.aborted]).toEqual([
      false,
      true,
      false,
    ]);
  });
});

describe('known hosts', () => {
  it('are those of kept peers as long as these are kept, and where links stood, the newest', () => {
    let kept = ['/ip4/10.0.0.1/tcp/1', '/dns4/node.example/tcp/1'];
    const hosts = new KnownHosts(2, () => kept);
    expect([hosts.has('10.0.0.1'), hosts.has('10.0.0.2')]).toEqual([true, false]);
    kept = ['/ip4/10.0.0.2/tcp/1'];
    hosts.keptChanged();
    expect([hosts.has('10.0.0.1'), hosts.has('10.0.0.2')]).toEqual([false, true]);
    for (const last of [1, 2, 1, 3]) hosts.noteLink(`/ip4/10.1.0.${last}/tcp/9/p2p/x`);
    expect([1, 2, 3].map(last => hosts.has(`10.1.0.${last}`))).toEqual([true, false, true]);
  });

  it('are told apart by IPv4 address or IPv6 network, however written', () => {
    expect(hostGroup('/ip6/::ffff:10.1.2.3/tcp/1')).toBe('10.1.2.3');
    expect(hostGroup('/ip6/2001:DB8:0:0::1/tcp/1')).toBe('2001:db8:0:0::/64');
    expect(hostGroup('/ip6/1::2:3:4:5:6/tcp/1')).toBe('1:0:0:2::/64');
    expect(hostGroup('/ip6/::1/tcp/1')).toBe('0:0:0:0::/64');
    expect([hostGroup('/dns4/a/tcp/1'), hostGroup('/ip6/x/tcp/1'), hostGroup('')]).toEqual([
      null,
      null,
      null,
    ]);
  });
});
