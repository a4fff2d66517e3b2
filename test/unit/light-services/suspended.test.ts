import { afterEach, describe, expect, it } from 'vitest';
import { findMember } from '../../../src/core/ledger/read.ts';
import { GRANTS } from '../../../src/core/types/operation.ts';
import { nodeSuite } from '../../../src/crypto/suite.ts';
import { LIGHT_SERVER_LIMITS } from '../../../src/services/light-server/limits.ts';
import { LogReader } from '../../../src/services/light-server/log-reader.ts';
import { GovernanceActions } from '../../support/governance-actions.ts';
import { LedgerStore, type LightNetwork, type TestClient } from '../../support/light-kit.ts';
import { admin, alice, bob, networkWithPhase, owner, phase } from '../../support/light-phase.ts';

describe('a member that is suspended', () => {
  let net: LightNetwork;
  afterEach(() => net.stop());

  const write = (text: string) => net.commit(net.actions.put(bob, phase, text));
  const held = ({ light }: TestClient) => light.held(net.ledger.logId('phase', phase))?.to ?? 0;
  const size = () => net.ledger.leavesOf('phase', phase).length;
  const since = ({ light }: TestClient) => findMember(light.system(), alice.id)!.suspendedHeight;
  const resume = () => {
    const govern = new GovernanceActions(net.ledger);
    net.commit(govern.propose(admin, [{ type: 'memberResume', member: alice.id }]));
  };

  async function suspended() {
    net = networkWithPhase();
    await net.serve(0);
    net.commit(net.actions.addParticipant(owner, phase, bob.id, GRANTS.all));
    const client = await net.join(alice);
    await client.reached(net.ledger.height);
    const before = size();
    net.commit(net.actions.suspend(admin, alice.id));
    write('while it is out');
    return { client, before };
  }

  it('learns of it from the system log, gets nothing more of its phases, and calls nobody a liar', async () => {
    const { client, before } = await suspended();
    await client.until(() => since(client) > 0);
    write('more');
    net.commit(net.actions.createProject(bob, net.ledger.chainId));
    await client.until(() => client.light.trust().header.height === net.ledger.height);
    expect(held(client)).toBe(before);
    expect(client.light.lies()).toEqual([]);
    expect(client.failures).toEqual([]);
  });

  it('is refused each log but that of the system, and every scope, whatever its node asks', async () => {
    const { before } = await suspended();
    const reader = new LogReader(new LedgerStore(net.ledger), nodeSuite, LIGHT_SERVER_LIMITS);
    const [system, log] = [net.ledger.logId('system'), net.ledger.logId('phase', phase)];
    const held = { held: [], digest: null, ended: false };
    const logs = [system, log].map(logId => ({ logId, ...held }));
    const query = { kind: 'logs', knownHeight: 0, scopesFrom: 0, logs } as const;
    const answer = reader.answer(alice.id, query);
    expect(answer.scopes).toEqual([]);
    expect(answer.logs).toMatchObject([{ kind: 'part' }, { kind: 'refused', code: 'suspended' }]);
    const all = new Uint8Array([0xff]);
    const quiet = { height: net.ledger.height - 1, held: all, ended: new Uint8Array([0]) };
    expect(reader.answer(alice.id, { ...query, logs: [], quiet })).toMatchObject({ logs: [], quiet: null });
    // whoever counts on its quiet logs has not read of it yet, and would take the refusal for a lie
    const byName = [{ logId: log, ...held }];
    expect(reader.answer(alice.id, { ...query, logs: byName, quiet }).logs).toMatchObject([
      { kind: 'later' },
    ]);
    expect(reader.answer(bob.id, query).logs).toMatchObject([{ kind: 'part' }, { kind: 'part' }]);
    expect(before).toBeLessThan(size());
  });

  it('has everything of the time between once it is resumed', async () => {
    const { client } = await suspended();
    await client.until(() => since(client) > 0);
    resume();
    write('after');
    await client.reached(net.ledger.height);
    expect(held(client)).toBe(size());
    expect(since(client)).toBe(0);
    expect(client.light.lies()).toEqual([]);
  });

  it('that comes with an empty store meanwhile is served the system log only', async () => {
    const { client, before } = await suspended();
    await client.until(() => since(client) > 0);
    await client.stop();
    const fresh = await net.join(alice);
    await fresh.until(() => since(fresh) > 0);
    expect(held(fresh)).toBe(0);
    expect(before).toBeGreaterThan(0);
    resume();
    await fresh.reached(net.ledger.height);
    expect(held(fresh)).toBe(size());
  });
});
