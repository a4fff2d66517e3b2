import { afterEach, describe, expect, it } from 'vitest';
import { type Hash, ZERO_HASH } from '../../../src/core/base/ids.ts';
import { headerHash, voteBytes } from '../../../src/core/codec/chain.ts';
import { genesisBlock } from '../../../src/core/ledger/genesis.ts';
import type { Header } from '../../../src/core/types/chain.ts';
import { nodeSuite } from '../../../src/crypto/suite.ts';
import { ChainReader } from '../../../src/services/consensus/chain-reader.ts';
import { Committer } from '../../../src/services/consensus/committer.ts';
import { Executor } from '../../../src/services/consensus/executor.ts';
import { readBlock } from '../../../src/services/sync/blocks.ts';
import { KvChainStore } from '../../../src/store/kv-chain-store.ts';
import { MemoryStore } from '../../../src/store/memory-store.ts';
import type { SyncBlock } from '../../../src/wire/sync.ts';
import { testSigner } from '../../support/ledger-kit.ts';
import { Cluster } from './cluster.ts';

let cluster: Cluster | null = null;
afterEach(async () => {
  await cluster?.stop();
  cluster = null;
});

/** A first block that a network committed, and a node with nothing but genesis to give it to. */
async function world() {
  cluster = new Cluster();
  await cluster.start();
  const { id, bytes } = cluster.transaction();
  await cluster.node(0).pool.submit(bytes);
  await cluster.committed([id]);
  const block = readBlock(cluster.node(0).store, 1) as SyncBlock;
  const kv = new MemoryStore();
  await kv.open();
  const store = new KvChainStore(kv, { replayWindowBlocks: () => 100_000 });
  const { diff, ...genesis } = genesisBlock(nodeSuite, cluster.genesis);
  await store.commit({ ...genesis, certificate: null }, diff, []);
  const chain = new ChainReader(store, nodeSuite, cluster.network.create({ peerId: 'newcomer' }));
  const committer = new Committer(chain, new Executor(chain), async () => {});
  return { block, store, committer };
}

/** The block with another header, and a certificate that every validator signed for it. */
function certified({ block, certificate, transactions }: SyncBlock, change: Partial<Header>): SyncBlock {
  const header = { ...block.header, ...change };
  const blockHash = headerHash(nodeSuite.sha256, header);
  const subject = { ...certificate, newViewDigest: ZERO_HASH, blockHash };
  const bytes = voteBytes('commit', { ...subject, chainId: header.chainId });
  const signatures = ['v1', 'v2', 'v3', 'v4'].map((name, signer) => ({
    signer,
    signature: testSigner(`validator ${name}`).sign(bytes),
  }));
  return { block: { ...block, header }, certificate: { ...subject, signatures }, transactions };
}

describe('Committer.applyCertified', () => {
  it('writes a block that a quorum of the set has signed', async () => {
    const { block, store, committer } = await world();
    expect(await committer.applyCertified(block)).toBeNull();
    expect(store.head()?.block.header.height).toBe(1);
  });

  it('[52] refuses a block whose certificate has a flipped bit, and writes nothing', async () => {
    const { block, store, committer } = await world();
    const signatures = block.certificate.signatures.map(entry => ({
      ...entry,
      signature: entry.signature.map((byte, at) => (at === 40 ? byte ^ 1 : byte)),
    }));
    const forged = { ...block, certificate: { ...block.certificate, signatures } };
    expect(await committer.applyCertified(forged)).toMatchObject({ reject: expect.any(String) });
    expect(store.head()?.block.header.height).toBe(0);
  });

  it('[12] stops at a certified block with another result, and writes nothing', async () => {
    const { block, store, committer } = await world();
    const other = certified(block, { mapRoot: 'ab'.repeat(32) as Hash });
    await expect(committer.applyCertified(other)).rejects.toMatchObject({
      code: 'execution_differs',
      message: expect.stringContaining('height 1: mapRoot'),
    });
    expect(store.head()?.block.header.height).toBe(0);
  });
});
