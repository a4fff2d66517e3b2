import { mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { formatGenesis } from '../../../src/config/genesis-file.ts';
import { dataPaths } from '../../../src/config/node-config.ts';
import { isReject } from '../../../src/core/base/reject.ts';
import { STATE_KEYS } from '../../../src/core/codec/state.ts';
import { decodeBody, decodeSignedTransaction } from '../../../src/core/codec/transaction.ts';
import type { KeyValueStore } from '../../../src/ports/kv.ts';
import { backUp, restore } from '../../../src/roles/backup.ts';
import { databaseInfo, pruneDatabase } from '../../../src/roles/chain-database.ts';
import { verifyDatabase } from '../../../src/roles/verify-database.ts';
import { HeldVerifier } from '../../../src/roles/verify-held.ts';
import { Pruner } from '../../../src/services/sync/pruner.ts';
import { keys } from '../../../src/store/keyspaces.ts';
import { KvSigningRecords } from '../../../src/store/kv-signing-records.ts';
import { LevelStore } from '../../../src/store/level-store.ts';
import { MemoryStore } from '../../../src/store/memory-store.ts';
import { createActor } from '../../support/ledger-kit.ts';
import { fetchOf, serverAt, transfer } from '../../support/snapshot-kit.ts';
import { StoredChain } from '../../support/stored-chain.ts';
import { temporaryDirectory } from './temporary.ts';

const HEIGHT = 70;
const chain = new StoredChain({ replayWindowBlocks: 50 });
chain.next(chain.actions.register(chain.alice, createActor('carol')));
while (chain.height < 80) chain.next();
const systemLog = chain.ledger.logId('system');
const source = await serverAt(chain, HEIGHT);

async function pruned(
  keepBlocks: number,
  kv: KeyValueStore = new MemoryStore(),
  heights: readonly number[] = [chain.height],
) {
  const store = await chain.store(chain.height, kv);
  const pruner = new Pruner({
    store,
    served: { heights: () => heights },
    keepBlocks,
    systemLog: () => systemLog,
    fail: error => {
      throw error;
    },
  });
  pruner.onCommitted(chain.height);
  await pruner.idle();
  return { store, kv };
}

async function fromSnapshot(kv: KeyValueStore = new MemoryStore()) {
  const store = await chain.store(0, kv);
  const stage = store.stage();
  await stage.begin();
  const fetch = fetchOf(chain, HEIGHT, store, stage);
  await transfer(fetch, stage, source.server);
  const end = fetch.finish();
  if (isReject(end)) throw new Error(end.detail);
  await stage.install(end);
  return { store, kv };
}

const namesSystem = (bytes: Uint8Array): boolean => {
  const signed = decodeSignedTransaction(bytes);
  const body = isReject(signed) ? signed : decodeBody(signed.body);
  return !isReject(body) && body.scopes.includes(systemLog);
};

describe('pruning', () => {
  it('[54] takes the transactions of old blocks and nothing else; those of the system log stay', async () => {
    const { store, kv } = await pruned(10);
    expect(store.history).toMatchObject({ baseHeight: 0, blocksFrom: 1, bodiesFrom: 71 });
    const whole = await chain.store();
    for (const { block, transactions } of chain.made) {
      const { height } = block.header;
      expect(store.block(height)).toEqual(whole.block(height));
      for (const [index, { id, wrapperHash }] of block.entries.entries()) {
        const stays = height > 70 || namesSystem(transactions[index]!);
        expect(store.transaction(id) !== null).toBe(stays);
        expect(store.wrapper(wrapperHash) !== null).toBe(stays);
        expect(store.locate(id)).toEqual(whole.locate(id));
      }
    }
    expect(store.leafHashes(systemLog, 0, 1)).toEqual(whole.leafHashes(systemLog, 0, 1));
    const again = await chain.store(0, kv);
    expect(again.history.bodiesFrom).toBe(71);
  });

  it('keeps what whoever took the oldest snapshot still needs', async () => {
    const { store } = await pruned(10, new MemoryStore(), [60, 40]);
    expect(store.history.bodiesFrom).toBe(41);
  });

  it('keeps everything while there is no snapshot: whoever is new has nothing else to begin with', async () => {
    const { store } = await pruned(10, new MemoryStore(), []);
    expect(store.history.bodiesFrom).toBe(1);
  });
});

describe('verification of what is held', () => {
  const verify = async ({ store, kv }: Awaited<ReturnType<typeof pruned>>) =>
    (await new HeldVerifier(chain.genesis, kv, await chain.store(0, kv)).verify()) ?? store;

  it('accepts a pruned store and one that began with a snapshot', async () => {
    const first = await verify(await pruned(10));
    expect(first).toEqual({ blocks: 80, transactions: 11, fault: null });
    const second = await verify(await fromSnapshot());
    expect(second).toEqual({ blocks: 51, transactions: 0, fault: null });
  });

  const project = chain.made[60]!.diff;
  const stateKey = [...project.state.keys()].find(key => key.startsWith('project/'))!;
  const logId = project.leaves[0]!.logId;
  const damages: readonly (readonly [string, string, string])[] = [
    ['a state', keys.state(1, stateKey), 'does not match its digest'],
    ['a leaf', keys.leaf(logId, 0), 'leaf 0 is stored wrongly'],
    ['the size of a log', keys.logSize(1, logId), 'another size'],
    ['a row of a log', keys.state(1, STATE_KEYS.log(logId)), 'root'],
  ];
  it.each(damages)('[68] names %s that is not what was certified', async (_, key, words) => {
    const held = await fromSnapshot();
    const value = held.kv.get(key)!;
    value[Math.min(40, value.length - 1)]! ^= 1;
    await held.kv.batch([{ type: 'put', key, value }], { sync: true });
    expect((await verify(held)).fault).toContain(words);
  });
});

describe('the commands for a stopped node', () => {
  const root = temporaryDirectory();
  const config = (name: string, rest: string) =>
    `role = "consensus"\nname = "${name}"\n${rest}\n[network]\nlisten = ["/ip4/127.0.0.1/tcp/7801"]\npeers = []\n`;

  async function directory(name: string, rest = ''): Promise<string> {
    const dir = join(root, name);
    const paths = dataPaths(dir);
    await mkdir(join(dir, 'keys'), { recursive: true });
    await writeFile(paths.config, config(name, rest));
    await writeFile(paths.genesis, formatGenesis(chain.genesis));
    await writeFile(paths.keystore, '{}');
    await mkdir(paths.database);
    await writeFile(paths.wal, 'votes');
    const kv = new LevelStore(paths.state);
    await chain.store(chain.height, kv);
    const record = { publicKey: chain.genesis.validators[0]!.publicKey, logIdentity: 'log', lost: false };
    await new KvSigningRecords(kv).write([record]);
    await kv.close();
    return dir;
  }

  it('says what is held, prunes only where that is configured, and verifies afterwards', async () => {
    const archive = await directory('archive');
    expect(await databaseInfo(archive)).toMatchObject({
      height: 80,
      mode: 'archive',
      bodiesFrom: 1,
      mayVote: true,
    });
    await expect(pruneDatabase(archive)).rejects.toMatchObject({ code: 'not_pruned' });
    expect(await verifyDatabase(archive)).toMatchObject({ blocks: 81, fault: null, left: null });
    const dir = await directory('pruned', 'history = "pruned"\nkeepBlocks = 20');
    expect(await pruneDatabase(dir)).toMatchObject({ mode: 'pruned', bodiesFrom: 61 });
    expect(await databaseInfo(dir)).toMatchObject({ mode: 'pruned', bodiesFrom: 61 });
    const report = await verifyDatabase(dir);
    expect(report).toMatchObject({ blocks: 80, fault: null });
    expect(report.left).toContain('below 61');
  });

  it('[16] a restored node has the chain and not the right to vote', async () => {
    const dir = await directory('kept');
    const backup = join(root, 'backup');
    const made = join(root, 'made');
    await backUp(dir, backup);
    await expect(backUp(dir, backup)).rejects.toMatchObject({ code: 'not_empty' });
    await restore(backup, made);
    expect(await databaseInfo(made)).toMatchObject({ height: 80, mayVote: false });
    expect(await verifyDatabase(made)).toMatchObject({ fault: null });
    for (const copy of [backup, made]) {
      await expect(stat(dataPaths(copy).wal)).rejects.toMatchObject({ code: 'ENOENT' });
    }
    await expect(restore(backup, made)).rejects.toMatchObject({ code: 'not_empty' });
  });
});
