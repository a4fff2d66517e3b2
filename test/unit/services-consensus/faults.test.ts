import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { isReject, reject } from '../../../src/core/base/reject.ts';
import { silentLogger } from '../../../src/ports/logger.ts';
import type { ProtocolHandler } from '../../../src/ports/transport.ts';
import { readBlock } from '../../../src/services/sync/blocks.ts';
import { SYNC_PROTOCOL } from '../../../src/services/sync/limits.ts';
import { FileWal } from '../../../src/store/file-wal.ts';
import { LevelStore } from '../../../src/store/level-store.ts';
import { MemoryStore } from '../../../src/store/memory-store.ts';
import { MemoryWal } from '../../../src/store/memory-wal.ts';
import { createLibp2pTransport } from '../../../src/transport/libp2p-transport.ts';
import { type SyncBlock, syncAnswerCodec, syncHeadCodec, syncRequestCodec } from '../../../src/wire/sync.ts';
import { bytesOf } from '../../support/ledger-kit.ts';
import { realClock } from '../../support/memory-transport.ts';
import { Cluster, type ClusterOptions } from './cluster.ts';

let cluster: Cluster | null = null;
afterEach(async () => {
  await cluster?.stop();
  cluster = null;
});

function newCluster(options: ClusterOptions = {}): Cluster {
  cluster = new Cluster(options);
  return cluster;
}

/** Commits so many blocks of one transaction each. */
async function commitBlocks(net: Cluster, count: number): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    const { id, bytes } = net.transaction();
    const answer = await net.running[0]!.pool.submit(bytes);
    expect(isReject(answer)).toBe(false);
    await net.committed([id]);
  }
}

/** Puts a peer in a validator's place that speaks nothing but the sync protocol, and claims a head far above. */
async function startImpostor(net: Cluster, index: number, request: ProtocolHandler['request']) {
  const transport = net.network.create({ peerId: net.peerId(index) });
  const options = {
    id: SYNC_PROTOCOL,
    frameBytesMax: 1 << 26,
    outboxBytesMax: 1 << 26,
    requestsInFlightMax: 4,
  };
  transport.register(options, { message: () => null, request: request! });
  transport.onEvents({
    connected: peer => transport.send(peer, SYNC_PROTOCOL, syncHeadCodec.encode(1_000_000)),
    disconnected: () => {},
  });
  await transport.start();
  return transport;
}

const lies: Record<string, (blocks: SyncBlock[]) => { headHeight: number; blocks: SyncBlock[] }> = {
  'a certificate with a flipped bit': blocks => {
    const signatures = blocks[0]!.certificate.signatures.map(entry => ({
      ...entry,
      signature: entry.signature.map((byte, at) => (at === 40 ? byte ^ 1 : byte)),
    }));
    return {
      headHeight: 99,
      blocks: [{ ...blocks[0]!, certificate: { ...blocks[0]!.certificate, signatures } }],
    };
  },
  'an entry with another outcome': blocks => {
    const entries = blocks[0]!.block.entries.map(entry => ({ ...entry, outcome: 22 }));
    return { headHeight: 99, blocks: [{ ...blocks[0]!, block: { ...blocks[0]!.block, entries } }] };
  },
  'the body of another block': blocks => {
    return { headHeight: 99, blocks: [{ ...blocks[0]!, transactions: blocks[1]!.transactions }] };
  },
  'a block left out': blocks => ({ headHeight: 99, blocks: blocks.slice(1) }),
  'nothing, though it claims to have it': () => ({ headHeight: 99, blocks: [] }),
};

