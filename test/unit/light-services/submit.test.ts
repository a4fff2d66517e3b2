import { afterEach, describe, expect, it } from 'vitest';
import { reject } from '../../../src/core/base/reject.ts';
import { OUTCOMES } from '../../../src/core/types/outcome.ts';
import type { LightNetwork } from '../../support/light-kit.ts';
import { alice, bob, networkWithPhase, phase } from '../../support/light-phase.ts';
import { errorOf } from '../../support/recording-peer.ts';

describe('submission through a light client', () => {
  let net: LightNetwork;
  afterEach(() => net.stop());

  const waitForPool = async (count: number) => {
    while (net.pool.size < count) await new Promise(resolve => setImmediate(resolve));
  };

  it('resolves with the outcome when the block is held', async () => {
    net = networkWithPhase();
    await net.serve(0);
    await net.serve(1);
    const client = await net.join(alice);
    await client.reached(net.ledger.height);
    const good = net.actions.put(alice, phase, 'one');
    const stale = net.actions.put(alice, phase, 'two', 7);
    const submitted = client.light.submit([good.signed, stale.signed]);
    const again = client.light.submit([good.signed]);
    await waitForPool(2);
    net.commitPool();
    const { height } = net.ledger;
    expect(await submitted).toEqual([
      { id: good.id, end: 'block', outcome: OUTCOMES.committed, height },
      { id: stale.id, end: 'block', outcome: OUTCOMES.staleEpoch, height },
    ]);
    expect(await again).toEqual([{ id: good.id, end: 'block', outcome: OUTCOMES.committed, height }]);
    expect(client.light.head().height).toBe(height);
    const item = await client.light.itemOf(net.ledger.logId('phase', phase), good.id);
    expect(item?.leaf.height).toBe(height);
  });

  it('learns by a receipt what leaves no leaf in its own logs', async () => {
    net = networkWithPhase();
    await net.serve(0);
    const client = await net.join(bob);
    await client.reached(net.ledger.height);
    const foreign = net.actions.put(bob, phase, 'not my phase');
    const submitted = client.light.submit([foreign.signed]);
    await waitForPool(1);
    net.commitPool();
    const { height } = net.ledger;
    expect(await submitted).toEqual([
      { id: foreign.id, end: 'block', outcome: OUTCOMES.notParticipant, height },
    ]);
  });

  it('believes no receipt that does not verify', async () => {
    net = networkWithPhase();
    const { lie } = await net.serve(0);
    await net.serve(1);
    const client = await net.join(bob);
    await client.reached(net.ledger.height);
    lie.tell = answer => {
      if (answer.kind !== 'statuses') return null;
      const statuses = answer.statuses.map(status => {
        if (status.status !== 'block') return status;
        const { proof } = status.receipt;
        const forged = { ...proof, entry: { ...proof.entry, outcome: OUTCOMES.committed } };
        return { ...status, receipt: { ...status.receipt, proof: forged } };
      });
      return { ...answer, statuses };
    };
    const foreign = net.actions.put(bob, phase, 'not my phase');
    const submitted = client.light.submit([foreign.signed]);
    await waitForPool(1);
    net.commitPool();
    expect(await submitted).toMatchObject([{ end: 'block', outcome: OUTCOMES.notParticipant }]);
    expect(client.light.lies().map(entry => entry.code)).toEqual(['bad_inclusion']);
  });

  it('[81] sends again elsewhere when the source that took it dies', async () => {
    net = networkWithPhase();
    const first = await net.serve(0);
    const client = await net.join(alice, { limits: { submitSources: 1, connectMs: 60_000 } });
    await client.reached(net.ledger.height);
    const record = net.actions.put(alice, phase, 'one');
    const submitted = client.light.submit([record.signed]);
    await waitForPool(1);
    await first.transport.stop();
    net.pool.clear();
    await net.serve(0);
    await waitForPool(1);
    net.commitPool();
    expect(await submitted).toMatchObject([{ id: record.id, end: 'block', outcome: OUTCOMES.committed }]);
  });

  it('hands a batch to the pool at once, so that it travels in one flush', async () => {
    net = networkWithPhase();
    await net.serve(0);
    const client = await net.join(alice, { limits: { resendMs: 60_000 } });
    await client.reached(net.ledger.height);
    // Nobody's wait ends before all of the batch are in the pool.
    const count = 64;
    let release = () => {};
    const all = new Promise<void>(resolve => {
      release = resolve;
    });
    net.flush = () => {
      if (net.pool.size === count) release();
      return all;
    };
    const records = Array.from({ length: count }, (_, index) => net.actions.put(alice, phase, `${index}`));
    const submitted = client.light.submit(records.map(record => record.signed));
    await waitForPool(count);
    net.commitPool();
    expect((await submitted).filter(result => result.end === 'block').length).toBe(count);
  });

  it('reports what every asked source refuses, and tries again what time may cure', async () => {
    net = networkWithPhase();
    const servers = [await net.serve(0), await net.serve(1)];
    const client = await net.join(alice);
    await client.reached(net.ledger.height);
    const code = { now: 'pool_full' };
    for (const { lie } of servers) {
      lie.tell = answer =>
        answer.kind === 'verdicts' && code.now !== ''
          ? { kind: 'verdicts', verdicts: answer.verdicts.map(() => reject(code.now, 'why', 'ignore')) }
          : null;
    }
    const record = net.actions.put(alice, phase, 'one');
    const submitted = client.light.submit([record.signed]);
    await waitForPool(1);
    net.pool.clear();
    await waitForPool(1);
    code.now = 'revoked_key';
    expect(await submitted).toEqual([
      { id: record.id, end: 'invalid', reject: reject('revoked_key', 'why', 'ignore') },
    ]);
    // One source that takes it is enough.
    servers[0]!.lie.tell = () => null;
    net.pool.clear();
    const second = net.actions.put(alice, phase, 'two');
    const accepted = client.light.submit([second.signed]);
    await waitForPool(1);
    net.commitPool();
    expect(await accepted).toMatchObject([{ end: 'block' }]);
  });

  it('reports expiry once no block can take it any more', async () => {
    net = networkWithPhase();
    await net.serve(0);
    const client = await net.join(alice);
    await client.reached(net.ledger.height);
    const options = { lastValidHeight: net.ledger.height + 1 };
    const late = net.actions.put(alice, phase, 'late', undefined, options);
    const submitted = client.light.submit([late.signed]);
    await waitForPool(1);
    net.pool.clear();
    net.commit(net.actions.put(alice, phase, 'another'));
    expect(await submitted).toEqual([{ id: late.id, end: 'expired' }]);
  });

  it('says so when no source can be reached', async () => {
    net = networkWithPhase();
    const { transport } = await net.serve(0);
    const client = await net.join(alice, { limits: { connectMs: 20 } });
    await client.reached(net.ledger.height);
    await transport.stop();
    const record = net.actions.put(alice, phase, 'one');
    expect((await errorOf(client.light.submit([record.signed]))).code).toBe('no_source');
  });
});
