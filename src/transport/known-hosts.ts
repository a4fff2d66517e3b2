/**
 * One text for all the addresses that one party usually holds: an IPv4 address, or the /64 network of an IPv6 address.
 *
 * @returns null when the multiaddr does not begin with an IP address
 */
export function hostGroup(address: string): string | null {
  const [, kind, host] = address.split('/');
  if (kind === 'ip4') return host ?? null;
  if (kind !== 'ip6' || host === undefined) return null;
  // The URL parser normalises: lower case, shortest form, IPv4-mapped as two groups.
  const url = URL.canParse(`http://[${host}]/`) ? new URL(`http://[${host}]/`).hostname.slice(1, -1) : null;
  if (url === null) return null;
  const mapped = /^::ffff:([\da-f]{1,4}):([\da-f]{1,4})$/.exec(url);
  if (mapped !== null) {
    const [high, low] = [Number.parseInt(mapped[1]!, 16), Number.parseInt(mapped[2]!, 16)];
    return [high >> 8, high & 255, low >> 8, low & 255].join('.');
  }
  const [left = '', right] = url.split('::');
  const groups = left === '' ? [] : left.split(':');
  const tail = right === undefined || right === '' ? [] : right.split(':');
  if (right !== undefined) while (groups.length + tail.length < 8) groups.push('0');
  return `${[...groups, ...tail].slice(0, 4).join(':')}::/64`;
}

/** Hosts of peers: where a link stood before, and where the peers to keep connected are said to be. */
export class KnownHosts {
  /** The longest unused first. */
  private readonly linked = new Set<string>();
  private kept: ReadonlySet<string> | null = null;

  constructor(
    private readonly countMax: number,
    private readonly keptAddresses: () => Iterable<string>,
  ) {}

  has(host: string): boolean {
    this.kept ??= new Set([...this.keptAddresses()].map(hostGroup).filter(group => group !== null));
    return this.kept.has(host) || this.linked.has(host);
  }

  /** A link with an admitted peer stands. */
  noteLink(remote: string): void {
    const host = hostGroup(remote);
    if (host === null) return;
    this.linked.delete(host);
    this.linked.add(host);
    for (const oldest of this.linked) {
      if (this.linked.size <= this.countMax) break;
      this.linked.delete(oldest);
    }
  }

  keptChanged(): void {
    this.kept = null;
  }
}
