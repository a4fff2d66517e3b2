import { afterEach, expect, it } from 'vitest';
import { readableRanges } from '../../../src/core/access/visibility.ts';
import { encodePhaseState } from '../../../src/core/codec/state.ts';
import { readPhase } from '../../../src/core/ledger/read.ts';
import { CustodyActions } from '../../support/custody-actions.ts';
import type { LightNetwork, TestClient } from '../../support/light-kit.ts';
import { alice, bob, networkWithPhase, owner, phase } from '../../support/light-phase.ts';

let net: LightNetwork;
afterEach(() => net.stop());

/** Exactly what the ledger grants, and no source taken for a liar. */
function expectExact(client: TestClient): void {
  const logId = net.ledger.logId('phase', phase);
  const size = net.ledger.leavesOf('phase', phase).length;
  const readable = readableRanges(net.ledger.state, bob.id, logId);
  const ranges = readable.map(({ from, to }) => ({ from, to: to ?? size }));
  expect(client.light.held(logId)?.ranges ?? []).toEqual(ranges);
  expect(client.light.lies()).toEqual([]);
  expect(client.failures).toEqual([]);
}

it('[82] the node of a holder that takes no part follows the log from its share on, until others hold them', async () => {
  net = networkWithPhase();
  await net.serve(0);
  const act = new CustodyActions(net.ledger);
  net.commit(act.put(alice, phase, 'before'));
  const client = await net.join(bob, {});
  await client.reached(net.ledger.height);
  expect(client.light.phase(phase)).toBeNull();
  net.commit(act.shares(owner, phase, 2, [alice.id, bob.id].sort()));
  net.commit(act.put(alice, phase, 'while bob holds a share'));
  await client.reached(net.ledger.height);
  expectExact(client);
  expect(encodePhaseState(client.light.phase(phase)!)).toEqual(
    encodePhaseState(readPhase(net.ledger.state, phase)!),
  );
  net.commit(act.shares(owner, phase, 2, [alice.id, owner.id].sort()));
  net.commit(act.put(alice, phase, 'nothing of bob any more'));
  await client.reached(net.ledger.height);
  expectExact(client);
  expect(client.light.held(net.ledger.logId('phase', phase))?.ended).toBe(true);
  // his node after it has lost its store is told the same
  await client.stop();
  const late = await net.join(bob, {});
  await late.reached(net.ledger.height);
  expectExact(late);
});
