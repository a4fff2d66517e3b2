import { afterEach, describe, expect, it } from 'vitest';
import { validatorKeyBytes } from '../../../src/core/codec/governance.ts';
import { readSystem } from '../../../src/core/ledger/read.ts';
import { checkCertificate } from '../../../src/core/light/certificate.ts';
import { encodeContent } from '../../../src/core/pbft/message-codec.ts';
import { signedBytes } from '../../../src/core/pbft/signing.ts';
import { quorumSize } from '../../../src/core/quorum/quorum.ts';
import type { Certificate } from '../../../src/core/types/chain.ts';
import type { Action } from '../../../src/core/types/governance.ts';
import { nodeSuite } from '../../../src/crypto/suite.ts';
import { GovernanceActions } from '../../support/governance-actions.ts';
import { createActor, testSigner } from '../../support/ledger-kit.ts';
import { Cluster, type ClusterOptions } from './cluster.ts';

let net: Cluster;
let govern: GovernanceActions;
/** A node that is there all the time. */
let guide = 0;

function begin(validators: number, options: ClusterOptions = {}): void {
  net = new Cluster({
    names: ['v1', 'v2', 'v3', 'v4', 'v5', 'v6', 'v7', 'v8'],
    genesis: plain => ({
      ...plain,
      validators: Array.from({ length: validators }, (_, index) => ({
        name: `v${index + 1}`,
        publicKey: testSigner(`validator v${index + 1}`).publicKey,
        peerId: `peer-of-validator-v${index + 1}`,
      })),
    }),
    ...options,
  });
  guide = 0;
  govern = new GovernanceActions(net.ledger, () => net.node(guide).store.state);
}

afterEach(() => net.stop());

async function submit(id: string, at = guide): Promise<void> {
  const taken = await net.node(at).pool.submit(net.ledger.wrappers.get(id as never)!);
  expect(taken).toMatchObject({ id });
}

/** Proposed and, by the only administrator, carried out; resolves when every running node has the new set. */
async function change(actions: readonly Action[], nodes = net.running): Promise<void> {
  const before = govern.system.validatorSet.id;
  const { id } = govern.propose(net.alice, actions, { expiresHeight: 40_000 }, 50_000);
  await submit(id);
  await net.until(() => nodes.every(node => readSystem(node.store.state).validatorSet.id > before));
  expect(net.node(guide).store.locate(id)?.outcome).toBe(0);
}

/** One more block on every running node. */
async function write(at = guide): Promise<void> {
  const { id, bytes } = net.transaction();
  await net.node(at).pool.submit(bytes);
  await net.committed([id]);
}

function seats(): (number | null)[] {
  return net.running.map(node => node.consensus.status().seat);
}

/** Every block's certificate holds under the set that the blocks below it have made, seen by the light verifier. */
function verifyChain(index: number): void {
  const { store, chain } = net.node(index);
  let set = { id: 0, validators: net.genesis.validators };
  const system = readSystem(store.state);
  for (let height = 1; height <= chain.headHeight(); height += 1) {
    const { block, certificate } = store.block(height)!;
    if (block.header.validatorSetId > set.id) set = setsSeen.get(block.header.validatorSetId)!;
    expect(
      checkCertificate(
        nodeSuite,
        chain.chainId(),
        { header: block.header, certificate: certificate as Certificate },
        set,
      ),
    ).toBeNull();
  }
  expect(system.validatorSet.id).toBe(store.head()!.block.header.validatorSetId);
}

const setsSeen = new Map<number, typeof govern.system.validatorSet>();

function remember(): void {
  setsSeen.set(govern.system.validatorSet.id, govern.system.validatorSet);
}

