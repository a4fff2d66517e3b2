import { afterEach, describe, expect, it } from 'vitest';
import { isReject } from '../../../src/core/base/reject.ts';
import { genesisBlock } from '../../../src/core/ledger/genesis.ts';
import { readSystem } from '../../../src/core/ledger/read.ts';
import {
  checkFork,
  decodeForkEvidence,
  encodeForkEvidence,
  type ForkEvidence,
} from '../../../src/core/light/fork.ts';
import { nodeSuite } from '../../../src/crypto/suite.ts';
import type { KeyValueStore } from '../../../src/ports/kv.ts';
import type { KvChainStore } from '../../../src/store/kv-chain-store.ts';
import { changeSet, twinOf } from '../../support/forked-chain.ts';
import { LightNetwork, type TestClient, type TestServer } from '../../support/light-kit.ts';
import { errorOf } from '../../support/recording-peer.ts';
import { StoredChain } from '../../support/stored-chain.ts';

describe('a light node that slept', () => {
  let net: LightNetwork;
  afterEach(() => net.stop());

  async function serve(index: number, chain: StoredChain, upTo = chain.height) {
    const store = await chain.store(upTo);
    const served = await net.serve(index, { setChangesPerAnswer: 7 }, chain.ledger, store);
    return { served, store };
  }

  async function grow(chain: StoredChain, stores: readonly KvChainStore[]): Promise<void> {
    for (const store of stores) await chain.fill(store);
    net.announce();
  }

  const join = (chain: StoredChain, kv?: KeyValueStore, sources?: readonly TestServer[]) =>
    net.join(chain.bob, {
      ...(kv === undefined ? {} : { kv }),
      ...(sources === undefined ? {} : { sources }),
      limits: { crossCheckMs: 5 },
    });

  it('[79] verifies a head that 50 set changes lie before, wherever it is interrupted on the way', async () => {
    const chain = new StoredChain();
    chain.next();
    net = new LightNetwork(chain.ledger);
    const { served, store } = await serve(0, chain);
    const first = await join(chain);
    await first.reached(chain.height);
    await first.stop();
    changeSet(chain, 50);
    await grow(chain, [store]);
    const { kv } = first;
    let interruptions = 0;
    for (let patience = 1; ; patience += 1) {
      let answers = 0;
      const client: TestClient = await join(chain, kv);
      served.lie.tell = () => {
        answers += 1;
        return null;
      };
      await client.until(() => answers >= patience || client.light.head().height === chain.height);
      const isDone = client.light.head().height === chain.height;
      expect(client.light.lies()).toEqual([]);
      if (isDone) {
        expect(client.light.system()).toEqual(readSystem(chain.ledger.state));
        expect(client.light.trust().set.id).toBe(50);
        break;
      }
      interruptions += 1;
      await client.stop();
    }
    expect(interruptions).toBeGreaterThan(2);
  });

  it('[81] goes on with another source when the only one dies in the middle', async () => {
    const chain = new StoredChain();
    changeSet(chain, 30);
    net = new LightNetwork(chain.ledger);
    const { served } = await serve(0, chain);
    let answers = 0;
    served.lie.tell = () => {
      answers += 1;
      if (answers === 3) void served.transport.stop();
      return null;
    };
    const { served: other } = await serve(1, chain);
    await other.transport.stop();
    const client = await join(chain);
    await client.until(() => answers >= 3);
    expect(client.light.trust().header.height).toBeLessThan(chain.height);
    await other.transport.start();
    await client.reached(chain.height);
    expect(client.light.lies()).toEqual([]);
  });

  function verdictOn(evidence: ForkEvidence, chain: StoredChain) {
    const { block } = genesisBlock(nodeSuite, chain.genesis);
    const genesisSet = { id: 0, validators: chain.genesis.validators };
    const decoded = decodeForkEvidence(encodeForkEvidence(evidence));
    if (isReject(decoded)) throw new Error(decoded.detail);
    const verdict = checkFork(nodeSuite, decoded, { genesisHeader: block.header, genesisSet });
    if (isReject(verdict)) throw new Error(verdict.detail);
    return verdict;
  }

  it('[76] keeps two certified histories as evidence, before and after a set change, and believes neither any more', async () => {
    for (const changesAfter of [0, 3]) {
      const chain = new StoredChain();
      changeSet(chain, 4);
      const twin = twinOf(chain);
      const shared = chain.height;
      chain.next();
      twin.project();
      twin.next();
      changeSet(chain, changesAfter);
      // longer, so that no height is the head of both
      changeSet(twin, changesAfter);
      twin.next();
      twin.next();
      net = new LightNetwork(chain.ledger);
      const { served, store } = await serve(0, chain);
      const client = await join(chain);
      await client.reached(chain.height);
      const found: ForkEvidence[] = [];
      client.light.onEvents({ forked: evidence => found.push(evidence) });
      const { served: forked } = await serve(1, twin);
      await client.stop();
      const both = await join(chain, client.kv, [served, forked]);
      both.light.onEvents({ forked: evidence => found.push(evidence) });
      await both.until(() => both.light.fork() !== null);
      expect(found).toEqual([both.light.fork()]);
      const verdict = verdictOn(both.light.fork()!, chain);
      expect(verdict.signedBoth.length).toBeGreaterThanOrEqual(verdict.faultyMin);
      expect(verdict.faultyMin).toBe(2);
      expect(both.light.fork()!.first.header.height).toBeGreaterThan(shared);
      const { height } = both.light.head();
      chain.next();
      await grow(chain, [store]);
      const refused = await errorOf(both.light.submit([chain.project(chain.bob).signed]));
      expect(refused).toMatchObject({ code: 'forked' });
      expect((await both.light.checkFresh())?.reject).toBe('forked');
      await both.stop();
      const later = await join(chain, client.kv, [served]);
      expect(later.light.fork()).toEqual(found[0]);
      expect(later.light.head().height).toBe(height);
      await net.stop();
    }
  });

  it('[77] shows which source stays behind what the others have shown', async () => {
    const chain = new StoredChain();
    chain.next();
    net = new LightNetwork(chain.ledger);
    const { served, store } = await serve(0, chain);
    const { served: late } = await serve(1, chain);
    const client = await join(chain);
    await client.reached(chain.height);
    chain.next();
    await grow(chain, [store]);
    await client.reached(chain.height);
    const viewOf = ({ transport }: TestServer) =>
      client.light.sourceViews().find(({ peer }) => peer === transport.peerId)!;
    await client.until(() => viewOf(late).behindForMs !== null);
    expect(viewOf(late)).toMatchObject({ connected: true, height: chain.height - 1, lies: 0, lastLie: null });
    expect(viewOf(served)).toMatchObject({ height: chain.height, behindForMs: null });
  });
});
