import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { utf8 } from '../../src/core/base/bytes.ts';
import { type Hash, type LogId, type TransactionId, ZERO_HASH } from '../../src/core/base/ids.ts';
import type { Diff, NewLeaf } from '../../src/core/types/state.ts';
import type { ChainStore, StoredBlock, Wrapper } from '../../src/ports/chain-store.ts';

export const hashOf = (text: string) => createHash('sha256').update(text).digest('hex') as Hash;

export interface SampleBlock {
  readonly stored: StoredBlock;
  readonly diff: Diff;
  readonly transactions: readonly Uint8Array[];
}

export interface SampleChanges {
  /** Names of transactions; their ids are the hashes. */
  readonly transactions?: readonly string[];
  /** Leaves to append, by log name; each names its transaction. */
  readonly leaves?: Readonly<Record<string, readonly string[]>>;
  readonly state?: Readonly<Record<string, string | null>>;
  readonly added?: readonly string[];
  readonly stale?: readonly string[];
}

/** Blocks that are only as real as a store can see: linked heights, positions in order. */
export class SampleChain {
  private height = -1;
  private parentHash = ZERO_HASH;
  private readonly sizes = new Map<string, number>();

  next(changes: SampleChanges = {}): SampleBlock {
    this.height += 1;
    const names = changes.transactions ?? [];
    const entries = names.map((name, index) => ({
      id: hashOf(name),
      wrapperHash: hashOf(`w${name}`),
      outcome: index,
    }));
    const hash = hashOf(`block ${this.height} ${names.join()}`);
    const header = {
      version: 1,
      chainId: hashOf('chain'),
      height: this.height,
      parentHash: this.parentHash,
      timeMs: 1000 * this.height,
      transactionsRoot: hashOf('root'),
      mapRoot: hashOf('map'),
      validatorSetId: 0,
      validatorSetHash: hashOf('set'),
      nextValidatorSetHash: hashOf('set'),
      previousSetChangeHeight: 0,
    };
    this.parentHash = hash;
    return {
      stored: {
        block: { header, entries },
        hash,
        certificate: this.height === 0 ? null : certificateOf(this.height, hash),
      },
      diff: {
        height: this.height,
        state: new Map(
          Object.entries(changes.state ?? {}).map(([key, text]) => [key, text === null ? null : utf8(text)]),
        ),
        mapNodes: new Map((changes.added ?? []).map(name => [hashOf(name), utf8(name)])),
        staleMapNodes: (changes.stale ?? []).map(hashOf),
        leaves: this.leaves(changes.leaves ?? {}),
        ids: entries.map(entry => entry.id),
      },
      transactions: names.map(name => utf8(`body of ${name}`)),
    };
  }

  private leaves(byLog: Readonly<Record<string, readonly string[]>>): NewLeaf[] {
    return Object.entries(byLog).flatMap(([log, names]) =>
      names.map(name => {
        const position = this.sizes.get(log) ?? 0;
        this.sizes.set(log, position + 1);
        return {
          logId: hashOf(log) as LogId,
          position,
          leaf: utf8(`leaf ${name}`),
          leafHash: hashOf(`leaf ${log} ${position}`),
          transactionId: hashOf(name) as TransactionId,
        };
      }),
    );
  }
}

function certificateOf(height: number, blockHash: Hash) {
  return {
    validatorSetId: 0,
    view: 3,
    newViewDigest: ZERO_HASH,
    height,
    blockHash,
    signatures: [{ signer: 1, signature: new Uint8Array(64).fill(height) }],
  };
}

/** What a block of this sample chain names for a transaction. */
export const wrapperOf = (name: string): Wrapper => ({
  id: hashOf(name),
  wrapperHash: hashOf(`w${name}`),
  bytes: utf8(`body of ${name}`),
});

export const commitTo = (store: ChainStore, block: SampleBlock) =>
  store.commit(block.stored, block.diff, block.transactions);

const log = hashOf('log') as LogId;

