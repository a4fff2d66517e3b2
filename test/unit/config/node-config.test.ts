import { describe, expect, it } from 'vitest';
import { formatNodeConfig, parseNodeConfig } from '../../../src/config/node-config.ts';
import type { MemberId } from '../../../src/core/base/ids.ts';

const sample = {
  role: 'participant' as const,
  name: 'alice' as MemberId,
  network: {
    listen: ['/ip4/127.0.0.1/tcp/0'],
    peers: [{ peerId: '12D3KooWPeer', addresses: ['/dns4/node-1.example/tcp/7801'] }],
  },
};

const withAddress = (address: string) =>
  parseNodeConfig(
    formatNodeConfig({ ...parse(), network: { ...sample.network, listen: [address] } }),
    'config.toml',
  );
const parse = () =>
  parseNodeConfig(
    `role = "${sample.role}"\nname = "${sample.name}"\n[network]\nlisten = ["/ip4/127.0.0.1/tcp/0"]\n` +
      `[[network.peers]]\npeerId = "12D3KooWPeer"\naddresses = ["/dns4/node-1.example/tcp/7801"]\n`,
    'config.toml',
  );

describe('node configuration', () => {
  it('fills in loopback, no admin methods and the log level, and reads what it writes', () => {
    const config = parse();
    expect(config.network).toEqual(sample.network);
    expect(config.rpc).toMatchObject({ host: '127.0.0.1', port: 0, admin: false });
    expect(parseNodeConfig(formatNodeConfig(config), 'config.toml')).toEqual(config);
  });

  it('names the field and its form when an address is none', () => {
    expect(withAddress('/ip6/::1/tcp/7801').network.listen).toEqual(['/ip6/::1/tcp/7801']);
    for (const address of [
      '/ip4/127.0.0.1/udp/1/quic-v1',
      '/dns/host/tcp/1',
      '/ip4/300.0.0.1/tcp/1',
      'localhost:7801',
    ]) {
      expect(() => withAddress(address)).toThrow(/network\.listen\.0: an address looks like/);
    }
  });

  it('names an unknown key and text that is not TOML', () => {
    expect(() => parseNodeConfig('rolle = 1', 'config.toml')).toThrow(/config\.toml/);
    expect(() => parseNodeConfig('role = ', 'config.toml')).toThrow(/not TOML/);
  });
});