describe('a validator set that changes', () => {
  it('[55][60] grows from one, that restarts, to four, to seven, and shrinks to four', {
    timeout: 60_000,
  }, async () => {
    begin(1);
    await net.start(0);
    await write();
    await net.stop(0);
    await net.start(0);
    await write();
    expect(seats()).toEqual([0]);
    await net.start(1, 2, 3);
    await change(['v2', 'v3', 'v4'].map(name => govern.add(name)));
    remember();
    await write();
    expect(seats()).toEqual([0, 1, 2, 3]);
    await net.start(4, 5, 6);
    await change(['v5', 'v6', 'v7'].map(name => govern.add(name)));
    remember();
    await write(3);
    expect(seats()).toEqual([0, 1, 2, 3, 4, 5, 6]);
    const stored = net.node(0).store.head()!;
    expect(stored.certificate!.signatures.length).toBeGreaterThanOrEqual(quorumSize(7));
    const staying = net.running.slice(3);
    guide = 4;
    await change(
      ['v1', 'v2', 'v3'].map(name => govern.remove(name)),
      staying,
    );
    remember();
    await net.stop(0, 1, 2);
    await write();
    await write(6);
    expect(seats()).toEqual([0, 1, 2, 3]);
    verifyChain(6);
    expect(net.fatal).toEqual([]);
  });

  it('[55] loses its leader, the node that proposed it, and gets one instead, again and again', {
    timeout: 60_000,
  }, async () => {
    begin(4);
    await net.start(0, 1, 2, 3, 4);
    await writeOn([0, 1, 2, 3]);
    guide = 1;
    const kept = [1, 2, 3, 4].map(index => net.node(index));
    await change([govern.remove('v1'), govern.add('v5')], kept);
    await net.stop(0);
    await write();
    expect(govern.validators).toEqual(['v2', 'v3', 'v4', 'v5']);
    expect(net.node(1).consensus.status()).toMatchObject({ view: 0, primary: 'v2', seat: 0 });
    await net.start(0);
    const back = await net.node(0).signing.prepare();
    const others = [0, 1, 3, 4].map(index => net.node(index));
    await change([govern.remove('v3'), govern.add('v1', {}, back)], others);
    await net.stop(2);
    await write();
    expect(govern.validators).toEqual(['v2', 'v4', 'v5', 'v1']);
    expect(seats()).toEqual([3, 0, 1, 2]);
    await net.start(5);
    guide = 3;
    await change(
      [govern.remove('v2'), govern.add('v6')],
      [0, 3, 4].map(index => net.node(index)),
    );
    await net.stop(1);
    await write();
    expect(govern.validators).toEqual(['v4', 'v5', 'v1', 'v6']);
    expect(net.fatal).toEqual([]);
  });

  it('[57] while a node syncs, and while another is down', { timeout: 60_000 }, async () => {
    begin(4);
    await net.start(0, 1, 2, 4);
    for (let round = 0; round < 3; round += 1) await writeOn([0, 1, 2]);
    await change(
      [govern.add('v5')],
      [0, 1, 2].map(index => net.node(index)),
    );
    await net.until(() => net.node(4).chain.headHeight() > 2);
    await change(
      [govern.rekey('v1', await net.node(0).signing.prepare())],
      [0, 1, 2, 4].map(index => net.node(index)),
    );
    await writeOn([0, 1, 2, 4]);
    await net.start(3);
    await net.until(() => net.node(3).chain.headHeight() === net.node(0).chain.headHeight());
    await write();
    expect(seats()).toEqual([0, 1, 2, 3, 4]);
    expect(net.fatal).toEqual([]);
  });

  it('[55] and what came in while it changed is proposed at once, though nothing follows', {
    timeout: 20_000,
  }, async () => {
    const other = createActor('other');
    begin(1, {
      configured: ['v1', 'v2'],
      // nothing is told again in the time of a test, and each takes turns to propose one transaction
      parameters: {
        ...{ viewTimeoutMs: 600_000, viewTimeoutMsMax: 600_000, rotationBlocks: 1, blockTransactionsMax: 1 },
      },
      genesis: plain => {
        const administrators = [...plain.administrators, other.id];
        const members = [...plain.members, other.card].sort((a, b) => (a.id < b.id ? -1 : 1));
        const validators = plain.validators.slice(0, 1);
        return { ...plain, members, administrators, administratorThreshold: 2, validators };
      },
    });
    await net.start(0, 1);
    const proposed = govern.propose(net.alice, [govern.add('v2')], { expiresHeight: 40_000 }, 50_000);
    await submit(proposed.id);
    await net.until(() =>
      net
        .node(1)
        .transport.peers()
        .some(({ connected }) => connected),
    );
    const { pool } = net.node(0);
    const vote = govern.vote(other, 1);
    const waiting = net.transactions(6);
    const submitted = [net.ledger.wrappers.get(vote.id)!, ...waiting.map(({ bytes }) => bytes)];
    await Promise.all(submitted.map(bytes => pool.submit(bytes)));
    await net.committed(waiting.map(({ id }) => id));
    expect(govern.validators).toEqual(['v1', 'v2']);
    expect(net.node(1).consensus.status().view).toBeGreaterThan(2);
  });

  it('[50][57] while a node sleeps, which knows none of the others when it wakes but by its configuration', {
    timeout: 60_000,
  }, async () => {
    begin(4, { configured: ['v1', 'v2', 'v3', 'v4', 'v5', 'v6', 'v7'] });
    await net.start(0, 1, 2, 3, 4, 5, 6);
    await writeOn([0, 1, 2, 3]);
    await net.stop(3);
    const removed = ['v1', 'v2', 'v3'].map(name => govern.remove(name));
    const added = ['v5', 'v6', 'v7'].map(name => govern.add(name));
    const newcomers = [4, 5, 6].map(index => net.node(index));
    guide = 0;
    await change([...removed, ...added], newcomers);
    await net.stop(0, 1, 2);
    guide = 4;
    expect(govern.validators).toEqual(['v4', 'v5', 'v6', 'v7']);
    await writeOn([4, 5, 6]);
    await net.start(3);
    await net.until(() => net.node(3).chain.headHeight() === net.node(4).chain.headHeight());
    await net.stop(4);
    guide = 5;
    await writeOn([3, 5, 6]);
    expect(net.fatal).toEqual([]);
  });

  it('[57] and a newcomer knows only those who were removed and still run: it hears of the others by its configuration', {
    timeout: 60_000,
  }, async () => {
    begin(1, { configured: ['v1', 'v2', 'v3'] });
    await net.start(0, 1);
    await writeOn([0]);
    await change([govern.add('v2')]);
    const both = [0, 1].map(index => net.node(index));
    await change([govern.remove('v1')], both);
    guide = 1;
    await writeOn([1]);
    await net.start(2);
    await net.until(() =>
      net
        .node(2)
        .transport.peers()
        .some(info => info.connected),
    );
    await change([govern.add('v3')], [net.node(1), net.node(2)]);
    await writeOn([1, 2]);
    expect(govern.validators).toEqual(['v2', 'v3']);
    expect(net.fatal).toEqual([]);
  });

  it('[65] lets in a configured peer that is no validator only where no quorum is reached', async () => {
    begin(4, { configured: ['v1', 'v2', 'v3', 'v4', 'v5'] });
    const links = (index: number) =>
      net
        .node(index)
        .transport.peers()
        .filter(info => info.connected)
        .map(info => info.peer);
    await net.start(0);
    const caller = net.network.create({ peerId: net.peerId(4) });
    await caller.start();
    caller.keepConnected(net.peerId(0), []);
    await net.until(() => links(0).includes(net.peerId(4)));
    await net.start(1, 2);
    await net.until(() => [1, 2].every(index => links(0).includes(net.peerId(index))));
    await net.until(() => !links(0).includes(net.peerId(4)));
    await caller.stop();
  });

  it('[56] with a view change before and after it', { timeout: 60_000 }, async () => {
    begin(4);
    await net.start(0, 1, 2, 3, 4);
    await writeOn([0, 1, 2, 3]);
    await net.stop(0);
    guide = 1;
    await change(
      [govern.add('v5')],
      [1, 2, 3].map(index => net.node(index)),
    );
    await write();
    expect(net.node(1).consensus.status().view).toBeGreaterThan(0);
    await net.start(0);
    await write();
    expect(net.fatal).toEqual([]);
  });
});