describe('state transfer', () => {
  for (const [name, lie] of Object.entries(lies)) {
    it(`[16][52][53] an empty node catches up although a peer serves ${name}`, async () => {
      const left: string[] = [];
      const logger = {
        ...silentLogger,
        child: () => logger,
        warn: (_: object, text: string) => left.push(text),
      };
      const net = newCluster({ logger });
      await net.start(0, 1, 2);
      await commitBlocks(net, 4);
      const blocks = [1, 2, 3, 4].map(height => readBlock(net.node(0).store, height)!);
      await net.stop(2);
      const impostor = await startImpostor(net, 2, async (_, frame) => {
        const asked = syncRequestCodec.decode(frame);
        if (isReject(asked)) return asked;
        if (asked.kind !== 'blocks') return reject('gone', asked.kind, 'ignore');
        const from = blocks.slice(asked.fromHeight - 1);
        const told = lie(from.length >= 2 ? from : blocks);
        return syncAnswerCodec.encode({ kind: 'blocks', bodiesFrom: 1, ...told });
      });
      await net.start(3);
      await net.until(() => net.node(3).chain.headHeight() >= 4);
      await net.node(3).sync.idle();
      expect(net.chain(3).slice(0, 5)).toEqual(net.chain(0).slice(0, 5));
      expect(left).toContain('sync source left out');
      await impostor.stop();
      expect(net.fatal).toEqual([]);
    });
  }

  it('[51] a node that stops in the middle of catching up goes on after its restart', async () => {
    const net = newCluster({ limits: { sync: { blocksPerRequest: 2 } } });
    await net.start(0, 1, 2);
    await commitBlocks(net, 12);
    await net.start(3);
    await net.until(() => net.node(3).chain.headHeight() >= 3);
    await net.stop(3);
    await net.start(3);
    await net.sameHead();
    await commitBlocks(net, 1);
    expect(net.chain(3)).toEqual(net.chain(0));
    expect(net.fatal).toEqual([]);
  });

  it('refuses blocks to a member’s node, which may connect', async () => {
    const net = newCluster();
    await net.start();
    const stranger = net.network.create({ peerId: net.bob.card.peerIds[0]! });
    const options = { id: SYNC_PROTOCOL, frameBytesMax: 1024, outboxBytesMax: 1024, requestsInFlightMax: 1 };
    stranger.register(options, {});
    const connected = new Promise<void>(resolve =>
      stranger.onEvents({ connected: () => resolve(), disconnected: () => {} }),
    );
    await stranger.start();
    stranger.keepConnected(net.peerId(0), []);
    await connected;
    const request = syncRequestCodec.encode({ kind: 'blocks', fromHeight: 1, blocksMax: 1, bytesMax: 1 });
    const answer = await stranger.request(net.peerId(0), SYNC_PROTOCOL, request, { timeoutMs: 5000 });
    expect(answer).toEqual(reject('not_validator', 'the sync protocol is for validators', 'ignore'));
    await stranger.stop();
  });
});

