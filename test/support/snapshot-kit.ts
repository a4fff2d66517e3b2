import type { LogId } from '../../src/core/base/ids.ts';
import { isReject, type Reject } from '../../src/core/base/reject.ts';
import { readLog } from '../../src/core/ledger/read.ts';
import { appendLeaves, EMPTY_FRONTIER } from '../../src/core/merkle/log.ts';
import type { SnapshotChunk, SnapshotRequest } from '../../src/core/snapshot/chunks.ts';
import { decodeSnapshotChunk, encodeSnapshotChunk } from '../../src/core/snapshot/codec.ts';
import { SnapshotFetch } from '../../src/core/snapshot/fetch.ts';
import { nodeSuite } from '../../src/crypto/suite.ts';
import type { SnapshotStage } from '../../src/ports/chain-store.ts';
import type { KeyValueStore } from '../../src/ports/kv.ts';
import { SYNC_LIMITS, type SyncLimits } from '../../src/services/sync/limits.ts';
import { SnapshotServer } from '../../src/services/sync/snapshot-server.ts';
import type { KvChainStore } from '../../src/store/kv-chain-store.ts';
import { KvServedSnapshots } from '../../src/store/kv-served-snapshots.ts';
import { MemoryStore } from '../../src/store/memory-store.ts';
import type { StoredChain } from './stored-chain.ts';

const { sha256 } = nodeSuite;

export interface Server {
  readonly store: KvChainStore;
  readonly served: KvServedSnapshots;
  readonly server: SnapshotServer;
}

/** A source with a snapshot of `height`; the chain of the source goes on to the end. */
export async function serverAt(
  chain: StoredChain,
  height: number,
  limits: Partial<SyncLimits> = {},
  kv: KeyValueStore = new MemoryStore(),
): Promise<Server> {
  const store = await chain.store(height, kv);
  const served = new KvServedSnapshots(kv, store, sha256, error => {
    throw error;
  });
  await served.open();
  served.take();
  await chain.fill(store);
  await served.idle();
  const server = new SnapshotServer({
    store,
    served,
    suite: nodeSuite,
    clock: { monotonicMs: () => 0 },
    limits: { ...SYNC_LIMITS, ...limits },
  });
  return { store, served, server };
}

export function heldBy(store: KvChainStore, stage: SnapshotStage) {
  return {
    frontier: (logId: LogId, sizeMax: number) => {
      const size = Math.min(stage.heldSize(logId), sizeMax);
      const row = readLog(store.state, logId);
      const start = row === null || row.size > size ? EMPTY_FRONTIER : row.frontier;
      return appendLeaves(sha256, start, stage.heldHashes(logId, start.size, size));
    },
    hasBlock: (height: number) => stage.hasBlock(height),
    blocksFrom: store.history.blocksFrom,
  };
}

export function fetchOf(chain: StoredChain, height: number, store: KvChainStore, stage: SnapshotStage) {
  const { block, certificate } = chain.made[height]!;
  const certified = { header: block.header, certificate: certificate! };
  const sets = [{ fromHeight: 0, set: { id: 0, validators: chain.genesis.validators } }];
  return new SnapshotFetch(nodeSuite, { certified, sets }, heldBy(store, stage));
}

/** As over the wire. */
export async function ask(server: SnapshotServer, request: SnapshotRequest): Promise<SnapshotChunk | Reject> {
  const chunk = await server.answer(request);
  return isReject(chunk) ? chunk : decodeSnapshotChunk(encodeSnapshotChunk(chunk));
}

/**
 * Fetches until nothing is left.
 * @param crashed gives up when it holds, as a crash would
 */
export async function transfer(
  fetch: SnapshotFetch,
  stage: SnapshotStage,
  server: SnapshotServer,
  crashed = () => false,
): Promise<SnapshotRequest[]> {
  const requests: SnapshotRequest[] = [];
  for (let request = fetch.next(); request !== null && !crashed(); request = fetch.next()) {
    requests.push(request);
    const chunk = await ask(server, request);
    if (isReject(chunk)) throw new Error(`${chunk.reject}: ${chunk.detail}`);
    const writes = fetch.accept(request, chunk);
    if (isReject(writes)) throw new Error(`${writes.reject}: ${writes.detail}`);
    await stage.put(writes, []);
  }
  return requests;
}
