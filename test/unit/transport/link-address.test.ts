import { describe, expect, it } from 'vitest';
import type { MemberId } from '../../../src/core/base/ids.ts';
import { parseLinkAddress } from '../../../src/core/base/link-address.ts';
import { lightFrameCodec } from '../../../src/wire/light.ts';

const GOOD = [
  '/ip4/127.0.0.1/tcp/1',
  '/ip4/255.249.199.10/tcp/65535/p2p/12D3KooWGjMCtCZGyFJ5gzFtnjzAhLLs5KX7zYVxhJbLeLrBKtqv',
  '/ip6/::/tcp/80',
  '/ip6/2001:db8::1/tcp/4001',
  '/ip6/::ffff:10.0.0.1/tcp/4001',
  '/dns4/node-1.example.org/tcp/4001',
  '/dns6/localhost/tcp/4001/p2p/12D3KooWGjMCtCZGyFJ5gzFtnjzAhLLs5KX7zYVxhJbLeLrBKtqv',
];
const BAD = [
  '',
  'free text',
  '/memory/x',
  '/unix/tmp/socket',
  '/ip4/1.2.3.4/udp/1',
  '/ip4/1.2.3.4',
  '/ip4/1.2.3/tcp/1',
  '/ip4/1.2.3.4.5/tcp/1',
  '/ip4/256.1.1.1/tcp/1',
  '/ip4/01.1.1.1/tcp/1',
  '/ip4/1.2.3.4./tcp/1',
  '/ip4/1.2.3.4/tcp/0',
  '/ip4/1.2.3.4/tcp/65536',
  '/ip4/1.2.3.4/tcp/1/ws',
  '/ip4/1.2.3.4/tcp/1/p2p/a/p2p-circuit/p2p/b',
  '/ip4/1.2.3.4/tcp/1/p2p/',
  '/ip4/1.2.3.4/tcp/1\n',
  ' /ip4/1.2.3.4/tcp/1',
  '/ip6/1.2.3.4/tcp/1',
  '/ip6/fe80::1%eth0/tcp/1',
  '/dnsaddr/a.example/tcp/1',
  '/dns4/a..example/tcp/1',
  '/dns4/a b/tcp/1',
  '/dns4/a.example@b/tcp/1',
  `/dns4/${'a'.repeat(64)}/tcp/1`,
  `/dns4/${'a.'.repeat(200)}a/tcp/1`,
];

describe('link addresses', () => {
  it('are IP addresses or names with a TCP port, and nothing else', () => {
    expect(GOOD.filter(text => parseLinkAddress(text) === null)).toEqual([]);
    expect(BAD.filter(text => parseLinkAddress(text) !== null)).toEqual([]);
    expect(parseLinkAddress('/dns4/a.example/tcp/80/p2p/xyz')).toEqual({
      kind: 'dns4',
      host: 'a.example',
      port: 80,
      peer: 'xyz',
    });
  });

  it('are all that a hello may tell, sixteen of them', () => {
    const decoded = (addresses: readonly string[]) =>
      lightFrameCodec.decode(lightFrameCodec.encode({ kind: 'hello', member: 'bob' as MemberId, addresses }));
    expect(decoded(GOOD)).toMatchObject({ kind: 'hello', addresses: GOOD });
    for (const text of BAD) expect(decoded([GOOD[0]!, text])).toMatchObject({ reject: 'undecodable' });
    const many = (count: number) => Array.from({ length: count }, () => GOOD[0]!);
    expect(decoded(many(16))).toMatchObject({ addresses: many(16) });
    expect(decoded(many(17))).toMatchObject({ reject: 'undecodable' });
  });
});
