import { describe, expect, it } from 'vitest';
import type { BlockHash, Hash } from '../../../src/core/base/ids.ts';
import { encodeSignedTransaction } from '../../../src/core/codec/transaction.ts';
import { replayChain, type StoredChain } from '../../../src/core/ledger/replay.ts';
import type { Block } from '../../../src/core/types/chain.ts';
import { nodeSuite } from '../../../src/crypto/suite.ts';
import { hashOf, MemoryState, type TestLedger } from '../../support/ledger-kit.ts';
import { bob, carol, INTAKE, runningProject } from './fixture.ts';

function chainOf(ledger: TestLedger, changes: Partial<StoredChain> = {}): StoredChain {
  return {
    height: ledger.height,
    block: height => ledger.blocks[height] ?? null,
    transaction: id => ledger.wrappers.get(id) ?? null,
    ...changes,
  };
}

function replay(ledger: TestLedger, changes: Partial<StoredChain> = {}) {
  const view = new MemoryState();
  const target = { view, apply: view.apply.bind(view) };
  const steps = [...replayChain(nodeSuite, ledger.genesis, chainOf(ledger, changes), target)];
  return { steps, difference: steps.at(-1)?.difference ?? null, view };
}

function busyLedger() {
  const { ledger, act } = runningProject();
  ledger.commit(act.put(bob, INTAKE, 'a'), act.put(bob, INTAKE, 'refused', 9));
  ledger.commit(act.rotateEpoch(carol, INTAKE));
  return ledger;
}

describe('replay from genesis', () => {
  it('[12] gives the stored hashes and the stored state', () => {
    const ledger = busyLedger();
    const { steps, difference, view } = replay(ledger);
    expect(difference).toBeNull();
    expect(steps.map(step => step.hash)).toEqual(ledger.blocks.map(block => block.hash));
    expect(view.values).toEqual(ledger.state.values);
    expect(view.nodes).toEqual(ledger.state.nodes);
  });

  function changedBlock(
    ledger: TestLedger,
    height: number,
    change: (block: Block) => Block,
  ): Partial<StoredChain> {
    return {
      block: at => {
        const stored = ledger.blocks[at] ?? null;
        return at === height && stored !== null ? { ...stored, block: change(stored.block) } : stored;
      },
    };
  }

  it('[12] names the height and the field of the first difference', () => {
    const ledger = busyLedger();
    const root = hashOf('another root');
    const header = changedBlock(ledger, 4, block => ({
      ...block,
      header: { ...block.header, mapRoot: root },
    }));
    const { steps, difference } = replay(ledger, header);
    expect(difference).toMatchObject({ height: 4, code: 'wrong_header' });
    expect(difference?.detail).toContain('mapRoot');
    expect(steps).toHaveLength(5);
  });

  it('[12] [68] tells damaged entries, hashes, blocks and transactions apart', () => {
    const ledger = busyLedger();
    const outcome = changedBlock(ledger, 4, block => ({
      ...block,
      entries: block.entries.map(entry => ({ ...entry, outcome: 0 })),
    }));
    expect(replay(ledger, outcome).difference).toMatchObject({ height: 4, code: 'wrong_entry' });
    const hash = { ...ledger.blocks[2]!, hash: hashOf('x') as BlockHash };
    const wrongHash = { block: (height: number) => (height === 2 ? hash : (ledger.blocks[height] ?? null)) };
    expect(replay(ledger, wrongHash).difference).toMatchObject({ height: 2, code: 'wrong_hash' });
    const missing = { block: (height: number) => (height === 3 ? null : (ledger.blocks[height] ?? null)) };
    expect(replay(ledger, missing).difference).toMatchObject({ height: 3, code: 'missing_block' });
    const empty = changedBlock(ledger, 1, block => ({ ...block, entries: [] }));
    expect(replay(ledger, empty).difference).toMatchObject({ height: 1, code: 'empty_block' });
  });

  it('[68] notices a transaction that is gone, damaged, another one, or signed by nobody', () => {
    const ledger = busyLedger();
    const { id } = ledger.blocks[4]!.block.entries[0]!;
    const other = ledger.blocks[5]!.block.entries[0]!.id;
    const withTransaction = (bytes: Uint8Array | null) =>
      replay(ledger, { transaction: (at: Hash) => (at === id ? bytes : ledger.wrappers.get(at)!) })
        .difference;
    expect(withTransaction(null)).toMatchObject({ height: 4, code: 'missing_transaction' });
    expect(withTransaction(new Uint8Array(9))).toMatchObject({ height: 4, code: 'bad_transaction' });
    expect(withTransaction(ledger.wrappers.get(other)!)).toMatchObject({ code: 'bad_transaction' });
    const { signed } = ledger.transactions.get(id)!;
    const unsigned = encodeSignedTransaction({ ...signed, signature: new Uint8Array(64) });
    expect(withTransaction(unsigned)).toMatchObject({ height: 4, code: 'bad_signature' });
  });

  it('another genesis differs at height 0', () => {
    const ledger = busyLedger();
    const view = new MemoryState();
    const genesis = { ...ledger.genesis, timeMs: 5 };
    const target = { view, apply: view.apply.bind(view) };
    const [first] = [...replayChain(nodeSuite, genesis, chainOf(ledger), target)];
    expect(first?.difference).toMatchObject({ height: 0, code: 'wrong_header' });
  });
});
