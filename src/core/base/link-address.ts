/** Where a node can be dialed: the only form of multiaddr that links use, and that one peer may tell of to others. */
export interface LinkAddress {
  readonly kind: 'ip4' | 'ip6' | 'dns4' | 'dns6';
  readonly host: string;
  readonly port: number;
  /** Peer id text, as written. */
  readonly peer: string | null;
}

const FORM = /^\/(ip4|ip6|dns4|dns6)\/([^/]{1,253})\/tcp\/([1-9]\d{0,4})(?:\/p2p\/([\w-]{1,128}))?$/;
const HOSTS = {
  ip4: /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/,
  ip6: /^(?=.*:.*:)[\da-f:]{2,39}(?:(?<=:)\d{1,3}(?:\.\d{1,3}){3})?$/i,
  dns4: /^[a-z\d_](?:[a-z\d_-]{0,62})(?:\.[a-z\d_][a-z\d_-]{0,62})*$/i,
} as const;

/** @returns null for anything but `/ip4|ip6|dns4|dns6/HOST/tcp/PORT`, with `/p2p/ID` or without */
export function parseLinkAddress(text: string): LinkAddress | null {
  const match = FORM.exec(text);
  if (match === null) return null;
  const kind = match[1] as LinkAddress['kind'];
  const host = match[2]!;
  const port = Number(match[3]);
  const hosts = kind === 'ip4' || kind === 'ip6' ? HOSTS[kind] : HOSTS.dns4;
  if (port > 65_535 || !hosts.test(host)) return null;
  return { kind, host, port, peer: match[4] ?? null };
}
