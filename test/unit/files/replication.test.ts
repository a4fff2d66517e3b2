import { describe, expect, it } from 'vitest';
import { reject } from '../../../src/core/base/reject.ts';
import { OperatingError } from '../../../src/ports/lifecycle.ts';
import type { PutResult } from '../../../src/services/files/local-files.ts';
import { UnixFsDag } from '../../../src/store/unixfs.ts';
import {
  chunked,
  collect,
  eachWorld,
  type FileNode,
  isWhole,
  MIB,
  NO_COMMITMENT,
  patterned,
  put,
  reading,
  until,
  type World,
} from './world.ts';

let world: World;
eachWorld('replication', made => {
  world = made;
});

describe('replication of files', () => {
  it('brings a file to every participant, and the log to n of n', async () => {
    const phase = world.ledger.addPhase('p', ['ann', 'bob', 'cem']);
    const nodes = [await world.node('ann'), await world.node('bob'), await world.node('cem')] as const;
    world.connectAll(...nodes);
    const content = patterned(5 * MIB);
    const file = await nodes[0].service.putFile(chunked(content));
    expect(nodes[1].service.status(phase, file.cid)).toBeNull();
    world.ledger.record(phase, 'ann', file);
    expect(nodes[1].service.status(phase, file.cid)).toMatchObject({
      copies: 0,
      wanted: 3,
      condition: 'short',
    });
    await world.settled(phase, file.cid, 3);
    for (const node of nodes) {
      const status = node.service.status(phase, file.cid);
      expect(status).toMatchObject({
        local: 'whole',
        condition: 'complete',
        missing: [],
        fetch: null,
        minimum: 2,
      });
      expect([...status!.holders].sort()).toEqual(['ann', 'bob', 'cem']);
      expect(Buffer.compare(await collect(node.service.getFile(file)), content)).toBe(0);
    }
  });

  it('looks on its own disk for the root only of a file of which nothing came before', async () => {
    const phase = world.ledger.addPhase('p', ['ann', 'bob']);
    const ann = await world.node('ann');
    let reads = 0;
    const bob = await world.node('bob', {
      serve: blobs =>
        reading(blobs, (_, bytes) => {
          reads += 1;
          return bytes;
        }),
    });
    world.connect(ann, bob);
    const file = await put(ann, 5);
    world.ledger.record(phase, 'ann', file);
    await until(() => isWhole(bob, phase, file.cid));
    expect(reads).toBe(1);
    expect(await bob.service.verifyFile(file.cid)).toMatchObject({ sound: true });
    expect(reads).toBeGreaterThan(5);
  });

  it('signs for many files in few transactions, and for each file once', async () => {
    const phase = world.ledger.addPhase('p', ['ann', 'bob']);
    const ann = await world.node('ann');
    const bob = await world.node('bob');
    const files: PutResult[] = [];
    for (let seed = 1; seed <= 20; seed += 1) files.push(await put(ann, 0.01, seed));
    for (const file of files) world.ledger.record(phase, 'ann', file);
    world.connect(ann, bob);
    await until(() => files.every(file => isWhole(bob, phase, file.cid)));
    for (const file of files) await world.settled(phase, file.cid, 2);
    expect(world.ledger.submissions.length).toBeLessThanOrEqual(4);
    const signed = world.ledger.submissions.flatMap(({ member, receipts }) =>
      receipts.map(receipt => `${member} ${receipt.cid}`),
    );
    expect(signed).toHaveLength(40);
    expect(new Set(signed).size).toBe(40);
  });

  it('keeps a copy on each node of a member and signs once for all of them', async () => {
    const phase = world.ledger.addPhase('p', ['ann', 'bob']);
    const ann = await world.node('ann');
    const first = await world.node('bob-1', { member: 'bob' });
    world.connect(ann, first);
    const file = await put(ann, 1);
    world.ledger.record(phase, 'ann', file);
    await world.settled(phase, file.cid, 2);
    const submissions = world.ledger.submissions.length;
    const second = await world.node('bob-2', { member: 'bob' });
    world.connect(first, second);
    await until(() => isWhole(second, phase, file.cid));
    const last = await put(ann, 1, 2);
    world.ledger.record(phase, 'ann', last);
    await world.settled(phase, last.cid, 2);
    const later = world.ledger.submissions.slice(submissions).flatMap(({ receipts }) => receipts);
    expect(later.filter(receipt => receipt.cid === file.cid)).toEqual([]);
  });

  it('copies to as many nodes as the policy wants and to no others', async () => {
    const names = ['ann', 'bob', 'cem', 'dee'];
    const phase = world.ledger.addPhase('p', names, 2);
    const nodes: FileNode[] = [];
    for (const name of names) nodes.push(await world.node(name));
    world.connectAll(...nodes);
    const file = await put(nodes[0]!, 1);
    world.ledger.record(phase, 'ann', file);
    await world.settled(phase, file.cid, 2);
    const holding = nodes.filter(node => isWhole(node, phase, file.cid)).map(node => node.name);
    expect(holding).toEqual(
      names.filter(name => nodes[0]!.service.status(phase, file.cid)!.desired.includes(name as never)),
    );
    expect(holding).toContain('ann');
    expect(holding).toHaveLength(2);
    const other = nodes.find(node => !isWhole(node, phase, file.cid))!;
    expect(await other.service.fetchFile(phase, file.cid)).toBeNull();
    expect(isWhole(other, phase, file.cid)).toBe(true);
    await world.settled(phase, file.cid, 3);
  });

  it('copies again to others when a holder leaves the phase', async () => {
    const phase = world.ledger.addPhase('p', ['ann', 'bob'], 2);
    const [ann, bob, cem] = [await world.node('ann'), await world.node('bob'), await world.node('cem')];
    world.connectAll(ann, bob, cem);
    const file = await put(ann, 1);
    world.ledger.record(phase, 'ann', file);
    await world.settled(phase, file.cid, 2);
    expect(isWhole(cem, phase, file.cid)).toBe(false);
    world.ledger.setParticipants(phase, ['ann', 'cem']);
    expect(ann.service.status(phase, file.cid)).toMatchObject({
      copies: 1,
      condition: 'short',
      missing: ['cem'],
    });
    await until(() => isWhole(cem, phase, file.cid));
    await world.settled(phase, file.cid, 2);
  });

  it('copies to another participant when a holder is not reached for too long, and goes on counting its receipt', async () => {
    const names = ['ann', 'bob', 'cem'];
    const phase = world.ledger.addPhase('p', names, 2);
    const limits = { holderGoneMs: 60_000, holderCheckMs: 10_000 };
    const nodes: FileNode[] = [];
    for (const name of names) nodes.push(await world.node(name, { limits }));
    world.connectAll(...nodes);
    const file = await put(nodes[0]!, 1);
    world.ledger.record(phase, 'ann', file);
    await world.settled(phase, file.cid, 2);
    const { desired } = nodes[0]!.service.status(phase, file.cid)!;
    const lost = nodes.find(node => node.name !== 'ann' && desired.includes(node.name as never))!;
    const spare = nodes.find(node => !desired.includes(node.name as never))!;
    const stay = nodes.filter(node => node !== lost);
    for (const node of stay) world.network.cut(node.transport.peerId, lost.transport.peerId);
    await until(() => lost.transport.peers().every(peer => !peer.connected));
    // away for a while is not gone
    for (let waited = 0; waited < 50_000; waited += 10_000) world.clock.advance(10_000);
    expect(spare.service.status(phase, file.cid)).toMatchObject({ copies: 2, condition: 'complete' });
    expect(isWhole(spare, phase, file.cid)).toBe(false);
    for (let waited = 0; waited < 30_000; waited += 10_000) world.clock.advance(10_000);
    expect(nodes[0]!.service.status(phase, file.cid)).toMatchObject({
      copies: 2,
      condition: 'short',
      missing: [spare.name],
    });
    await until(() => isWhole(spare, phase, file.cid));
    await world.settled(phase, file.cid, 3);
    expect(spare.service.status(phase, file.cid)).toMatchObject({
      copies: 3,
      condition: 'complete',
      missing: [],
    });
    const survey = (await spare.service.survey(phase, [file.cid])).get(file.cid);
    expect(survey).toEqual([{ peer: 'peer-ann', member: 'ann', extent: 'whole' }]);
  });

  it('asks each node once for many files, and one that falls silent no further', async () => {
    const phase = world.ledger.addPhase('p', ['ann', 'bob', 'cem'], 1);
    const [ann, bob, cem] = [await world.node('ann'), await world.node('bob'), await world.node('cem')];
    world.connectAll(ann, bob, cem);
    const files: PutResult[] = [];
    for (let seed = 1; seed <= 5; seed += 1) files.push(await put(ann, 0.01, seed));
    for (const file of files) world.ledger.record(phase, 'ann', file);
    await until(() => cem.transport.peers().filter(peer => peer.connected).length === 2);
    const request = cem.transport.request.bind(cem.transport);
    const asked: string[] = [];
    cem.transport.request = async (peer, ...rest) => {
      asked.push(peer);
      if (peer === 'peer-bob') throw new OperatingError('timeout', 'no answer');
      return request(peer, ...rest);
    };
    const cids = files.map(file => file.cid);
    const survey = await cem.service.survey(phase, cids);
    expect([...survey.keys()]).toEqual(cids);
    for (const possessions of survey.values()) {
      expect(possessions.find(({ member }) => member === 'ann')?.extent).toBe('whole');
      expect(possessions.find(({ member }) => member === 'bob')?.extent).toBeNull();
    }
    expect(asked.filter(peer => peer === 'peer-bob')).toHaveLength(1);
    expect(asked.filter(peer => peer === 'peer-ann')).toHaveLength(1);
  });

  it('asks connected nodes what they have', async () => {
    const phase = world.ledger.addPhase('p', ['ann', 'bob', 'cem'], 1);
    const [ann, bob, cem] = [await world.node('ann'), await world.node('bob'), await world.node('cem')];
    const file = await put(ann, 1);
    const entry = world.ledger.record(phase, 'ann', file);
    world.ledger.sign(phase, entry.author, [entry]);
    world.connect(ann, cem);
    world.connect(bob, cem);
    const survey = async () => (await cem.service.survey(phase, [file.cid])).get(file.cid) ?? [];
    await until(async () => (await survey()).length === 2);
    expect(await survey()).toContainEqual({ peer: 'peer-ann', member: 'ann', extent: 'whole' });
    expect(await survey()).toContainEqual({ peer: 'peer-bob', member: 'bob', extent: 'none' });
  });

  it('says why a file is not here, waits longer each time, and tries at once when a peer comes', async () => {
    const phase = world.ledger.addPhase('p', ['ann', 'bob']);
    const ann = await world.node('ann');
    const bob = await world.node('bob', { limits: { retryMs: 100, retryMsMax: 250 } });
    const file = await put(ann, 1);
    world.ledger.record(phase, 'ann', file);
    const attempts = (count: number) =>
      until(() => {
        const state = bob.service.status(phase, file.cid)?.fetch;
        return state?.attempts === count && !state.running;
      });
    for (const [count, delayMs] of [
      [1, 100],
      [2, 200],
      [3, 250],
      [4, 250],
    ] as const) {
      await attempts(count);
      const { fetch } = bob.service.status(phase, file.cid)!;
      expect(fetch).toMatchObject({
        reason: 'no holder is connected',
        nextAttemptMs: world.clock.nowMs() + delayMs,
      });
      world.clock.advance(delayMs);
    }
    await attempts(5);
    world.connect(ann, bob);
    await until(() => isWhole(bob, phase, file.cid));
  });

  it('lets no file that cannot be fetched hold up the others', async () => {
    const phase = world.ledger.addPhase('p', ['ann', 'bob']);
    const ann = await world.node('ann');
    const bob = await world.node('bob', { limits: { filesInFlight: 1 } });
    world.connect(ann, bob);
    for (let index = 0; index < 5; index += 1) {
      const lost = await put(ann, 0.01, 100 + index);
      await ann.service.discardFile(lost.cid);
      world.ledger.record(phase, 'ann', lost);
    }
    const file = await put(ann, 2);
    world.ledger.record(phase, 'ann', file);
    await until(() => isWhole(bob, phase, file.cid));
  });

  it('goes on with what it has after a restart, and signs for what it had not signed for', async () => {
    const phase = world.ledger.addPhase('p', ['ann', 'bob']);
    const served: string[] = [];
    const ann = await world.node('ann', {
      serve: blobs =>
        reading(blobs, (cid, bytes) => {
          if (bytes !== null) served.push(cid);
          return bytes;
        }),
    });
    const bob = await world.node('bob', { limits: { blocksPerFetch: 1, sourcesPerFile: 1 } });
    const file = await put(ann, 8);
    served.length = 0;
    world.ledger.record(phase, 'ann', file);
    world.connect(ann, bob);
    await until(() => served.length >= 4);
    world.network.cut('peer-ann', 'peer-bob');
    await bob.service.stop();
    await bob.transport.stop();
    expect(isWhole(bob, phase, file.cid)).toBe(false);
    world.ledger.refusal = reject('busy', 'try later');
    world.network.heal('peer-ann', 'peer-bob');
    const again = await world.node('bob', { earlier: bob });
    world.connect(ann, again);
    await until(() => isWhole(again, phase, file.cid));
    // two requests may have been under way when the link went
    expect(served.length).toBeLessThanOrEqual(new Set(served).size + 2);
    world.ledger.refusal = null;
    await again.service.stop();
    await again.transport.stop();
    await world.node('bob', { earlier: again });
    await until(() => {
      world.clock.advance(10);
      return again.service.status(phase, file.cid)!.holders.includes(again.name as never);
    });
  });

  it('takes one file for two phases once', async () => {
    const first = world.ledger.addPhase('p', ['ann', 'bob']);
    const second = world.ledger.addPhase('q', ['ann', 'bob']);
    const ann = await world.node('ann');
    const bob = await world.node('bob');
    const file = await put(ann, 2);
    const entry = world.ledger.record(first, 'ann', file);
    world.ledger.record(second, 'ann', file, entry);
    world.connect(ann, bob);
    await world.settled(first, file.cid, 2);
    await world.settled(second, file.cid, 2);
  });

  it('finds content that was imported elsewhere under the CID that the record names', async () => {
    const phase = world.ledger.addPhase('p', ['ann', 'bob']);
    const bob = await world.node('bob');
    const content = patterned(2 * MIB, 9);
    const { cid } = await new UnixFsDag(bob.blobs).importFile(chunked(content));
    world.ledger.record(phase, 'ann', { cid, ciphertextBytes: content.length, keyCommitment: NO_COMMITMENT });
    await until(() => isWhole(bob, phase, cid));
  });
});
