import { expect, it } from 'vitest';
import { nodeSuite } from '../../../src/crypto/suite.ts';
import type { ChainStore } from '../../../src/ports/chain-store.ts';
import type { Transport } from '../../../src/ports/transport.ts';
import { ConsensusLinks } from '../../../src/roles/consensus-links.ts';
import { ChainReader } from '../../../src/services/consensus/chain-reader.ts';
import { GovernanceActions } from '../../support/governance-actions.ts';
import { createActor, TestLedger, testGenesis } from '../../support/ledger-kit.ts';
import { realClock } from '../../support/memory-transport.ts';

it('[65] who was proposed as a validator is let in until the proposal has expired, noted or not', () => {
  const [admin, other] = [createActor('admin'), createActor('other')];
  const ledger = new TestLedger({ ...testGenesis([admin, other], []), administratorThreshold: 2 });
  const govern = new GovernanceActions(ledger);
  const candidatesAt = (height: number) => {
    const head = () => ({ block: { header: { height } }, hash: `${height}` });
    const store = { head, state: ledger.state } as unknown as ChainStore;
    return new ChainReader(store, nodeSuite, { peerId: 'me' } as unknown as Transport).candidatePeers();
  };
  const outcomes = ledger.commit(govern.propose(admin, [govern.add('v9')], { expiresHeight: 9 }));
  expect(outcomes).toEqual(['committed']);
  expect(govern.proposal(1).status).toBe('open');
  expect(candidatesAt(8)).toEqual(['peer-of-validator-v9']);
  expect(candidatesAt(9)).toEqual([]);
});

it('[65] who was proposed as a validator is put out when the proposal has expired without a ballot', () => {
  const [admin, other] = [createActor('admin'), createActor('other')];
  const ledger = new TestLedger({ ...testGenesis([admin, other], []), administratorThreshold: 2 });
  const govern = new GovernanceActions(ledger);
  ledger.commit(govern.propose(admin, [govern.add('v9')], { expiresHeight: 9 }));
  let height = 7;
  const head = () => ({ block: { header: { height } }, hash: `${height}` });
  const store = { head, state: ledger.state } as unknown as ChainStore;
  let gate: (peer: string) => boolean = () => true;
  const letIn: boolean[] = [];
  const transport = {
    peerId: 'me',
    peers: () => [],
    onEvents: () => {},
    keepConnected: () => {},
    setGate: (admits: (peer: string) => boolean) => {
      gate = admits;
    },
    recheckGate: () => letIn.push(gate('peer-of-validator-v9')),
  } as unknown as Transport;
  const chain = new ChainReader(store, nodeSuite, transport);
  const self = { votes: () => true, rebuilding: () => null };
  const links = new ConsensusLinks(chain, transport, realClock, [], self);
  links.register();
  links.committed(true);
  for (height = 8; height < 12; height += 1) links.committed(false);
  // looked at again at the height at which it ends, and at no other
  expect(letIn).toEqual([true, false]);
});
