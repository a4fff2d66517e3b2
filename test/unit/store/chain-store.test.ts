import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { afterAll, describe, expect, it } from 'vitest';
import { utf8 } from '../../../src/core/base/bytes.ts';
import type { LogId } from '../../../src/core/base/ids.ts';
import type { KeyValueStore, KvOperation } from '../../../src/ports/kv.ts';
import { KvChainStore } from '../../../src/store/kv-chain-store.ts';
import { LevelStore } from '../../../src/store/level-store.ts';
import { MemoryStore } from '../../../src/store/memory-store.ts';
import { chainStoreContract, commitTo, hashOf, SampleChain, wrapperOf } from '../../contracts/chain-store.ts';
import { temporaryDirectory } from './temporary.ts';

const root = temporaryDirectory();
const opened: LevelStore[] = [];
afterAll(async () => {
  for (const store of opened) await store.close();
});
const log = hashOf('log') as LogId;

async function memoryStore(): Promise<MemoryStore> {
  const store = new MemoryStore();
  await store.open();
  return store;
}

async function countKeys(kv: KeyValueStore, prefix: string): Promise<number> {
  let count = 0;
  for await (const _ of kv.entries({ from: prefix, to: `${prefix}~` })) count += 1;
  return count;
}

chainStoreContract('KvChainStore over MemoryStore', () => {
  const kv = memoryStore();
  return async () => new KvChainStore(await kv);
});

let places = 0;
chainStoreContract('KvChainStore over LevelStore', () => {
  places += 1;
  const kv = new LevelStore(join(root, `chain-${places}`));
  opened.push(kv);
  const opening = kv.open();
  return async () => {
    await opening;
    return new KvChainStore(kv);
  };
});

