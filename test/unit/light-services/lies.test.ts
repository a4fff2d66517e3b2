import { afterEach, describe, expect, it } from 'vitest';
import type { PhaseId } from '../../../src/core/base/ids.ts';
import { isReject, reject } from '../../../src/core/base/reject.ts';
import { decodeLeaf, encodeLeaf } from '../../../src/core/codec/transaction.ts';
import { ROLES } from '../../../src/core/types/operation.ts';
import { LIGHT_PROTOCOL } from '../../../src/services/light-server/limits.ts';
import { lightFrameCodec, lightRequestCodec } from '../../../src/wire/light.ts';
import { type LightAnswer, type LogPart, lightAnswerCodec } from '../../../src/wire/light-answer.ts';
import { createActor, hashOf, TestLedger, testGenesis } from '../../support/ledger-kit.ts';
import { type Lie, LightNetwork } from '../../support/light-kit.ts';

const actor = createActor;
const [admin, owner, alice, bob] = [actor('admin'), actor('owner'), actor('alice'), actor('bob')];
const project = hashOf('project');
const phase = hashOf('phase') as PhaseId;
const other = hashOf('other phase') as PhaseId;
const both = ROLES.contributor | ROLES.reader;

function setUp(): LightNetwork {
  const net = new LightNetwork(new TestLedger(testGenesis([admin], [owner, alice, bob])));
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

/** Changes the part of alice's phase log in an answer. */
function inPhase(net: LightNetwork, change: (part: LogPart) => LogPart): Lie {
  const logId = net.ledger.logId('phase', phase);
  return (answer: LightAnswer) => {
    if (answer.kind !== 'logs') return null;
    const logs = answer.logs.map(log =>
      log.kind === 'part' && log.logId === logId ? { ...log, part: change(log.part) } : log,
    );
    return { ...answer, logs };
  };
}

const LIES: readonly (readonly [string, readonly string[], (net: LightNetwork) => Lie])[] = [
  [
    '[77] withholds the last record',
    ['wrong_root'],
    net => inPhase(net, part => ({ ...part, items: part.items.slice(0, -1) })),
  ],
  [
    '[77] withholds a record in the middle',
    ['reordered', 'wrong_root'],
    net => inPhase(net, part => ({ ...part, items: part.items.toSpliced(2, 1) })),
  ],
  [
    '[77] truncates the log and says that this is all of it',
    ['bad_map_proof'],
    net =>
      inPhase(net, part => ({
        ...part,
        entry: { ...part.entry, size: part.entry.size - 1 },
        items: part.items.slice(0, -1),
      })),
  ],
  [
    '[77] invents a record',
    ['reordered', 'invented', 'wrong_root'],
    net => inPhase(net, part => ({ ...part, items: [...part.items, part.items.at(-1)!] })),
  ],
  [
    '[77] reorders two records',
    ['reordered'],
    net =>
      inPhase(net, part => {
        const [a, b] = part.items.slice(-2);
        return { ...part, items: [...part.items.slice(0, -2), b!, a!] };
      }),
  ],
  [
    '[77] changes the outcome of a record',
    ['wrong_root'],
    net =>
      inPhase(net, part => {
        const item = part.items.at(-1)!;
        const leaf = decodeLeaf(item.leaf);
        const forged = isReject(leaf) ? item.leaf : encodeLeaf({ ...leaf, outcome: 40 });
        return { ...part, items: [...part.items.slice(0, -1), { ...item, leaf: forged }] };
      }),
  ],
  [
    '[77] says that the member was removed when it was not',
    ['withheld'],
    net => inPhase(net, part => ({ ...part, ended: true, state: null })),
  ],
  [
    '[78] moves a record of another phase in',
    ['foreign_leaf'],
    net => {
      const stored = net.ledger.leavesOf('phase', other).at(-1)!;
      const transaction = net.ledger.wrappers.get(stored.transactionId)!;
      return inPhase(net, part => ({
        ...part,
        items: [...part.items.slice(0, -1), { leaf: stored.leaf, transaction }],
      }));
    },
  ],
  [
    'serves the state of another height',
    ['wrong_state'],
    net => inPhase(net, part => ({ ...part, state: new Uint8Array(40) })),
  ],
  ['leaves the state out', ['state_withheld'], net => inPhase(net, part => ({ ...part, state: null }))],
  [
    '[75] shows a certificate with too few signatures',
    ['short_certificate'],
    () => answer => {
      if (answer.kind !== 'logs' || answer.certified === null) return null;
      const { header, certificate } = answer.certified;
      const signatures = certificate.signatures.slice(1);
      return { ...answer, certified: { header, certificate: { ...certificate, signatures } } };
    },
  ],
  [
    '[76] forges the header',
    ['wrong_block'],
    () => answer => {
      if (answer.kind !== 'logs' || answer.certified === null) return null;
      const { header, certificate } = answer.certified;
      return { ...answer, certified: { certificate, header: { ...header, mapRoot: hashOf('forged') } } };
    },
  ],
  [
    'refuses a log that it named',
    ['own_log_refused'],
    net => {
      const logId = net.ledger.logId('phase', phase);
      return answer => {
        if (answer.kind !== 'logs') return null;
        const logs = answer.logs.map(log =>
          log.logId === logId ? { logId, kind: 'refused' as const, code: 'no' } : log,
        );
        return { ...answer, logs };
      };
    },
  ],
  [
    'answers with something else',
    ['wrong_answer'],
    () => answer => (answer.kind === 'logs' ? { kind: 'addresses', peers: [] } : null),
  ],
];

describe('light client and lying sources', () => {
  let net: LightNetwork;
  afterEach(() => net.stop());

  for (const [name, codes, lie] of LIES) {
    it(`${name}: refused, recorded, another source asked [81]`, async () => {
      net = setUp();
      const liar = await net.serve(0);
      liar.lie.tell = lie(net);
      const client = await net.join(alice);
      await client.until(() => client.light.lies().length > 0);
      expect(codes).toContain(client.light.lies()[0]!.code);
      expect(client.light.lies()[0]!.peer).toBe(liar.transport.peerId);
      expect(client.light.head().height).toBe(0);
      await client.stop();
      await net.serve(1);
      const other = await net.join(alice, { kv: client.kv });
      await other.reached(net.ledger.height);
      expect(other.light.held(net.ledger.logId('phase', phase))?.to).toBe(4);
      expect(other.light.phases().length).toBe(1);
    });
  }

  it('[77] an owner that is removed as a participant reads on, whatever a source says', async () => {
    net = setUp();
    const { actions } = net;
    const own = hashOf('own phase') as PhaseId;
    net.commit(actions.addPhase(owner, project, own, { owner: both | ROLES.steward, bob: both }));
    net.commit(actions.removeParticipant(owner, own, owner.id));
    const logId = net.ledger.logId('phase', own);
    const liar = await net.serve(0);
    liar.lie.tell = answer => {
      if (answer.kind !== 'logs') return null;
      const logs = answer.logs.map(log =>
        log.kind === 'part' && log.logId === logId
          ? { ...log, part: { ...log.part, ended: true, state: null } }
          : log,
      );
      return { ...answer, logs };
    };
    const client = await net.join(owner);
    await client.until(() => client.light.lies().length > 0);
    expect(client.light.lies()[0]!.code).toBe('withheld');
  });

  it('[81] goes on with another source in the same run when the first lies later', async () => {
    net = setUp();
    const first = await net.serve(0);
    const second = await net.serve(1);
    const client = await net.join(alice);
    await client.reached(net.ledger.height);
    const tell = inPhase(net, part => ({ ...part, entry: { ...part.entry, root: hashOf('nowhere') } }));
    first.lie.tell = tell;
    for (let round = 0; round < 3; round += 1) {
      net.commit(net.actions.put(bob, phase, `round ${round}`));
      await client.reached(net.ledger.height);
    }
    second.lie.tell = tell;
    first.lie.tell = () => null;
    expect(client.light.held(net.ledger.logId('phase', phase))?.to).toBe(7);
    expect(client.light.lies().length).toBeLessThanOrEqual(1);
  });

  it('[81] continues from another source when the only one in use dies in the middle', async () => {
    net = setUp();
    const texts = Array.from({ length: 40 }, (_, index) => `record ${index}`);
    net.commit(...texts.map(text => net.actions.put(alice, phase, text)));
    const first = await net.serve(0, { itemsPerAnswer: 5 });
    await net.serve(1, { itemsPerAnswer: 5 });
    const logId = net.ledger.logId('phase', phase);
    first.lie.tell = () => {
      if ((client.light.held(logId)?.to ?? 0) > 10) void first.transport.stop();
      return null;
    };
    const client = await net.join(alice);
    await client.reached(net.ledger.height);
    expect(client.light.held(logId)?.to).toBe(44);
    expect(client.light.lies()).toEqual([]);
  });

  it('finds a phase that one source hides by asking the others', async () => {
    net = setUp();
    const hiding = await net.serve(0);
    hiding.lie.tell = answer => (answer.kind === 'logs' ? { ...answer, scopes: [], scopeCount: 0 } : null);
    const client = await net.join(alice, { sources: net.servers });
    await client.reached(net.ledger.height);
    expect(client.light.phases()).toEqual([]);
    await client.stop();
    const honest = await net.serve(1);
    const again = await net.join(alice, {
      kv: client.kv,
      limits: { crossCheckMs: 5 },
      sources: [hiding, honest],
    });
    await again.until(() => again.light.phases().length === 1);
    expect(again.light.lies()).toEqual([]);
  });

  it('[77] has a phase that one source neither names nor serves, though that one is asked for it first', async () => {
    net = setUp();
    const logId = net.ledger.logId('phase', phase);
    const hiding = await net.serve(0);
    let refusals = 0;
    hiding.lie.tell = answer => {
      if (answer.kind !== 'logs') return null;
      const logs = answer.logs.map(log => {
        if (log.logId !== logId) return log;
        refusals += 1;
        return { logId, kind: 'refused' as const, code: 'not_readable' };
      });
      return { ...answer, logs, scopes: [], scopeCount: 0 };
    };
    const honest = await net.serve(1);
    // it names the phase in a cross-check, and gives nothing before the other was asked
    honest.lie.tell = answer => {
      if (answer.kind !== 'logs' || refusals > 0) return null;
      const logs = answer.logs.map(log => (log.logId === logId ? { logId, kind: 'later' as const } : log));
      return { ...answer, logs };
    };
    const client = await net.join(alice, { limits: { crossCheckMs: 5, liarMs: 5 } });
    await client.until(() => client.light.phases().length === 1);
    expect(refusals).toBeGreaterThan(0);
    await client.reached(net.ledger.height);
  });

  it('[76] notices two certified chains', async () => {
    net = setUp();
    await net.serve(0);
    const twin = setUp();
    net.ledger.commit(net.actions.put(alice, phase, 'in one world'));
    twin.ledger.commit(twin.actions.put(alice, phase, 'in the other'));
    await net.serve(1, {}, twin.ledger);
    const client = await net.join(alice, { limits: { crossCheckMs: 5 } });
    await client.until(() => client.light.fork() !== null);
    expect(client.light.fork()?.second.header.height).toBe(net.ledger.height);
    expect(client.light.lies()[0]?.code).toBe('fork');
  });
});

describe('light server', () => {
  let net: LightNetwork;
  afterEach(() => net.stop());

  const ask = async (
    from: ReturnType<typeof net.network.create>,
    request: Parameters<typeof lightRequestCodec.encode>[0],
  ) => {
    const { peerId } = net.servers[0]!.transport;
    const bytes = await from.request(peerId, LIGHT_PROTOCOL.id, lightRequestCodec.encode(request), {
      timeoutMs: 5_000,
    });
    return isReject(bytes) ? bytes : lightAnswerCodec.decode(bytes);
  };

  const stranger = async (peerId: string) => {
    const transport = net.network.create({ peerId });
    transport.register(LIGHT_PROTOCOL, { message: () => null });
    await transport.start();
    const { transport: server } = net.servers[0]!;
    const connected = new Promise<void>(resolve =>
      transport.onEvents({ connected: () => resolve(), disconnected: () => {} }),
    );
    transport.keepConnected(server.peerId, server.addresses());
    await connected;
    return transport;
  };

  it('[82] refuses a stranger, and a member the log of a phase that it is not in', async () => {
    net = setUp();
    await net.serve(0);
    const unknown = await stranger('peer-of-nobody');
    for (const request of [
      { kind: 'head', knownHeight: 0, knownHash: null } as const,
      { kind: 'addresses', members: [bob.id] } as const,
      { kind: 'submit', transactions: [] } as const,
    ]) {
      expect(await ask(unknown, request)).toEqual(
        reject('not_a_member', 'only registered members are served', 'ignore'),
      );
    }
    const known = await stranger('peer-of-alice');
    const query = { held: [], digest: null, ended: false };
    const logs = [
      net.ledger.logId('phase', other),
      net.ledger.logId('project', project),
      net.ledger.logId('phase', hashOf('none')),
    ];
    const answer = await ask(known, {
      kind: 'logs',
      knownHeight: 0,
      scopesFrom: 0,
      logs: logs.map(logId => ({ ...query, logId })),
    });
    expect(answer).toMatchObject({
      logs: logs.map(logId => ({ logId, kind: 'refused', code: 'not_readable' })),
    });
    await unknown.stop();
    await known.stop();
  });

  it('[82] serves one who was removed nothing after its removal, wherever it asks from', async () => {
    net = setUp();
    await net.serve(0);
    net.commit(net.actions.removeParticipant(owner, phase, bob.id));
    const end = net.ledger.leavesOf('phase', phase).length;
    net.commit(net.actions.put(alice, phase, 'after'));
    const removed = await stranger('peer-of-bob');
    const logId = net.ledger.logId('phase', phase);
    for (const from of [0, 2, end, end + 1, 2 ** 40]) {
      const held = from > 0 ? [{ from: 0, to: from }] : [];
      const logs = [{ logId, held, digest: null, ended: false }];
      const answer = await ask(removed, { kind: 'logs', knownHeight: 0, scopesFrom: 0, logs });
      const log = isReject(answer) || answer.kind !== 'logs' ? null : answer.logs[0];
      if (log?.kind !== 'part') throw new Error('a part is answered');
      expect(log.part.from + log.part.items.length).toBe(end);
      expect(log.part.state).toBeNull();
    }
    await removed.stop();
  });

  it('[94] closes a connection whose peer claims to be of another member', async () => {
    net = setUp();
    await net.serve(0);
    const peer = await stranger('peer-of-alice');
    const server = net.servers[0]!.transport;
    const closed = new Promise<void>(resolve =>
      peer.onEvents({ connected: () => {}, disconnected: () => resolve() }),
    );
    peer.send(
      server.peerId,
      LIGHT_PROTOCOL.id,
      lightFrameCodec.encode({ kind: 'hello', member: bob.id, addresses: [] }),
    );
    await closed;
    await peer.stop();
  });

  it('[95] keeps nothing of peers that are gone, and sends one notice for many commits', async () => {
    net = setUp();
    await net.serve(0, { noticeIntervalMs: 50 });
    const peer = net.network.create({ peerId: 'peer-of-alice' });
    const notices: number[] = [];
    peer.register(LIGHT_PROTOCOL, {
      message: (_, bytes) => {
        const frame = lightFrameCodec.decode(bytes);
        if (!isReject(frame) && frame.kind === 'notice') notices.push(frame.height);
        return null;
      },
    });
    await peer.start();
    const server = net.servers[0]!.transport;
    peer.keepConnected(server.peerId, server.addresses());
    while (!peer.peers()[0]?.connected) await new Promise(resolve => setImmediate(resolve));
    for (let count = 0; count < 100; count += 1) {
      peer.send(
        server.peerId,
        LIGHT_PROTOCOL.id,
        lightFrameCodec.encode({ kind: 'hello', member: alice.id, addresses: ['/dns4/x/tcp/1'] }),
      );
    }
    const query = { kind: 'addresses', members: [alice.id] } as const;
    expect(await ask(peer, query)).toMatchObject({
      peers: [{ member: 'alice', addresses: ['/dns4/x/tcp/1'] }],
    });
    for (let count = 0; count < 20; count += 1) net.commit(net.actions.put(alice, phase, `record ${count}`));
    while (notices.at(-1) !== net.ledger.height) await new Promise(resolve => setImmediate(resolve));
    expect(notices.length).toBe(2);
    await peer.stop();
    const bobs = await stranger('peer-of-bob');
    expect(await ask(bobs, query)).toEqual({ kind: 'addresses', peers: [] });
    await bobs.stop();
  });

  it('[32] [93] refuses what it cannot decode, and drops the sender', async () => {
    net = setUp();
    await net.serve(0);
    const peer = await stranger('peer-of-alice');
    const server = net.servers[0]!.transport;
    const closed = new Promise<void>(resolve =>
      peer.onEvents({ connected: () => {}, disconnected: () => resolve() }),
    );
    const noise = peer.request(server.peerId, LIGHT_PROTOCOL.id, new Uint8Array(40).fill(255), {
      timeoutMs: 5_000,
    });
    expect(await noise).toMatchObject({ reject: 'undecodable' });
    await closed;
    await peer.stop();
  });
});
