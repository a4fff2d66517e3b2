import { readFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import type { ChaosNode } from '../network/node.ts';
import { anyConsensus, type Nemesis, type Stage, seconds } from './stage.ts';

/** What a flooded node may use more than before, in MiB: its collector is lazy, a leak is not. */
const GROWTH_MIB_MAX = 200;
const SOCKETS_PER_STEP = 20;
const STEP_MS = 50;
const RECONNECT_TIMEOUT_MS = 20_000;

/** Resident memory of a node's process, in MiB. */
async function residentMib(node: ChaosNode): Promise<number> {
  const status = await readFile(`/proc/${node.pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0) / 1024;
}

async function connectedPeers(node: ChaosNode): Promise<number> {
  const { peers } = await node.call<{ peers: { connected: boolean }[] }>('node_status');
  return peers.filter(peer => peer.connected).length;
}

/** Connections from hosts that no peer has: half of them say nothing, half say what is no handshake. */
async function pour(stage: Stage, node: ChaosNode, durationMs: number): Promise<number> {
  const sockets = new Set<Socket>();
  let opened = 0;
  const open = () => {
    opened += 1;
    const socket = connect({
      ...{ host: '127.0.0.1', port: node.place.linkPort },
      localAddress: `127.66.${Math.floor(opened / 250) % 250}.${1 + (opened % 250)}`,
    });
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => sockets.delete(socket));
    if (opened % 2 === 0) socket.once('connect', () => socket.write(Buffer.alloc(256, opened)));
  };
  try {
    for (let passedMs = 0; passedMs < durationMs; passedMs += STEP_MS) {
      for (let count = 0; count < SOCKETS_PER_STEP; count += 1) open();
      await stage.sleep(STEP_MS);
    }
  } finally {
    for (const socket of sockets) socket.destroy();
  }
  return opened;
}

/** In the middle of the flood all links of validators break, and must come back. */
async function relink(stage: Stage, node: ChaosNode, peers: number): Promise<void> {
  await stage.sleep(1_000);
  for (const other of stage.network.consensus)
    if (other !== node) stage.network.links.reset(node.name, other.name);
  await stage.until(
    `${node.name} linked to ${peers} nodes again`,
    async () => (await connectedPeers(node)) >= peers,
    RECONNECT_TIMEOUT_MS,
  );
}

const flood: Nemesis = {
  name: 'flood',
  title: '[65] strangers open hundreds of connections a second',
  draw: (draws, shape) => {
    const target = anyConsensus(draws, shape);
    const floodMs = draws.between(4_000, 10_000);
    return {
      words: `strangers open ${(SOCKETS_PER_STEP * 1000) / STEP_MS} connections a second to ${target} for ${seconds(floodMs)}; validators must still link up`,
      run: async stage => {
        const node = await stage.node(target);
        const beforeMib = await residentMib(node);
        const peers = await connectedPeers(node);
        const [opened] = await Promise.all([pour(stage, node, floodMs), relink(stage, node, peers)]);
        const growthMib = (await residentMib(node)) - beforeMib;
        if (growthMib > GROWTH_MIB_MAX) throw new Error(`${node.name} grew by ${growthMib.toFixed(0)} MiB`);
        return `${node.name}: ${opened} connections, memory ${growthMib >= 0 ? '+' : ''}${growthMib.toFixed(0)} MiB`;
      },
    };
  },
};

export const FLOOD_NEMESES: readonly Nemesis[] = [flood];
