import { afterEach, describe, expect, it } from 'vitest';
import type { PhaseId } from '../../../src/core/base/ids.ts';
import { ROLES } from '../../../src/core/types/operation.ts';
import { GovernanceActions } from '../../support/governance-actions.ts';
import { createActor, hashOf, TestLedger, testGenesis } from '../../support/ledger-kit.ts';
import { LightNetwork, type TestServer } from '../../support/light-kit.ts';
import { StoredChain } from '../../support/stored-chain.ts';

const actor = createActor;
const [admin, owner, alice] = [actor('admin'), actor('owner'), actor('alice')];
const project = hashOf('project');
const phase = hashOf('phase') as PhaseId;

function setUp(): LightNetwork {
  const net = new LightNetwork(new TestLedger(testGenesis([admin], [owner, alice])));
  net.commit(net.actions.register(admin, actor('carol')));
  net.commit(net.actions.createProject(owner, project));
  net.commit(net.actions.addPhase(owner, project, phase, { alice: ROLES.contributor | ROLES.reader }));
  net.commit(net.actions.open(owner, phase));
  net.commit(...['one', 'two', 'three'].map(text => net.actions.put(alice, phase, text)));
  return net;
}

/** The server no longer has the transactions of blocks below `height`, but those of the system log. */
function prune({ store }: TestServer, height: number): void {
  const whole = store.transaction.bind(store);
  const system = new Set(store.ledger.leavesOf('system').map(leaf => leaf.transactionId));
  store.transaction = id => (system.has(id) || store.locate(id)!.height >= height ? whole(id) : null);
}

describe('a source that has pruned', () => {
  let net: LightNetwork;
  afterEach(() => net.stop());

  it('is no liar: what it lacks comes from another source', async () => {
    net = setUp();
    const servers = [await net.serve(0), await net.serve(1), await net.serve(2)];
    for (const server of servers.slice(0, 2)) prune(server, 4);
    const client = await net.join(alice);
    await client.reached(net.ledger.height);
    const log = net.ledger.logId('phase', phase);
    expect(client.light.held(log)?.ranges).toEqual([
      { from: 0, to: net.ledger.leavesOf('phase', phase).length },
    ]);
    expect(client.light.lies()).toEqual([]);
    expect(client.failures).toEqual([]);
  });

  it('serves whoever holds the older leaves already, and the member that waits for an archive gets it from there', async () => {
    net = setUp();
    const first = await net.serve(0);
    const early = await net.join(alice);
    await early.reached(net.ledger.height);
    prune(first, net.ledger.height + 1);
    net.commit(net.actions.put(alice, phase, 'four'));
    await early.reached(net.ledger.height);
    const sources = [first, await net.serve(1)];
    prune(sources[1]!, net.ledger.height + 1);
    const late = await net.join(owner, { sources, limits: { liarMs: 20, crossCheckMs: 30 } });
    await late.until(() => late.light.trust().header.height === net.ledger.height);
    expect(late.light.head().height).toBe(0);
    const { ledger } = net;
    sources[1]!.store.transaction = id => ledger.wrappers.get(id) ?? null;
    await late.reached(ledger.height);
    expect(late.light.lies()).toEqual([]);
  });
});

describe('a chain of many set changes', () => {
  it('[79] is verified by a light node that slept through all of them, from what the store has kept', async () => {
    const chain = new StoredChain();
    const govern = new GovernanceActions(chain.ledger);
    const CHANGES = 40;
    for (let change = 0; change < CHANGES; change += 1) {
      const name = `w${change >> 1}`;
      const action = change % 2 === 0 ? govern.add(name) : govern.remove(name);
      const expiresHeight = chain.height + 9;
      chain.next(govern.propose(chain.alice, [action], { expiresHeight }, chain.height + 9));
      if (change % 3 === 0) chain.next();
    }
    const store = await chain.store();
    const net = new LightNetwork(chain.ledger);
    await net.serve(0, { setChangesPerAnswer: 7 }, chain.ledger, store);
    const client = await net.join(chain.bob);
    await client.reached(chain.height);
    expect(client.light.trust().set.id).toBe(CHANGES);
    expect(client.light.lies()).toEqual([]);
    expect((await store.setChanges(0, chain.height, 99)).map(change => change.nextSet.id)).toEqual(
      Array.from({ length: CHANGES }, (_, index) => index + 1),
    );
    await net.stop();
  });
});
