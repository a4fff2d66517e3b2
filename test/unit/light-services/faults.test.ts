import { afterEach, describe, expect, it } from 'vitest';
import type { LogId, PhaseId } from '../../../src/core/base/ids.ts';
import { appendLeaves, EMPTY_FRONTIER } from '../../../src/core/merkle/log.ts';
import { GRANTS, ROLES } from '../../../src/core/types/operation.ts';
import { OUTCOMES } from '../../../src/core/types/outcome.ts';
import { nodeSuite } from '../../../src/crypto/suite.ts';
import { OperatingError } from '../../../src/ports/lifecycle.ts';
import { LIGHT_SERVER_LIMITS } from '../../../src/services/light-server/limits.ts';
import { LogReader } from '../../../src/services/light-server/log-reader.ts';
import { MemoryStore } from '../../../src/store/memory-store.ts';
import type { LogAnswer } from '../../../src/wire/light-answer.ts';
import { createActor, hashOf, TestLedger, testGenesis } from '../../support/ledger-kit.ts';
import { LedgerStore, type Lie, LightNetwork } from '../../support/light-kit.ts';
import { realClock } from '../../support/memory-transport.ts';

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
  net.commit(actions.addPhase(owner, project, other, { alice: both }));
  net.commit(actions.open(owner, phase), actions.open(owner, other));
  net.commit(actions.put(alice, phase, 'one'), actions.put(bob, phase, 'two'));
  return net;
}

/** Changes what is said of one log. */
function about(logId: LogId, change: (answer: LogAnswer) => LogAnswer): Lie {
  return answer => {
    if (answer.kind !== 'logs') return null;
    return { ...answer, logs: answer.logs.map(log => (log.logId === logId ? change(log) : log)) };
  };
}

/** A disk that can be made to fail. */
class FailingStore extends MemoryStore {
  failing = false;

  override async batch(...parameters: Parameters<MemoryStore['batch']>): Promise<void> {
    if (this.failing) throw new OperatingError('write_failed', 'cannot write to the database in /data');
    return super.batch(...parameters);
  }
}