/** @param place answers a function that opens the same store again at each call */
export function chainStoreContract(name: string, place: () => () => Promise<ChainStore>): void {
  describe(`${name}: chain store contract`, () => {
    it('is empty before genesis', async () => {
      const store = await place()();
      expect(store.head()).toBeNull();
      expect(store.block(0)).toBeNull();
      expect(store.locate(hashOf('t'))).toBeNull();
      expect(store.transaction(hashOf('t'))).toBeNull();
      expect(store.logSize(log)).toBe(0);
      expect(store.leaves(log, 0, 10, 10)).toEqual([]);
      expect(store.state.leafHash(log, 0)).toBeNull();
      expect(store.state.seen(hashOf('t'))).toBeNull();
    });

    it('[11] has every part of a committed block, before and after a restart', async () => {
      const create = place();
      const first = await create();
      const chain = new SampleChain();
      const genesis = chain.next({ state: { a: '1', gone: 'x' }, added: ['n1'] });
      await commitTo(first, genesis);
      const block = chain.next({
        transactions: ['t0', 't1'],
        leaves: { log: ['t0', 't1'], other: ['t1'] },
        state: { a: '2', gone: null },
        added: ['n2'],
      });
      await commitTo(first, block);
      for (const store of [first, await create()]) {
        expect(store.head()).toEqual(block.stored);
        expect(store.block(0)).toEqual(genesis.stored);
        expect(store.block(2)).toBeNull();
        expect(store.locate(hashOf('t1'))).toEqual({ height: 1, index: 1, outcome: 1 });
        expect(store.transaction(hashOf('t1'))).toEqual(utf8('body of t1'));
        expect(store.state.seen(hashOf('t0'))).toBe(1);
        expect(store.state.get('a')).toEqual(utf8('2'));
        expect(store.state.get('gone')).toBeNull();
        expect(store.state.mapNode(hashOf('n1'))).toEqual(utf8('n1'));
        expect(store.state.mapNode(hashOf('never'))).toBeNull();
        expect(store.logSize(log)).toBe(2);
        expect(store.leaves(log, 0, 9, 9)).toEqual([
          { leaf: utf8('leaf t0'), transactionId: hashOf('t0') },
          { leaf: utf8('leaf t1'), transactionId: hashOf('t1') },
        ]);
        expect(store.leaves(log, 0, 9, 1)).toHaveLength(1);
        expect(store.leaves(log, 1, 1, 9)).toEqual([]);
        expect(store.state.leafHash(log, 1)).toBe(hashOf('leaf log 1'));
        expect(store.state.leafHash(log, 2)).toBeNull();
      }
    });

    it('gives any stretch of leaf hashes of a log that grew unevenly', async () => {
      const create = place();
      const store = await create();
      const chain = new SampleChain();
      let size = 0;
      for (const count of [1, 63, 1, 64, 70, 0, 200]) {
        await commitTo(
          store,
          chain.next({ leaves: { log: Array.from({ length: count }, (_, i) => `t${size + i}`) } }),
        );
        size += count;
      }
      const expected = Array.from({ length: size }, (_, position) => hashOf(`leaf log ${position}`));
      for (const reader of [store, await create()]) {
        expect(reader.leafHashes(log, 0, size)).toEqual(expected);
        for (const [from, to] of [
          [63, 65],
          [64, 64],
          [1, 129],
          [128, 128],
          [130, 399],
        ] as const) {
          expect(reader.leafHashes(log, from, to)).toEqual(expected.slice(from, to));
        }
        expect(() => reader.leafHashes(log, 0, size + 1)).toThrow();
      }
    });

    it('keeps bodies that were stored ahead of their block', async () => {
      const create = place();
      const store = await create();
      const chain = new SampleChain();
      await commitTo(store, chain.next());
      const block = chain.next({ transactions: ['t'] });
      await store.putAhead([wrapperOf('t')]);
      expect(store.wrapper(hashOf('wt'))).toEqual(utf8('body of t'));
      expect(store.transaction(hashOf('t'))).toBeNull();
      expect(store.locate(hashOf('t'))).toBeNull();
      expect((await create()).wrapper(hashOf('wt'))).toEqual(utf8('body of t'));
      await commitTo(store, block);
      expect((await create()).transaction(hashOf('t'))).toEqual(utf8('body of t'));
    });

    it('[73] keeps all wrappers of one id that are in flight, and then has the one that the block names', async () => {
      const create = place();
      const store = await create();
      const chain = new SampleChain();
      await commitTo(store, chain.next());
      const other = { id: hashOf('t'), wrapperHash: hashOf('other'), bytes: utf8('another wrapper') };
      await store.putAhead([wrapperOf('t')]);
      await store.putAhead([other]);
      for (const reader of [store, await create()]) {
        expect(reader.wrapper(hashOf('wt'))).toEqual(utf8('body of t'));
        expect(reader.wrapper(other.wrapperHash)).toEqual(other.bytes);
      }
      await commitTo(store, chain.next({ transactions: ['t'] }));
      for (const reader of [store, await create()]) {
        expect(reader.transaction(hashOf('t'))).toEqual(utf8('body of t'));
      }
    });

    it('prunes the transactions of the lowest blocks, some at a time, and keeps what it is told to', async () => {
      const create = place();
      const store = await create();
      const chain = new SampleChain();
      await commitTo(store, chain.next());
      for (const name of ['t1', 't2', 't3', 't4', 't5'])
        await commitTo(store, chain.next({ transactions: [name] }));
      expect(store.history).toMatchObject({ baseHeight: 0, blocksFrom: 1, bodiesFrom: 1 });
      const keep = (wrapper: Uint8Array) => wrapper.join() === utf8('body of t2').join();
      await store.prune(5, 2, keep);
      expect(store.history.bodiesFrom).toBe(3);
      await store.prune(5, 99, keep);
      await store.prune(4, 99, keep);
      for (const reader of [store, await create()]) {
        expect(reader.history.bodiesFrom).toBe(5);
        const left = ['t1', 't2', 't3', 't4', 't5'].filter(name => reader.transaction(hashOf(name)) !== null);
        expect(left).toEqual(['t2', 't5']);
        expect(reader.block(1)!.block.entries).toHaveLength(1);
        expect(reader.locate(hashOf('t1'))).toMatchObject({ height: 1 });
      }
      expect(store.setChange(1)).toBeNull();
      expect(await store.setChanges(0, 9, 9)).toEqual([]);
    });

    it('refuses a block that does not extend the head', async () => {
      const store = await place()();
      const chain = new SampleChain();
      const genesis = chain.next();
      await commitTo(store, genesis);
      await expect(commitTo(store, genesis)).rejects.toThrow('extends the head');
      chain.next();
      await expect(commitTo(store, chain.next())).rejects.toThrow('extends the head');
      expect(store.head()).toEqual(genesis.stored);
    });
  });
}
