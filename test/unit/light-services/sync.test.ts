import { afterEach, describe, expect, it } from 'vitest';
import { utf8Decode } from '../../../src/core/base/bytes.ts';
import type { MemberId, PhaseId } from '../../../src/core/base/ids.ts';
import { encodePhaseState } from '../../../src/core/codec/state.ts';
import { readPhase, readSystem } from '../../../src/core/ledger/read.ts';
import { GRANTS, KINDS, ROLES } from '../../../src/core/types/operation.ts';
import { lightRequestCodec } from '../../../src/wire/light.ts';
import { createActor, hashOf, TestLedger, testGenesis } from '../../support/ledger-kit.ts';
import { LightNetwork, type TestClient } from '../../support/light-kit.ts';

const admin = createActor('admin');
const [owner, alice, bob, carol] = ['owner', 'alice', 'bob', 'carol'].map(name => createActor(name)) as [
  ReturnType<typeof createActor>,
  ReturnType<typeof createActor>,
  ReturnType<typeof createActor>,
  ReturnType<typeof createActor>,
];
const project = hashOf('project');
const phase = hashOf('phase') as PhaseId;
const other = hashOf('other phase') as PhaseId;
const both = ROLES.contributor | ROLES.reader;

function setUp(): LightNetwork {
  const net = new LightNetwork(new TestLedger(testGenesis([admin], [owner, alice, bob, carol])));
  const { actions } = net;
  net.commit(actions.createProject(owner, project));
  net.commit(actions.addPhase(owner, project, phase, { alice: both, bob: both }));
  net.commit(actions.addPhase(owner, project, other, { bob: both }));
  net.commit(actions.open(owner, phase), actions.open(owner, other));
  net.commit(
    actions.put(alice, phase, 'one'),
    actions.put(bob, phase, 'two'),
    actions.put(bob, other, 'secret'),
  );
  return net;
}

/** The payloads held of a phase, in order. */
async function payloads(client: TestClient, net: LightNetwork, id: PhaseId): Promise<string[]> {
  const logId = net.ledger.logId('phase', id);
  const held = client.light.held(logId);
  if (held === null) return [];
  const items = await client.light.items(logId, held.from, held.to);
  const records = items.filter(item => item.transaction.body.kind === KINDS.recordPut);
  const parts = records.flatMap(item => item.transaction.signed.parts[1] ?? []);
  return parts.map(part => utf8Decode(part.content) ?? '');
}

