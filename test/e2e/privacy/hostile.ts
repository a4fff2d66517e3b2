import { readFile } from 'node:fs/promises';
import { createServer, type Server, Socket } from 'node:net';
import { dataPaths } from '../../../src/config/node-config.ts';
import { isReject } from '../../../src/core/base/reject.ts';
import { type KeyBundle, openKeystore } from '../../../src/crypto/keystore.ts';
import type { Transport } from '../../../src/ports/transport.ts';
import { CONSENSUS_PROTOCOL } from '../../../src/services/consensus/limits.ts';
import { FILES_PROTOCOL } from '../../../src/services/files/limits.ts';
import { LIGHT_PROTOCOL } from '../../../src/services/light-server/limits.ts';
import { POOL_PROTOCOL } from '../../../src/services/pool/limits.ts';
import { SYNC_PROTOCOL } from '../../../src/services/sync/limits.ts';
import { systemClock } from '../../../src/system/clock.ts';
import { createLibp2pTransport } from '../../../src/transport/libp2p-transport.ts';
import { atEnd } from '../support/cleanup.ts';
import { until } from '../support/until.ts';
import type { Material } from './material.ts';

export const PROTOCOLS = [
  LIGHT_PROTOCOL.id,
  FILES_PROTOCOL,
  SYNC_PROTOCOL,
  POOL_PROTOCOL,
  CONSENSUS_PROTOCOL,
];

const silent = { trace() {}, debug() {}, info() {}, warn() {}, error() {}, fatal() {} };
const logger = { ...silent, child: () => logger } as never;

/** The keys of a node of a network on this machine. */
export async function keysOf(dir: string): Promise<KeyBundle> {
  const paths = dataPaths(dir);
  return openKeystore(paths.keystore, (await readFile(paths.passphrase, 'utf8')).trim());
}

export interface Target {
  readonly name: string;
  readonly peerId: string;
  readonly addresses: readonly string[];
}

/** A program of the adversary: it speaks every protocol of the nodes, with a key of its own, and keeps all that comes back. */
export class Hostile {
  private constructor(
    private readonly transport: Transport,
    private readonly material: Material,
  ) {}

  static async start(seed: Uint8Array, material: Material): Promise<Hostile> {
    const transport = await createLibp2pTransport({
      privateKeySeed: seed,
      listen: [],
      clock: systemClock,
      logger,
    });
    for (const id of PROTOCOLS) {
      const limits = { frameBytesMax: 72 << 20, outboxBytesMax: 144 << 20, requestsInFlightMax: 4 };
      // What peers send by themselves is kept too.
      const message = (_from: string, frame: Uint8Array) => {
        material.add(frame);
        return null;
      };
      transport.register({ id, ...limits }, { message, request: async () => new Uint8Array() });
    }
    await transport.start();
    const hostile = new Hostile(transport, material);
    atEnd(() => hostile.stop());
    return hostile;
  }

  stop(): Promise<void> {
    return this.transport.stop();
  }

  /** @returns false when the peer does not let it in */
  async connect({ peerId, addresses }: Target, waitMs = 3_000): Promise<boolean> {
    this.transport.keepConnected(peerId, addresses);
    const connected = () =>
      this.transport.peers().some(entry => entry.peer === peerId && entry.connected) ? true : null;
    return until(`a connection to ${peerId}`, connected, waitMs).catch(() => false);
  }

  say(peer: string, protocol: string, frame: Uint8Array): void {
    this.transport.send(peer, protocol, frame);
  }

  /** The answer, also kept as material; null when there is none. */
  async ask(peer: string, protocol: string, frame: Uint8Array): Promise<Uint8Array | null> {
    try {
      const answer = await this.transport.request(peer, protocol, frame, { timeoutMs: 3_000 });
      if (isReject(answer)) {
        this.material.add(JSON.stringify(answer));
        return null;
      }
      this.material.add(answer);
      return answer;
    } catch {
      return null;
    }
  }
}

/** Passes TCP on and keeps what goes by: the network between two nodes. */
export async function recordingPath(target: Target, material: Material): Promise<Target> {
  const port = Number(/\/tcp\/(\d+)/.exec(target.addresses[0]!)![1]);
  const sockets = new Set<Socket>();
  const server: Server = createServer(inbound => {
    const outbound = new Socket().connect(port, '127.0.0.1');
    for (const [from, to] of [
      [inbound, outbound],
      [outbound, inbound],
    ] as const) {
      sockets.add(from);
      from.on('data', bytes => {
        material.add(bytes);
        to.write(bytes);
      });
      from.on('error', () => to.destroy()).on('close', () => to.destroy());
    }
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  atEnd(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address() as { port: number };
  return {
    ...target,
    addresses: [`/ip4/127.0.0.1/tcp/${address.port}/p2p/${target.peerId}`],
  };
}