/** A block that these nodes have; others may not be in the set. */
async function writeOn(indexes: readonly number[]): Promise<void> {
  const { id, bytes } = net.transaction();
  await net.node(guide).pool.submit(bytes);
  await net.committed(
    [id],
    indexes.map(index => net.node(index)),
  );
}

describe('a new consensus key', () => {
  it('[58] takes over at the set change that names it, without a restart; the old one is erased', async () => {
    begin(4);
    await net.start(0, 1, 2, 3);
    await write();
    const node = net.node(3);
    const signer = await node.signing.prepare();
    expect(await node.signing.prepare()).toBe(signer);
    const entry = net.genesis.validators[3]!;
    const proof = signer.sign(
      validatorKeyBytes(net.ledger.chainId, { ...entry, publicKey: signer.publicKey }),
    );
    await write();
    expect(net.keys[3]!.signers()).toHaveLength(2);
    await change([{ type: 'validatorRekey', name: 'v4', publicKey: signer.publicKey, proof }]);
    await net.stop(0);
    guide = 1;
    await write();
    expect(net.node(3).consensus.status()).toMatchObject({ seat: 3, observes: null });
    expect(net.keys[3]!.signers()).toEqual([signer]);
    await net.stop(3);
    await net.start(3);
    await write();
    expect(net.node(3).consensus.status()).toMatchObject({ seat: 3, observes: null });
    expect(net.fatal).toEqual([]);
  });
});

