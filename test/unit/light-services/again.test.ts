import { afterEach, describe, expect, it } from 'vitest';
import { readableRanges } from '../../../src/core/access/visibility.ts';
import { utf8Decode } from '../../../src/core/base/bytes.ts';
import { encodePhaseState } from '../../../src/core/codec/state.ts';
import { readPhase } from '../../../src/core/ledger/read.ts';
import { GRANTS, KINDS } from '../../../src/core/types/operation.ts';
import type { KeyValueStore } from '../../../src/ports/kv.ts';
import type { LightNetwork, TestClient } from '../../support/light-kit.ts';
import { alice, bob, networkWithPhase, owner, phase } from '../../support/light-phase.ts';

describe('a member that was removed and is added again', () => {
  let net: LightNetwork;
  afterEach(() => net.stop());

  const write = (text: string) => net.commit(net.actions.put(alice, phase, text));
  const add = (grant: number, fromEpoch = 0) =>
    net.commit(net.actions.addParticipant(owner, phase, bob.id, grant, { fromEpoch }));
  const remove = () => net.commit(net.actions.removeParticipant(owner, phase, bob.id));
  const logId = () => net.ledger.logId('phase', phase);

  async function texts(client: TestClient): Promise<string[]> {
    const held = client.light.held(logId());
    const items = held === null ? [] : await client.light.items(logId(), held.from, held.to);
    const records = items.filter(item => item.transaction.body.kind === KINDS.recordPut);
    return records.map(item => utf8Decode(item.transaction.signed.parts[1]!.content) ?? '');
  }

  /** What the ledger itself says, exactly; and that nobody was called a liar. */
  function expectExact(client: TestClient): void {
    const size = net.ledger.leavesOf('phase', phase).length;
    const readable = readableRanges(net.ledger.state, bob.id, logId());
    const ranges = readable.map(({ from, to }) => ({ from, to: to ?? size }));
    expect(client.light.held(logId())?.ranges ?? []).toEqual(ranges);
    expect(client.light.lies()).toEqual([]);
    expect(client.failures).toEqual([]);
  }

  async function visit(kv?: KeyValueStore, limits = {}): Promise<TestClient> {
    const client = await net.join(bob, kv === undefined ? { limits } : { kv, limits });
    await client.reached(net.ledger.height);
    return client;
  }

  it('[83] reads everything once it is granted everything, in a node that held a later part only', async () => {
    net = networkWithPhase();
    await net.serve(0);
    write('before');
    add(GRANTS.none);
    write('mine');
    const client = await visit();
    expect(await texts(client)).toEqual(['mine']);
    remove();
    write('between');
    await client.reached(net.ledger.height);
    add(GRANTS.all);
    write('after');
    await client.reached(net.ledger.height);
    expect(await texts(client)).toEqual(['before', 'mine', 'between', 'after']);
    expectExact(client);
    expect(encodePhaseState(client.light.phase(phase)!)).toEqual(
      encodePhaseState(readPhase(net.ledger.state, phase)!),
    );
  });

  it('[83] gets the rest of its first stay and its second, when it was away from both ends', async () => {
    net = networkWithPhase();
    await net.serve(0);
    add(GRANTS.all);
    write('seen');
    const client = await visit();
    await client.stop();
    write('while away');
    remove();
    write('not for bob');
    add(GRANTS.none);
    write('again');
    const back = await visit(client.kv);
    expect(await texts(back)).toEqual(['seen', 'while away', 'again']);
    expectExact(back);
    await back.stop();
    const restarted = await visit(client.kv);
    expect(await texts(restarted)).toEqual(['seen', 'while away', 'again']);
    expectExact(restarted);
  });

  it('[83] gets two whole stays that it was away from, though it is shown no state', async () => {
    net = networkWithPhase();
    await net.serve(0);
    add(GRANTS.all);
    const client = await visit();
    await client.stop();
    write('one');
    remove();
    const removed = encodePhaseState(readPhase(net.ledger.state, phase)!);
    write('not for bob');
    add(GRANTS.none);
    write('two');
    remove();
    write('nor this');
    const back = await visit(client.kv);
    expect(await texts(back)).toEqual(['one', 'two']);
    expectExact(back);
    expect(back.light.held(logId())?.ended).toBe(true);
    // The leaves between the stays are missing, so that the state stands where the first one ended.
    expect(encodePhaseState(back.light.phase(phase)!)).toEqual(removed);
  });

  it('[83] holds exactly what the ledger grants, whatever comes and whenever it looks', async () => {
    const seed = Number(process.env.PHASELINE_SEED ?? 20_261_123);
    console.info(`seed ${seed}`);
    let state = seed;
    const random = (below: number) => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    net = networkWithPhase();
    await net.serve(0, { itemsPerAnswer: 3 });
    let client = await visit();
    for (let round = 0; round < 80; round += 1) {
      const current = readPhase(net.ledger.state, phase)!;
      const inside = current.participants.some(entry => entry.member === bob.id);
      const act = random(8);
      if (act < 2) write(`record ${round}`);
      else if (act === 2) net.commit(net.actions.rotateEpoch(owner, phase));
      else if (act < 6 && inside) remove();
      else if (act === 3) add(GRANTS.all);
      else if (act === 4) add(GRANTS.none);
      else if (act === 5) add(GRANTS.fromEpoch, random(current.epochs.length));
      if (act === 6) await client.reached(net.ledger.height);
      if (act === 7) {
        await client.stop();
        for (let away = random(4); away > 0; away -= 1) write(`away ${round} ${away}`);
        client = await visit(random(5) === 0 ? undefined : client.kv);
      }
      if (act >= 6) expectExact(client);
    }
  });
});
