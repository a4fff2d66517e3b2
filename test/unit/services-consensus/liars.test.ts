import { describe, expect, it } from 'vitest';
import type { Hash } from '../../../src/core/base/ids.ts';
import { decodeTransaction } from '../../../src/core/codec/transaction.ts';
import type { Block } from '../../../src/core/types/chain.ts';
import { nodeSuite } from '../../../src/crypto/suite.ts';
import { silentLogger } from '../../../src/ports/logger.ts';
import type { PeerId, Transport } from '../../../src/ports/transport.ts';
import type { ChainReader } from '../../../src/services/consensus/chain-reader.ts';
import { ConsensusNetwork } from '../../../src/services/consensus/network.ts';
import { Fetcher } from '../../../src/services/pool/fetcher.ts';
import { POOL_LIMITS } from '../../../src/services/pool/limits.ts';
import { blockFetchedCodec } from '../../../src/wire/consensus.ts';
import { poolFetchCodec, poolFetchedCodec } from '../../../src/wire/pool.ts';
import { StoredChain } from '../../support/stored-chain.ts';

/** Requests are answered by the test, one peer after the other. */
function answering(answer: (peer: PeerId, frame: Uint8Array) => Uint8Array) {
  const asked: PeerId[] = [];
  const request = async (peer: PeerId, _protocol: string, frame: Uint8Array) => {
    asked.push(peer);
    return answer(peer, frame);
  };
  return { asked, transport: { request } as unknown as Transport };
}

const chain = new StoredChain();
const [first, second] = [chain.next(), chain.next()];

describe('a block that is asked for by its hash', () => {
  const fetched = (blocks: Readonly<Record<PeerId, Block | null>>) => {
    const { asked, transport } = answering(peer => blockFetchedCodec.encode({ block: blocks[peer] ?? null }));
    const peers = Object.keys(blocks);
    const reader = { suite: nodeSuite, connectedValidators: () => peers } as unknown as ChainReader;
    const none = () => null;
    const network = new ConsensusNetwork({
      ...{ chain: reader, transport, logger: silentLogger, reign: none, block: none, newView: none },
      ...{ verified: () => {}, otherSet: () => {}, connected: () => {} },
    });
    const options = { timeoutMs: 1000, signal: new AbortController().signal };
    return network.fetchBlock(second.hash, 2, [], options).then(block => ({ block, asked }));
  };

  it('is taken from the next peer when one answers with another, or with other entries', async () => {
    const emptied = { ...second.block, entries: [] };
    const { block, asked } = await fetched({ liar: first.block, forger: emptied, honest: second.block });
    expect(block).toEqual(second.block);
    expect(asked).toEqual(['liar', 'forger', 'honest']);
  });

  it('is not there when nobody gives it', async () => {
    expect((await fetched({ liar: first.block, empty: null })).block).toBeNull();
  });
});

describe('bodies that are asked for', () => {
  const bodies = Array.from({ length: 5 }, () => chain.next().transactions[0]!);
  const decode = (bytes: Uint8Array) => {
    const transaction = decodeTransaction(nodeSuite.sha256, bytes);
    if ('reject' in transaction) throw new Error(transaction.detail);
    return transaction;
  };
  const byId = new Map(bodies.map(bytes => [decode(bytes).id as Hash, bytes]));
  const references = [...byId.keys()].map(id => ({ id, wrapperHash: null }));

  it('come from the others when the first source gives one at a time', async () => {
    const { asked, transport } = answering((peer, frame) => {
      const wanted = poolFetchCodec.decode(frame);
      if ('reject' in wanted) throw new Error(wanted.detail);
      const found = wanted.flatMap(({ id }) => byId.get(id) ?? []);
      return poolFetchedCodec.encode(peer === 'slow' ? found.slice(0, 1) : found);
    });
    const fetcher = new Fetcher(transport, silentLogger, POOL_LIMITS, decode, () => 0);
    const found = await fetcher.fetch(references, ['slow', 'honest']);
    expect(found.size).toBe(5);
    expect(asked).toEqual(['slow', 'honest']);
  });

  it('are asked for again while any source gives something, and no longer', async () => {
    const { asked, transport } = answering((peer, frame) => {
      const wanted = poolFetchCodec.decode(frame);
      if ('reject' in wanted) throw new Error(wanted.detail);
      const found = wanted.flatMap(({ id }) => byId.get(id) ?? []);
      return poolFetchedCodec.encode(peer === 'slow' ? found.slice(0, 2) : []);
    });
    const fetcher = new Fetcher(transport, silentLogger, POOL_LIMITS, decode, () => 0);
    const missing = { id: 'f'.repeat(64) as Hash, wrapperHash: null };
    const found = await fetcher.fetch([...references, missing], ['slow', 'empty']);
    expect(found.size).toBe(5);
    expect(asked).toHaveLength(8);
  });
});