describe('evidence', () => {
  it('[19][29] that two nodes notice is on chain once, on all of them, and removes nobody', async () => {
    begin(4);
    await net.start(0, 1, 2, 3);
    await write();
    const proof = govern.equivocation('v3', 'prepare', { view: 5, height: 9 });
    const message = (value: typeof proof.first) => ({
      kind: 'prepare' as const,
      validatorSetId: 0,
      signer: 2,
      ...value,
    });
    const pair = { validator: 'v3', first: message(proof.first), second: message(proof.second) };
    net.node(0).consensus.evidence.add(pair);
    net.node(1).consensus.evidence.add(pair);
    const recorded = (index: number) => readSystem(net.node(index).store.state).governance.evidence;
    await net.until(() => [0, 1, 2, 3].every(index => recorded(index).length > 0));
    net.node(3).consensus.evidence.add(pair);
    await write();
    expect(recorded(3)).toMatchObject([{ validator: 'v3', kind: 'prepare', view: 5, slotHeight: 9 }]);
    expect(seats()).toEqual([0, 1, 2, 3]);
    expect(net.fatal).toEqual([]);
  });

  it('[19] of two proposals names their blocks, not their contents', async () => {
    begin(4);
    await net.start(0, 1, 2, 3);
    await write();
    const [one, other] = [0, 1].map(change => {
      const { block } = net.node(0).store.head()!;
      const header = { ...block.header, height: 7, timeMs: block.header.timeMs + change };
      const content = {
        kind: 'prePrepare' as const,
        view: 2,
        newViewDigest: block.header.parentHash,
        block: { header, entries: block.entries },
      };
      const bytes = signedBytes(nodeSuite.sha256, net.ledger.chainId, 0, content);
      const signature = testSigner('validator v3').sign(bytes);
      return { kind: content.kind, validatorSetId: 0, signer: 2, body: encodeContent(content), signature };
    });
    net.node(1).consensus.evidence.add({ validator: 'v3', first: one!, second: other! });
    const { evidence } = govern.system.governance;
    expect(evidence).toEqual([]);
    await net.until(() => govern.system.governance.evidence.length > 0);
    expect(govern.system.governance.evidence).toMatchObject([{ kind: 'prePrepare', view: 2, slotHeight: 7 }]);
  });
});

describe('a protocol version that this program does not know', () => {
  it('ends every node before its first block, which names it, and no restart goes on', async () => {
    begin(4);
    await net.start(0, 1, 2, 3);
    const { id } = govern.propose(net.alice, [govern.version(2, 3)], { expiresHeight: 2 }, 50_000);
    await submit(id);
    await net.committed([id]);
    expect(net.fatal).toEqual([]);
    await write();
    await net.until(() => net.fatal.length === 4);
    expect(net.fatal[0]).toMatchObject({
      code: 'unknown_protocol_version',
      message: expect.stringMatching(/version 2 from height 3 on/),
    });
    expect(net.node(0).chain.headHeight()).toBe(2);
    await net.stop();
    await expect(net.start(0)).rejects.toMatchObject({ code: 'unknown_protocol_version' });
    net.nodes[0] = null;
  });
});
