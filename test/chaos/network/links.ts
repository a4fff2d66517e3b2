import { connect, createServer, type Server, type Socket } from 'node:net';
import { Draws } from '../random.ts';
import { Direction, type Quality } from './direction.ts';
import { Pipe } from './pipe.ts';

const HOST = '127.0.0.1';

interface Proxy {
  readonly from: string;
  readonly to: string;
  readonly server: Server;
  readonly port: number;
}

/** A connection that was accepted while its path was cut: it is made when the path is back. */
interface Waiting {
  readonly proxy: Proxy;
  readonly socket: Socket;
}

/**
 * Every link between nodes as a loopback proxy below their encryption: one listener for each ordered pair, which is where the
 * first dials the second. Needs no privileges.
 */
export class Links {
  private readonly proxies: Proxy[] = [];
  private readonly directions = new Map<string, Direction>();
  private readonly refused = new Set<string>();
  private readonly sockets = new Set<Socket>();
  private waiting: Waiting[] = [];
  private readonly draws: Draws;

  /** @param portOf where a node listens */
  constructor(
    seed: number,
    private readonly portOf: (name: string) => number,
  ) {
    this.draws = new Draws(seed);
  }

  /** @returns the port where `from` reaches `to` */
  async add(from: string, to: string): Promise<number> {
    const server = createServer({ allowHalfOpen: true, noDelay: true });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, HOST, resolve);
    });
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('a TCP server has a port');
    const proxy = { from, to, server, port: address.port };
    server.on('connection', socket => this.accept(proxy, socket));
    this.proxies.push(proxy);
    return proxy.port;
  }

  direction(from: string, to: string): Direction {
    const key = `${from}>${to}`;
    const known = this.directions.get(key) ?? new Direction(this.draws);
    this.directions.set(key, known);
    return known;
  }

  /** Nothing reaches `to` from `from` any more; the other way stays as it is. */
  cut(from: string, to: string): void {
    this.direction(from, to).setOpen(false);
  }

  setQuality(from: string, to: string, quality: Partial<Quality>): void {
    this.direction(from, to).setQuality(quality);
  }

  /** Breaks the connections between two nodes. */
  reset(one: string, other: string): void {
    for (const [from, to] of [
      [one, other],
      [other, one],
    ] as const)
      for (const pipe of [...this.direction(from, to).pipes]) pipe.reset();
  }

  /** New connections of and to a node are refused, and the present ones broken, until `heal`. */
  refuse(name: string): void {
    this.refused.add(name);
    for (const key of this.directions.keys()) {
      const [from, to] = key.split('>') as [string, string];
      if (from === name || to === name) this.reset(from, to);
    }
  }

  /** Everything flows again; what was held back arrives. */
  heal(): void {
    this.refused.clear();
    for (const direction of this.directions.values()) {
      direction.setQuality({});
      direction.setOpen(true);
    }
    const waiting = this.waiting;
    this.waiting = [];
    for (const { proxy, socket } of waiting) this.accept(proxy, socket);
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    const closed = this.proxies.map(
      ({ server }) => new Promise<void>(resolve => server.close(() => resolve())),
    );
    await Promise.all(closed);
  }

  private accept(proxy: Proxy, socket: Socket): void {
    const { from, to } = proxy;
    this.track(socket);
    if (socket.destroyed) return;
    if (this.refused.has(from) || this.refused.has(to)) {
      socket.resetAndDestroy();
      return;
    }
    const there = this.direction(from, to);
    const back = this.direction(to, from);
    if (!there.open || !back.open) {
      socket.pause();
      this.waiting.push({ proxy, socket });
      return;
    }
    const upstream = connect({ port: this.portOf(to), host: HOST, allowHalfOpen: true, noDelay: true });
    this.track(upstream);
    new Pipe(socket, upstream, there);
    new Pipe(upstream, socket, back);
    socket.resume();
  }

  private track(socket: Socket): void {
    if (this.sockets.has(socket)) return;
    this.sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => this.sockets.delete(socket));
  }
}
