import './polyfill.ts';
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys';
import type { Libp2p, PeerId as Libp2pPeerId } from '@libp2p/interface';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import { createLibp2p } from 'libp2p';
import { OperatingError } from '../ports/lifecycle.ts';
import type { PeerId } from '../ports/transport.ts';
import type { InboundGate } from './inbound-gate.ts';
import { leanNoise } from './lean-noise.ts';
import type { LinkLimits } from './limits.ts';

/** A libp2p node that is not started: TCP, Noise, Yamux, and a gate on peer ids that the handshake has proven. */
export async function buildNode(
  seed: Uint8Array,
  listen: readonly string[],
  limits: LinkLimits,
  admits: (peer: PeerId) => boolean,
  inbound: InboundGate,
): Promise<Libp2p> {
  const denied = (peer: Libp2pPeerId) => !admits(peer.toString());
  const socket = { noDelay: true, highWaterMark: limits.socketBytesMax };
  return createLibp2p({
    start: false,
    privateKey: await generateKeyPairFromSeed('Ed25519', seed),
    addresses: { listen: [...listen] },
    transports: [tcp({ listenOpts: socket, dialOpts: socket })],
    connectionEncrypters: [leanNoise()],
    streamMuxers: [
      yamux({
        // Anything less and a paused stream is aborted (DEPENDENCIES.md).
        streamOptions: {
          maxStreamWindowSize: 4 << 20,
          maxReadBufferLength: 8 << 20,
          maxWriteBufferLength: 16 << 20,
          inactivityTimeout: 3_600_000,
        },
      }),
    ],
    connectionManager: {
      maxConnections: limits.connectionsMax,
      inboundConnectionThreshold: limits.connectionsPerSecondMax,
      // The gate bounds them, by host.
      maxIncomingPendingConnections: Number.MAX_SAFE_INTEGER,
      inboundUpgradeTimeout: limits.upgradeTimeoutMs,
      dialTimeout: limits.dialTimeoutMs,
      reconnectRetries: 0,
    },
    connectionMonitor: { enabled: false },
    connectionGater: {
      denyDialPeer: denied,
      denyInboundConnection: connection => inbound.denies(connection),
      denyInboundEncryptedConnection: denied,
      denyInboundUpgradedConnection: (_peer, connection) => {
        inbound.settled(connection);
        return false;
      },
      denyOutboundEncryptedConnection: denied,
      denyDialMultiaddr: () => false,
    },
  });
}

/** Starts the node; a listen address that is taken becomes `port_taken` and names the address. */
export async function startNode(node: Libp2p, listen: readonly string[]): Promise<void> {
  try {
    await node.start();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const taken = listen.find(address => message.includes(address)) ?? listen.join(', ');
    if (message.includes('EADDRINUSE')) {
      throw new OperatingError(
        'port_taken',
        `cannot listen on ${taken}: the port is taken`,
        'Stop the process that listens there, or configure another listen address.',
        error,
      );
    }
    throw new OperatingError(
      'cannot_listen',
      `cannot listen on ${taken}: ${message}`,
      'Check the configured listen addresses.',
      error,
    );
  }
}