describe('light client', () => {
  let net: LightNetwork;
  afterEach(() => net.stop());

  it('holds its own logs, verified, and nothing of the others', async () => {
    net = setUp();
    await net.serve(0);
    const client = await net.join(alice);
    await client.reached(net.ledger.height);
    expect(await payloads(client, net, phase)).toEqual(['one', 'two']);
    expect(client.light.phases()).toEqual([readPhase(net.ledger.state, phase)]);
    expect(client.light.phase(other)).toBeNull();
    expect(client.light.projects()).toEqual([]);
    expect(client.light.system()).toEqual(readSystem(net.ledger.state));
    expect(client.light.lies()).toEqual([]);
  });

  it('gives the owner of a project its log, all its phases and the parts of each scope', async () => {
    net = setUp();
    await net.serve(0);
    const client = await net.join(owner);
    await client.reached(net.ledger.height);
    expect(client.light.project(project)?.phases.map(entry => entry.id)).toEqual([phase, other]);
    expect(client.light.phases().length).toBe(2);
    const added = await client.light.items(net.ledger.logId('project', project), 1, 2);
    expect(added[0]!.transaction.signed.parts.map(part => part !== null)).toEqual([true, false]);
  });

  it('follows new blocks, new phases and rotated keys as they come', async () => {
    net = setUp();
    await net.serve(0);
    const client = await net.join(alice);
    await client.reached(net.ledger.height);
    const fresh = hashOf('later phase') as PhaseId;
    net.commit(net.actions.rotate(bob, createActor('bob', 1)));
    net.commit(net.actions.addPhase(owner, project, fresh, { alice: both }));
    net.commit(net.actions.open(owner, fresh));
    net.commit(net.actions.put(alice, fresh, 'three'), net.actions.put(createActor('bob', 1), phase, 'four'));
    await client.reached(net.ledger.height);
    expect(await payloads(client, net, fresh)).toEqual(['three']);
    expect(await payloads(client, net, phase)).toEqual(['one', 'two', 'four']);
    expect(client.light.lies()).toEqual([]);
  });

  it('fetches a long log in several verified rounds', async () => {
    net = setUp();
    const texts = Array.from({ length: 60 }, (_, index) => `record ${index}`);
    net.commit(...texts.map(text => net.actions.put(alice, phase, text)));
    await net.serve(0, { itemsPerAnswer: 7 });
    const client = await net.join(alice);
    await client.reached(net.ledger.height);
    expect((await payloads(client, net, phase)).slice(2)).toEqual(texts);
    const logId = net.ledger.logId('phase', phase);
    expect(client.updates.filter(update => update.logId === logId).length).toBeGreaterThan(8);
  });

  it('goes on after a restart from what it holds', async () => {
    net = setUp();
    const { lie } = await net.serve(0);
    const first = await net.join(alice);
    await first.reached(net.ledger.height);
    const height = first.light.head().height;
    await first.stop();
    net.commit(net.actions.put(bob, phase, 'while away'));
    const asked: number[] = [];
    lie.tell = (_, request) => {
      if (request.kind === 'logs') asked.push(...request.logs.map(log => log.held.at(-1)?.to ?? 0));
      return null;
    };
    const again = await net.join(alice, { kv: first.kv });
    expect(again.light.head().height).toBe(height);
    await again.reached(height + 1);
    expect(await payloads(again, net, phase)).toEqual(['one', 'two', 'while away']);
    expect(again.updates.map(({ from, to }) => [from, to])).toEqual([[4, 5]]);
    expect(Math.max(...asked)).toBe(4);
  });

  it('refuses to send, and to take, spans that touch or are out of order', () => {
    net = setUp();
    const logId = net.ledger.logId('phase', phase);
    const span = (from: number, to: number) => ({ from, to });
    const query = (held: { from: number; to: number }[]) =>
      lightRequestCodec.decode(
        lightRequestCodec.encode({
          ...{ kind: 'logs', knownHeight: 0, scopesFrom: 0 },
          logs: [{ logId, held, digest: null, ended: false }],
        }),
      );
    expect(query([span(0, 2), span(3, 4)])).toMatchObject({ logs: [{ held: [span(0, 2), span(3, 4)] }] });
    for (const held of [[span(2, 2)], [span(0, 2), span(2, 4)], [span(3, 4), span(0, 2)]]) {
      expect(query(held)).toMatchObject({ reject: 'undecodable' });
    }
  });

  it('[82] serves a removed participant up to its removal leaf and not beyond', async () => {
    net = setUp();
    await net.serve(0);
    const before = await net.join(bob);
    await before.reached(net.ledger.height);
    net.commit(net.actions.removeParticipant(owner, phase, bob.id));
    const removedState = encodePhaseState(readPhase(net.ledger.state, phase)!);
    const end = net.ledger.leavesOf('phase', phase).length;
    net.commit(net.actions.put(alice, phase, 'after the removal'));
    net.commit(net.actions.put(alice, phase, 'and more'));
    await before.reached(net.ledger.height);
    const logId = net.ledger.logId('phase', phase);
    expect(before.light.held(logId)).toMatchObject({ ranges: [{ from: 0, to: end }], ended: true });
    expect(encodePhaseState(before.light.phase(phase)!)).toEqual(removedState);
    expect(before.light.lies()).toEqual([]);
    await before.stop();
    // Without a store, from nothing: the state is folded from the leaves.
    const fresh = await net.join(bob);
    await fresh.reached(net.ledger.height);
    expect(fresh.light.held(logId)).toMatchObject({ ranges: [{ from: 0, to: end }], ended: true });
    expect(encodePhaseState(fresh.light.phase(phase)!)).toEqual(removedState);
    expect(await payloads(fresh, net, phase)).toEqual(['one', 'two']);
    expect(await payloads(fresh, net, other)).toEqual(['secret']);
  });

  it('[83] gives who is added again what the new grant says', async () => {
    net = setUp();
    await net.serve(0);
    const client = await net.join(bob);
    net.commit(net.actions.removeParticipant(owner, phase, bob.id));
    net.commit(net.actions.put(alice, phase, 'between'));
    await client.reached(net.ledger.height);
    net.commit(net.actions.addParticipant(owner, phase, bob.id, GRANTS.none));
    net.commit(net.actions.put(alice, phase, 'again'));
    await client.reached(net.ledger.height);
    expect(await payloads(client, net, phase)).toEqual(['one', 'two', 'again']);
    expect(client.light.held(net.ledger.logId('phase', phase))?.ended).toBe(false);
    expect(client.light.lies()).toEqual([]);
  });

  it('starts where a grant starts', async () => {
    net = setUp();
    await net.serve(0);
    net.commit(net.actions.addParticipant(owner, phase, carol.id, GRANTS.none));
    net.commit(net.actions.put(alice, phase, 'for carol too'));
    const client = await net.join(carol);
    await client.reached(net.ledger.height);
    expect(await payloads(client, net, phase)).toEqual(['for carol too']);
    expect(client.light.held(net.ledger.logId('phase', phase))?.from).toBe(4);
  });

  it('tells a subscriber nothing once it has left', async () => {
    net = setUp();
    await net.serve(0);
    const client = await net.join(alice);
    const heads: number[] = [];
    const left: number[] = [];
    client.light.onEvents({ head: head => heads.push(head.height) });
    const leave = client.light.onEvents({ head: head => left.push(head.height) });
    await client.reached(net.ledger.height);
    const before = left.length;
    leave();
    net.commit(net.actions.put(alice, phase, 'unheard'));
    await client.reached(net.ledger.height);
    expect([heads.at(-1), left.length]).toEqual([net.ledger.height, before]);
  });

  it('tells members the addresses of connected members, and heads that are fresh', async () => {
    net = setUp();
    await net.serve(0);
    await net.serve(1);
    const client = await net.join(alice);
    const peer = await net.join(bob);
    await Promise.all([client.reached(net.ledger.height), peer.reached(net.ledger.height)]);
    expect(await client.light.addressesOf(['bob' as MemberId, 'nobody' as MemberId])).toEqual([
      { member: 'bob', peer: 'peer-of-bob', addresses: ['/dns4/peer-of-bob/tcp/1/p2p/peer-of-bob'] },
    ]);
    expect(await client.light.checkFresh()).toBeNull();
    await net.servers[1]!.transport.stop();
    await client.until(() => client.transport.peers().filter(info => info.connected).length === 1);
    expect((await client.light.checkFresh())?.reject).toBe('not_fresh');
  });
});
