import { readGenesis } from '../config/genesis-file.ts';
import { dataPaths, KEEP_BLOCKS_DEFAULT, type NodeConfig, readNodeConfig } from '../config/node-config.ts';
import { logIdOf } from '../core/codec/transaction.ts';
import { readSystem } from '../core/ledger/read.ts';
import type { Genesis } from '../core/types/state.ts';
import { nodeSuite } from '../crypto/suite.ts';
import { OperatingError } from '../ports/lifecycle.ts';
import type { HistoryView } from '../rpc/api.ts';
import { Pruner } from '../services/sync/pruner.ts';
import { lockDirectory } from '../store/directory-lock.ts';
import { keys } from '../store/keyspaces.ts';
import { KvChainStore } from '../store/kv-chain-store.ts';
import { KvServedSnapshots } from '../store/kv-served-snapshots.ts';
import { KvSigningRecords } from '../store/kv-signing-records.ts';
import { LevelStore } from '../store/level-store.ts';
import { KvStateRebuild } from '../store/state-rebuild.ts';
import { replayWindowOf } from './chain-checks.ts';

export interface OpenChain {
  readonly config: NodeConfig;
  readonly genesis: Genesis;
  readonly kv: LevelStore;
  readonly store: KvChainStore;
}

async function configOf(dir: string): Promise<NodeConfig> {
  const config = await readNodeConfig(dir);
  if (config.role !== 'consensus') {
    throw new OperatingError(
      'no_chain',
      `${dir} belongs to a ${config.role} node: it holds no chain`,
      'Give the data directory of a consensus node.',
    );
  }
  return config;
}

/**
 * The chain of a stopped consensus node.
 * @throws OperatingError `directory_in_use` while the node runs, `no_chain`, and those of reading
 */
export async function withChain<T>(dir: string, use: (chain: OpenChain) => Promise<T>): Promise<T> {
  const paths = dataPaths(dir);
  const config = await configOf(dir);
  const genesis = await readGenesis(paths.genesis);
  const lock = await lockDirectory(dir);
  const kv = new LevelStore(paths.state);
  try {
    await kv.open();
    const store: KvChainStore = new KvChainStore(kv, {
      replayWindowBlocks: () => replayWindowOf(store, genesis),
    });
    return await use({ config, genesis, kv, store });
  } finally {
    await kv.close();
    await lock.release();
  }
}

export interface DatabaseInfo extends HistoryView {
  readonly name: string;
  /** Null before genesis was applied. */
  readonly height: number | null;
  readonly head: string | null;
  readonly validatorSetId: number | null;
  /** False where the node will observe when it starts; null before its first start. */
  readonly mayVote: boolean | null;
}

export function databaseInfo(dir: string): Promise<DatabaseInfo> {
  return withChain(dir, async ({ config, kv, store }) => {
    const head = store.head();
    const { baseHeight, blocksFrom, bodiesFrom } = store.history;
    return {
      name: config.name,
      height: head?.block.header.height ?? null,
      head: head?.hash ?? null,
      validatorSetId: head === null ? null : readSystem(store.state).validatorSet.id,
      mode: config.history ?? 'archive',
      baseHeight,
      blocksFrom,
      bodiesFrom,
      mayVote: head === null ? null : new KvSigningRecords(kv).read().some(record => !record.lost),
    };
  });
}

/**
 * Deletes the transactions of blocks below the newest `keepBlocks`, of a stopped node that is configured to prune. Takes a snapshot
 * first, for those who need what is deleted.
 * @returns the history afterwards
 */
export function pruneDatabase(dir: string): Promise<HistoryView> {
  return withChain(dir, async ({ config, kv, store }) => {
    const head = store.head();
    if (config.history !== 'pruned' || head === null) {
      throw new OperatingError(
        'not_pruned',
        head === null ? `${dir} holds no block` : `${dir} is configured as an archive`,
        'Set history = "pruned" in config.toml first.',
      );
    }
    const { chainId, height } = head.block.header;
    const systemLog = () => logIdOf(nodeSuite.sha256, chainId, 'system', chainId);
    const failures: unknown[] = [];
    const fail = (error: unknown) => failures.push(error);
    const served = new KvServedSnapshots(kv, store, nodeSuite.sha256, fail);
    await served.open();
    served.take();
    await served.idle();
    const keepBlocks = config.keepBlocks ?? KEEP_BLOCKS_DEFAULT;
    // nobody is fetching an older one from a node that is stopped
    const newest = { heights: () => served.heights().slice(0, 1) };
    const pruner = new Pruner({ store, served: newest, keepBlocks, systemLog, fail });
    pruner.onCommitted(height);
    await pruner.idle();
    if (failures.length > 0) throw failures[0];
    await kv.compact();
    const { baseHeight, blocksFrom, bodiesFrom } = store.history;
    return { mode: 'pruned', baseHeight, blocksFrom, bodiesFrom };
  });
}

/** Null where there are none, or where they cannot be read. */
async function signingRecords(statePath: string): Promise<Uint8Array | null> {
  const kv = new LevelStore(statePath);
  try {
    await kv.open();
    return kv.get(keys.signing);
  } catch (error) {
    if (error instanceof OperatingError) return null;
    throw error;
  } finally {
    await kv.close();
  }
}

/**
 * Makes a damaged database readable, and has the next start of the node build its state anew.
 * @throws OperatingError `directory_in_use` while the node runs, `no_chain`, `repair_failed`
 */
export async function repairDatabase(dir: string): Promise<void> {
  const paths = dataPaths(dir);
  await configOf(dir);
  const lock = await lockDirectory(dir);
  const kv = new LevelStore(paths.state);
  try {
    const value = await signingRecords(paths.state);
    await LevelStore.repair(paths.state);
    await kv.open();
    // an older value could give back a right to vote that was lost: without the newest the node observes
    const key = keys.signing;
    await kv.batch([value === null ? { type: 'delete', key } : { type: 'put', key, value }], { sync: true });
    await new KvStateRebuild(kv).demand();
  } finally {
    await kv.close();
    await lock.release();
  }
}
