import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { MemberId, PhaseId } from '../../../src/core/base/ids.ts';
import { reject } from '../../../src/core/base/reject.ts';
import { type AdminNode, createAdminApi } from '../../../src/roles/member/admin-api.ts';
import { FILES_PROTOCOL } from '../../../src/services/files/limits.ts';
import type { PhaseVault } from '../../../src/services/records/vault.ts';
import { hashOf } from '../../support/ledger-kit.ts';
import { MemoryNetwork, type MemoryTransport } from '../../support/memory-transport.ts';

const FILES = { id: FILES_PROTOCOL, frameBytesMax: 1000, outboxBytesMax: 1000, requestsInFlightMax: 4 };
const phase = hashOf('phase') as PhaseId;

let network: MemoryNetwork;
let own: MemoryTransport;
let other: MemoryTransport;
let kept: Set<string>;
/** Answers of the other node, held back until a test lets them go. */
let open: () => void;
let gate: Promise<void>;

beforeEach(async () => {
  network = new MemoryNetwork();
  kept = new Set();
  gate = Promise.resolve();
  own = network.create({ peerId: 'own' });
  other = network.create({ peerId: 'other' });
  for (const transport of [own, other]) {
    const request = async () => {
      await gate;
      return reject('not_permitted', 'no such file for this member', 'ignore' as const);
    };
    transport.register(FILES, { request });
    await transport.start();
  }
});
afterEach(() => Promise.all([own.stop(), other.stop()]));

function api() {
  const unused = () => {
    throw new Error('probes of files do not ask the ledger');
  };
  const light = {
    ...{ chainId: hashOf('chain'), system: unused, askPeer: unused, addressesOf: async () => [] },
    phase: () => null,
  };
  const records = {
    ...{ openedCard: async () => null, phaseLabel: async () => null, projectLabel: async () => null },
    vault: {} as PhaseVault,
  };
  const node: AdminNode = {
    transport: own,
    member: 'own' as MemberId,
    light,
    records,
    phaseFiles: { memberOfPeer: () => null },
    keeps: peer => kept.has(peer),
  };
  return createAdminApi(node);
}

const file = { kind: 'file', phase, cid: 'bafy', peer: 'other', addresses: ['/memory/other'] } as const;
const linked = () => own.peers().filter(({ connected }) => connected).length;

describe('probes of other nodes', () => {
  it('leave no link behind', async () => {
    expect(await api().probe(file)).toMatchObject({ answer: 'refused', reason: /not_permitted/ });
    expect(own.peers()).toEqual([]);
    expect(await api().probe({ ...file, peer: 'nobody' })).toMatchObject({ answer: 'unreachable' });
    expect(own.peers()).toEqual([]);
  });

  it('leave the links alone that were there before, and those that the node keeps', async () => {
    other.keepConnected('own', []);
    while (linked() === 0) await new Promise(resolve => setImmediate(resolve));
    await api().probe(file);
    expect(linked()).toBe(1);
    other.release('own');
    kept.add('other');
    await api().probe(file);
    expect(linked()).toBe(1);
  });

  it('share a link while one of them needs it', async () => {
    gate = new Promise(resolve => {
      open = resolve;
    });
    const admin = api();
    const first = admin.probe(file);
    while (linked() === 0) await new Promise(resolve => setImmediate(resolve));
    const second = admin.probe(file);
    open();
    expect([(await first).answer, (await second).answer]).toEqual(['refused', 'refused']);
    expect(own.peers()).toEqual([]);
  });
});