describe('a light client of which one log does not verify', () => {
  let net: LightNetwork;
  afterEach(() => net.stop());

  it('refuses that log, keeps the others, and lets the other phases be written to', async () => {
    net = setUp();
    const { lie, transport } = await net.serve(0);
    const client = await net.join(alice, { limits: { resendMs: 5 } });
    await client.reached(net.ledger.height);
    const published = client.light.head().height;
    const bad = net.ledger.logId('phase', phase);
    lie.tell = about(bad, log => {
      if (log.kind === 'unchanged') return { ...log, kind: 'refused', code: 'no' };
      return log.kind === 'part' ? { ...log, part: { ...log.part, items: [] } } : log;
    });
    net.commit(net.actions.put(bob, phase, 'not believed'), net.actions.put(alice, other, 'believed'));
    await client.until(() => client.light.held(net.ledger.logId('phase', other))?.to === 3);
    expect(client.light.held(bad)?.to).toBe(4);
    expect(client.light.lies()).toMatchObject([{ peer: transport.peerId, code: 'wrong_root' }]);
    // Reads as of the head do not claim what is not held.
    expect(client.light.head().height).toBe(published);
    expect(client.light.lag()).toMatchObject({
      height: net.ledger.height,
      logs: [{ scope: 'phase', id: phase }],
    });
    const record = net.actions.put(alice, other, 'written');
    const submitted = client.light.submit([record.signed]);
    while (net.pool.size === 0) await new Promise(resolve => setImmediate(resolve));
    net.commitPool();
    expect(await submitted).toMatchObject([{ end: 'block', outcome: OUTCOMES.committed }]);
    // Another source brings what is missing.
    const honest = await net.serve(1);
    await client.stop();
    const again = await net.join(alice, { kv: client.kv, sources: [honest] });
    await again.reached(net.ledger.height);
    expect(again.light.held(bad)?.to).toBe(5);
  });

  const LIES: readonly (readonly [string, string, (log: LogAnswer) => LogAnswer])[] = [
    [
      '[77] says that nothing has changed where something has',
      'bad_map_proof',
      log =>
        log.kind === 'part'
          ? { logId: log.logId, kind: 'unchanged', mapProof: log.part.mapProof }
          : { logId: log.logId, kind: 'later' },
    ],
    [
      '[77] says that access has ended where it has not',
      'withheld',
      log => ({ logId: log.logId, kind: 'ended' }),
    ],
    ['[77] always says later', 'withheld', log => ({ logId: log.logId, kind: 'later' })],
  ];
  for (const [name, code, change] of LIES) {
    it(`refuses a source that ${name}`, async () => {
      net = setUp();
      const { lie } = await net.serve(0);
      const client = await net.join(alice);
      await client.reached(net.ledger.height);
      lie.tell = about(net.ledger.logId('phase', phase), change);
      net.commit(net.actions.put(bob, phase, 'three'));
      await client.until(() => client.light.lies().length > 0);
      expect(client.light.lies()[0]!.code).toBe(code);
      expect(client.light.head().height).toBe(net.ledger.height - 1);
    });
  }

  it('[83] refuses a source that serves the later of two ranges only', async () => {
    net = setUp();
    const { lie } = await net.serve(0);
    net.commit(net.actions.removeParticipant(owner, phase, bob.id));
    net.commit(net.actions.put(alice, phase, 'between'));
    net.commit(net.actions.addParticipant(owner, phase, bob.id, GRANTS.none));
    const second = net.ledger.leavesOf('phase', phase).length - 1;
    const logId = net.ledger.logId('phase', phase);
    // An answer to one that holds the first range, given to one that does not.
    const liar = new LogReader(new LedgerStore(net.ledger), nodeSuite, LIGHT_SERVER_LIMITS);
    lie.tell = (answer, request) => {
      if (answer.kind !== 'logs' || request.kind !== 'logs') return null;
      const held = [{ from: 0, to: second - 1 }];
      const logs = request.logs.map(log => (log.logId === logId ? { ...log, held } : log));
      const told = liar.answer(bob.id, { ...request, logs });
      // The frontier that goes with a range that nothing is held of.
      return about(logId, log => {
        if (log.kind !== 'part') return log;
        const tree = net.ledger.leavesOf('phase', phase).slice(0, log.part.from);
        const frontier = appendLeaves(
          nodeSuite.sha256,
          EMPTY_FRONTIER,
          tree.map(leaf => leaf.leafHash),
        );
        return { ...log, part: { ...log.part, frontier } };
      })({ kind: 'logs', ...told }, request);
    };
    const client = await net.join(bob);
    await client.until(() => client.light.lies().length > 0);
    expect(client.light.lies()[0]!.code).toMatch(/^(withheld|wrong_start)$/);
    expect(client.light.head().height).toBe(0);
    // What it did serve was proven and stays; the rest comes from an honest source.
    await client.stop();
    const honest = await net.serve(1);
    const again = await net.join(bob, { kv: client.kv, sources: [honest] });
    await again.reached(net.ledger.height);
    expect(again.light.held(logId)?.ranges).toEqual([
      { from: 0, to: second - 1 },
      { from: second, to: second + 1 },
    ]);
  });

  it('survives a source that says access to the system log has ended', async () => {
    net = setUp();
    const { lie } = await net.serve(0);
    lie.tell = about(net.ledger.logId('system'), log =>
      log.kind === 'part' ? { ...log, part: { ...log.part, ended: true, state: null } } : log,
    );
    const client = await net.join(alice);
    await client.until(() => client.light.lies().length > 0);
    expect([client.light.lies()[0]!.code, client.failures]).toEqual(['withheld', []]);
  });

  it('takes full answers log by log, also while the head moves on', async () => {
    net = setUp();
    const { lie } = await net.serve(0, { answerBytesTarget: 1 });
    let rounds = 0;
    lie.tell = answer => {
      if (answer.kind === 'logs') rounds += 1;
      // A head with each answer: no two logs are complete at the same one.
      if (answer.kind === 'logs' && rounds < 30)
        net.ledger.commit(net.actions.put(alice, phase, `${rounds}`));
      return null;
    };
    const client = await net.join(owner);
    await client.until(() => client.light.head().height > 6);
    rounds = 30;
    net.commit(net.actions.put(alice, phase, 'last'));
    await client.reached(net.ledger.height);
    expect(client.light.phases().length).toBe(2);
    expect(client.light.held(net.ledger.logId('phase', phase))?.to).toBe(
      net.ledger.leavesOf('phase', phase).length,
    );
    expect(client.light.lies()).toEqual([]);
  });
});

describe('a light client whose own disk fails', () => {
  let net: LightNetwork;
  afterEach(() => net.stop());

  it('[69] says so and blames no source', async () => {
    net = setUp();
    await net.serve(0);
    const kv = new FailingStore();
    const client = await net.join(alice, { kv });
    await client.reached(net.ledger.height);
    const { height } = client.light.head();
    kv.failing = true;
    net.commit(net.actions.put(bob, phase, 'not kept'));
    await client.until(() => client.failures.length > 0);
    expect(client.failures).toMatchObject([{ code: 'write_failed' }]);
    expect(client.light.lies()).toEqual([]);
    expect(client.light.head().height).toBe(height);
    expect(client.light.held(net.ledger.logId('phase', phase))?.to).toBe(4);
  });
});

describe('a light client that lags', () => {
  let net: LightNetwork;
  afterEach(() => net.stop());

  it('tells since when a head is known that it does not hold, and nothing once it does', async () => {
    net = setUp();
    const { lie } = await net.serve(0);
    const client = await net.join(alice, { sources: net.servers });
    await client.reached(net.ledger.height);
    expect(client.light.lag()).toBeNull();
    const beforeMs = realClock.monotonicMs();
    lie.tell = answer => (answer.kind === 'logs' ? { ...answer, height: 0 } : null);
    net.commit(net.actions.put(bob, phase, 'three'));
    await client.until(() => client.light.lag() !== null);
    const first = client.light.lag()!.forMs;
    await client.until(() => client.light.lag()!.forMs > first);
    expect(client.light.lag()).toMatchObject({ height: net.ledger.height, logs: [] });
    expect(client.light.lag()!.forMs).toBeLessThanOrEqual(realClock.monotonicMs() - beforeMs);
    lie.tell = () => null;
    await client.reached(net.ledger.height);
    expect(client.light.lag()).toBeNull();
  });
});