describe('faults', () => {
  it('[23][61] a follower that is cut off misses blocks and catches up when the links heal', async () => {
    const net = newCluster();
    await net.start();
    await commitBlocks(net, 2);
    for (const other of [0, 1, 2]) net.network.cut(net.peerId(3), net.peerId(other));
    const missed = net.transactions(5);
    await Promise.all(missed.map(({ bytes }) => net.node(1).pool.submit(bytes)));
    const others = [0, 1, 2].map(index => net.node(index));
    await net.committed(
      missed.map(({ id }) => id),
      others,
    );
    for (const other of [0, 1, 2]) net.network.heal(net.peerId(3), net.peerId(other));
    await commitBlocks(net, 1);
    await net.sameHead();
    expect(net.chain(3)).toEqual(net.chain(0));
  });

  it('[61] without a quorum nothing is committed; after the heal everything is', async () => {
    const net = newCluster();
    await net.start();
    await commitBlocks(net, 1);
    for (const a of [0, 1]) for (const b of [2, 3]) net.network.cut(net.peerId(a), net.peerId(b));
    const left = net.transactions(3, net.alice);
    const right = net.transactions(3, net.bob);
    await Promise.all(left.map(({ bytes }) => net.node(0).pool.submit(bytes)));
    await Promise.all(right.map(({ bytes }) => net.node(3).pool.submit(bytes)));
    const before = net.running.map(node => node.chain.headHeight());
    await new Promise<void>(resolve => net.node(0).options.clock.setTimer(700, resolve));
    expect(net.running.map(node => node.chain.headHeight())).toEqual(before);
    for (const a of [0, 1]) for (const b of [2, 3]) net.network.heal(net.peerId(a), net.peerId(b));
    await net.committed([...left, ...right].map(({ id }) => id));
    await net.sameHead();
    expect(net.chain(3)).toEqual(net.chain(0));
    expect(net.fatal).toEqual([]);
  });

  it('[67] a node whose log cannot be written stops voting and says so; the others go on', async () => {
    class FullWal extends MemoryWal {
      full = false;
      override async append(records: readonly Uint8Array[]): Promise<void> {
        if (this.full) throw new Error('no space left on device');
        await super.append(records);
      }
    }
    const wal = new FullWal();
    const net = newCluster({
      disk: index => ({ kv: new MemoryStore(), wal: index === 2 ? wal : new MemoryWal() }),
    });
    await net.start();
    await commitBlocks(net, 1);
    wal.full = true;
    const { id, bytes } = net.transaction();
    await net.node(0).pool.submit(bytes);
    await net.until(() => net.fatal.length > 0);
    expect(net.fatal).toMatchObject([{ message: 'no space left on device' }]);
    const sent = net.node(2).consensus.counters.messagesOut;
    await net.committed([id], [net.node(0), net.node(1), net.node(3)]);
    expect(net.node(2).consensus.counters.messagesOut).toBe(sent);
  });

  it('[8][14] restarts one after the other under load lose nothing', async () => {
    const net = newCluster();
    await net.start();
    const ids: Awaited<ReturnType<Cluster['transactions']>> = [];
    for (const index of [3, 2, 1, 0]) {
      const batch = net.transactions(20);
      ids.push(...batch);
      const keepers = net.running.filter((_, at) => at !== index);
      await Promise.all(batch.map(({ bytes }, at) => keepers[at % keepers.length]!.pool.submit(bytes)));
      await net.stop(index);
      await net.start(index);
      await net.committed(batch.map(({ id }) => id));
    }
    await net.sameHead();
    for (const index of [1, 2, 3]) expect(net.chain(index)).toEqual(net.chain(0));
    expect(net.fatal).toEqual([]);
  });
});

describe('on disk and over libp2p', () => {
  it('[1][14] four nodes agree, stop, and start again', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'phaseline-consensus-'));
    const seeds = [0, 1, 2, 3].map(index => bytesOf(`transport seed ${index}`, 32));
    const options = { listen: ['/ip4/127.0.0.1/tcp/0'], logger: silentLogger, clock: realClock };
    const make = () =>
      Promise.all(seeds.map(privateKeySeed => createLibp2pTransport({ ...options, privateKeySeed })));
    let transports = await make();
    const peers = transports.map(transport => transport.peerId);
    const net = newCluster({
      withoutAddresses: true,
      parameters: { viewTimeoutMs: 2000 },
      transport: index => transports[index]!,
      disk: index => ({
        kv: new LevelStore(join(directory, `${index}`, 'state')),
        wal: new FileWal(join(directory, `${index}`, 'consensus.wal')),
      }),
      genesis: plain => ({
        ...plain,
        validators: plain.validators.map((validator, index) => ({ ...validator, peerId: peers[index]! })),
      }),
    });
    const connect = () => {
      for (const [index, transport] of transports.entries()) {
        for (const other of transports.slice(0, index))
          transport.keepConnected(other.peerId, other.addresses());
      }
    };
    await net.start();
    connect();
    await commitBlocks(net, 3);
    const before = net.chain(0);
    await net.stop();
    transports = await make();
    for (const index of [0, 1, 2, 3]) {
      net.disks[index] = {
        kv: new LevelStore(join(directory, `${index}`, 'state')),
        wal: new FileWal(join(directory, `${index}`, 'consensus.wal')),
      };
    }
    await net.start();
    connect();
    await commitBlocks(net, 3);
    await net.sameHead();
    expect(net.chain(3)).toEqual(net.chain(1));
    expect(net.chain(0).slice(0, before.length)).toEqual(before);
    expect(net.fatal).toEqual([]);
    await net.stop();
    await rm(directory, { recursive: true, force: true });
  });
});