describe('KvChainStore', () => {
  it('knows ids for the replay window, and where they are for good', async () => {
    const kv = await memoryStore();
    const store = new KvChainStore(kv, { replayWindowBlocks: () => 3 });
    const chain = new SampleChain();
    await commitTo(store, chain.next());
    await commitTo(store, chain.next({ transactions: ['t'] }));
    for (let height = 2; height <= 4; height += 1) {
      await commitTo(store, chain.next());
      expect(store.state.seen(hashOf('t'))).toBe(1);
    }
    await commitTo(store, chain.next());
    expect(store.state.seen(hashOf('t'))).toBeNull();
    expect(store.locate(hashOf('t'))).toEqual({ height: 1, index: 0, outcome: 0 });
    expect(store.transaction(hashOf('t'))).not.toBeNull();
  });

  it('forgets by the window in force, however many heights that is at once', async () => {
    const kv = await memoryStore();
    let window = 100;
    const store = new KvChainStore(kv, { replayWindowBlocks: () => window });
    const chain = new SampleChain();
    for (let height = 0; height < 40; height += 1) {
      await commitTo(store, chain.next({ transactions: [`t${height}`] }));
    }
    window = 2;
    expect(store.state.seen(hashOf('t36'))).toBeNull();
    expect(store.state.seen(hashOf('t37'))).toBe(37);
    expect(new KvChainStore(kv, { replayWindowBlocks: () => window }).state.seen(hashOf('t36'))).toBeNull();
  });

  it('keeps map nodes for a while after they went stale, and then deletes them', async () => {
    const kv = await memoryStore();
    const store = new KvChainStore(kv, { staleNodeBlocks: 2, cleaningIntervalBlocks: 1 });
    const chain = new SampleChain();
    await commitTo(store, chain.next({ added: ['old', 'stays'] }));
    await commitTo(store, chain.next({ added: ['new'], stale: ['old'] }));
    await commitTo(store, chain.next());
    await commitTo(store, chain.next());
    expect(store.state.mapNode(hashOf('old'))).toEqual(utf8('old'));
    await commitTo(store, chain.next());
    expect(store.state.mapNode(hashOf('old'))).toBeNull();
    expect(store.state.mapNode(hashOf('new'))).toEqual(utf8('new'));
    expect(await countKeys(kv, 'node')).toBe(2);
    expect(await countKeys(kv, 'stale')).toBe(0);
  });

  it('does not delete a map node that came back before its time was up, or in the same block', async () => {
    const store = new KvChainStore(await memoryStore(), { staleNodeBlocks: 2, cleaningIntervalBlocks: 1 });
    const chain = new SampleChain();
    await commitTo(store, chain.next({ added: ['back', 'same'] }));
    await commitTo(store, chain.next({ stale: ['back', 'same'], added: ['same'] }));
    await commitTo(store, chain.next({ added: ['back'] }));
    for (let height = 0; height < 5; height += 1) await commitTo(store, chain.next());
    expect(store.state.mapNode(hashOf('back'))).toEqual(utf8('back'));
    expect(store.state.mapNode(hashOf('same'))).toEqual(utf8('same'));
  });

  it('looks for what is stale at some heights only, and keeps pace', async () => {
    const kv = await memoryStore();
    let searches = 0;
    const counting: KeyValueStore = {
      open: () => kv.open(),
      close: () => kv.close(),
      get: key => kv.get(key),
      batch: (operations, options) => kv.batch(operations, options),
      entries: range => {
        searches += 1;
        return kv.entries(range);
      },
    };
    const store = new KvChainStore(counting, {
      staleNodeBlocks: 2,
      replayWindowBlocks: () => 2,
      cleaningIntervalBlocks: 4,
    });
    const chain = new SampleChain();
    for (let height = 0; height <= 40; height += 1) {
      await store.putAhead([wrapperOf(`never ${height}`)]);
      await commitTo(store, chain.next({ added: [`${height}`], stale: [`${height - 1}`] }));
    }
    expect(searches).toBe(2 * 11);
    // at height 40: those of 38, 39 and 40
    expect(await countKeys(kv, 'stale')).toBe(3);
    expect(await countKeys(kv, 'node')).toBe(4);
    expect(await countKeys(kv, 'ahead')).toBe(2);
  });

  it('drops bodies whose block never came once they cannot come any more', async () => {
    const kv = await memoryStore();
    const store = new KvChainStore(kv, { replayWindowBlocks: () => 2, cleaningIntervalBlocks: 1 });
    const chain = new SampleChain();
    await commitTo(store, chain.next());
    const second = { ...wrapperOf('t'), wrapperHash: hashOf('second'), bytes: utf8('second wrapper of t') };
    await store.putAhead([wrapperOf('orphan'), wrapperOf('t'), second]);
    await commitTo(store, chain.next({ transactions: ['t'] }));
    await commitTo(store, chain.next());
    expect(store.wrapper(hashOf('worphan'))).not.toBeNull();
    expect(store.wrapper(second.wrapperHash)).not.toBeNull();
    await commitTo(store, chain.next());
    expect(store.wrapper(hashOf('worphan'))).toBeNull();
    expect(store.wrapper(second.wrapperHash)).toBeNull();
    expect(await countKeys(kv, 'tx/')).toBe(1);
    expect(store.transaction(hashOf('t'))).toEqual(utf8('body of t'));
    expect(await countKeys(kv, 'ahead')).toBe(0);
  });

  it('keeps a body whose block comes at the last moment', async () => {
    const kv = await memoryStore();
    const store = new KvChainStore(kv, { replayWindowBlocks: () => 2, cleaningIntervalBlocks: 1 });
    const chain = new SampleChain();
    await commitTo(store, chain.next());
    await store.putAhead([wrapperOf('t')]);
    await commitTo(store, chain.next());
    await commitTo(store, chain.next());
    await commitTo(store, chain.next({ transactions: ['t'] }));
    expect(new KvChainStore(kv).transaction(hashOf('t'))).toEqual(utf8('body of t'));
    expect(await countKeys(kv, 'ahead')).toBe(0);
  });

  it('shows the old block whole until the new one is whole', async () => {
    const kv = await memoryStore();
    let release = () => {};
    const slow: KeyValueStore = {
      open: () => kv.open(),
      close: () => kv.close(),
      get: key => kv.get(key),
      entries: range => kv.entries(range),
      // the disk has the block, the store has not heard of it yet
      batch: async (operations: readonly KvOperation[], options) => {
        await kv.batch(operations, options);
        await new Promise<void>(resolve => {
          release = resolve;
        });
      },
    };
    const chain = new SampleChain();
    await commitTo(
      new KvChainStore(kv),
      chain.next({ leaves: { log: ['g'] }, state: { a: '1' }, added: ['n'] }),
    );
    const store = new KvChainStore(slow);
    const block = chain.next({
      transactions: ['t'],
      leaves: { log: ['t'] },
      state: { a: '2' },
      added: ['m'],
    });
    const committing = commitTo(store, block);
    while ((await kv.get('block/0000000000000001')) === null) await Promise.resolve();
    expect(store.head()?.block.header.height).toBe(0);
    expect(store.block(1)).toBeNull();
    expect(store.state.get('a')).toEqual(utf8('1'));
    expect(store.logSize(log)).toBe(1);
    expect(store.leaves(log, 0, 9, 9)).toHaveLength(1);
    expect(store.state.leafHash(log, 1)).toBeNull();
    expect(store.locate(hashOf('t'))).toBeNull();
    expect(store.state.seen(hashOf('t'))).toBeNull();
    release();
    await committing;
    expect(store.head()).toEqual(block.stored);
    expect(store.state.get('a')).toEqual(utf8('2'));
    expect(store.state.leafHash(log, 1)).toBe(hashOf('leaf log 1'));
    expect(store.state.seen(hashOf('t'))).toBe(1);
  });

  it('[67] a failed write is final and leaves the last block readable', async () => {
    const kv = await memoryStore();
    let healthy = true;
    const failing: KeyValueStore = {
      open: () => kv.open(),
      close: () => kv.close(),
      get: key => kv.get(key),
      entries: range => kv.entries(range),
      batch: (operations, options) =>
        healthy ? kv.batch(operations, options) : Promise.reject(new Error('no space left on device')),
    };
    const store = new KvChainStore(failing);
    const chain = new SampleChain();
    await commitTo(store, chain.next({ state: { a: '1' } }));
    healthy = false;
    const block = chain.next({ state: { a: '2' } });
    await expect(commitTo(store, block)).rejects.toThrow('no space left');
    healthy = true;
    await expect(commitTo(store, block)).rejects.toMatchObject({ code: 'write_failed' });
    expect(store.head()?.block.header.height).toBe(0);
    expect(store.state.get('a')).toEqual(utf8('1'));
  });

  it('[68] says which value is damaged or missing', async () => {
    const directory = join(root, 'damaged-chain');
    const kv = new LevelStore(directory);
    await kv.open();
    const chain = new SampleChain();
    const store = new KvChainStore(kv);
    await commitTo(store, chain.next({ leaves: { log: ['g'] }, state: { a: '1' } }));
    await commitTo(store, chain.next());
    await kv.close();
    const raw = new ClassicLevel<string, Uint8Array>(directory, { valueEncoding: 'view' });
    for await (const [key, value] of raw.iterator()) {
      const damaged = Uint8Array.from(value);
      damaged[damaged.length - 1]! ^= 1;
      if (key.startsWith('block/') && key.endsWith('0')) await raw.del(key);
      else if (key !== 'meta/head') await raw.put(key, damaged);
    }
    await raw.close();
    await kv.open();
    opened.push(kv);
    const damaged = new KvChainStore(kv);
    const naming = (key: string) =>
      expect.objectContaining({ code: 'corrupt', message: expect.stringContaining(key) });
    expect(() => damaged.block(0)).toThrow(naming('block/0000000000000000'));
    expect(() => damaged.head()).toThrow(naming('block/0000000000000001'));
    expect(() => damaged.state.get('a')).toThrow(naming('state/0/a'));
    expect(() => damaged.logSize(log)).toThrow(naming('size/'));
  });
});
