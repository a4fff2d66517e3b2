import { describe, expect, it } from 'vitest';
import { signTransactions } from '../../../src/core/codec/build.ts';
import { encodeFilePurge, encodeFilePurgeAck, encodeFileReceipt } from '../../../src/core/codec/operation.ts';
import { NOTHING_SHOWN } from '../../../src/core/light/dossier.ts';
import { buildDossier } from '../../../src/core/light/dossier-codec.ts';
import {
  buildPurgeCertificate,
  type ProvenLeaf,
  type PurgeCertificate,
  verifyPurgeCertificate,
} from '../../../src/core/light/purge-certificate.ts';
import { inclusionProof } from '../../../src/core/merkle/log.ts';
import type { KindName } from '../../../src/core/types/operation.ts';
import { sampleChain, sha256, signerOf, suite } from './test-chain.ts';
import { addRecord, CID } from './test-records.ts';

function sample() {
  const { chain, system, a, b } = sampleChain(0);
  const commit = (sender: string, kind: KindName, content: Uint8Array, keyId = 0): number => {
    const built = chain.build(sender, keyId, kind, [a], [[0, content]]);
    const key = keyId === 0 ? sender : `${sender} 2`;
    chain.seal(signTransactions(sha256, signerOf(key), [built]));
    return a.items.length - 1;
  };
  const at = (position: number) => {
    const { leaf } = a.items[position]!;
    return { position, record: sha256(leaf), leaf };
  };
  const record = addRecord(chain, a, 'alice', 'alice', 0);
  const phase = a.id;
  const receipts = [{ ...at(record), cids: [CID] }];
  const held = ['alice', 'bob'].flatMap(sender => {
    const built = chain.build(sender, 0, 'fileReceipt', [a], [[0, encodeFileReceipt({ phase, receipts })]]);
    return signTransactions(sha256, signerOf(sender), [built]);
  });
  chain.seal(held);
  const receipt = a.items.length - 1;
  const order = commit(
    'alice',
    'filePurge',
    encodeFilePurge({ phase, cid: CID, reason: 'asked for', references: [at(record)], elsewhere: [] }),
  );
  const acks = [{ ...at(order), cid: CID, kept: false }];
  const ackOf = (sender: string, node: string, keyId = 0) =>
    commit(sender, 'filePurgeAck', encodeFilePurgeAck({ phase, node, acks }), keyId);
  const ack = ackOf('alice', 'alice-1');
  const others = [{ ...at(record), cid: CID, kept: false }];
  const wrongAck = commit(
    'alice',
    'filePurgeAck',
    encodeFilePurgeAck({ phase, node: 'alice-2', acks: others }),
  );
  const later = [ackOf('alice', 'alice-2'), ackOf('bob', 'bob-1', 1), ackOf('bob', 'bob-2', 1)];
  const dropped = ackOf('bob', 'bob-before', 1);
  const prove = (position: number): ProvenLeaf => ({
    position,
    ...a.items[position]!,
    path: inclusionProof(sha256, index => a.hashes[index]!, position, a.hashes.length),
  });
  const { entry, mapProof } = chain.logUpdate(a);
  const content: PurgeCertificate = {
    dossier: buildDossier(sha256, {
      setChanges: chain.setChanges,
      head: chain.head,
      map: chain.openMap(system),
      members: chain.provenMembers(system),
      logs: [],
      ...NOTHING_SHOWN,
    }),
    ...{ phase, cid: CID, entry, mapProof },
    order: prove(order),
    receipts: [prove(receipt - 1), prove(receipt)],
    acks: [ack, ...later].map(prove),
  };
  return { content, prove, record, wrongAck, dropped, anchor: chain.anchor, other: b };
}

const { content, prove, record, wrongAck, dropped, anchor, other } = sample();
const verdictOf = (changes: Partial<PurgeCertificate> = {}) =>
  verifyPurgeCertificate(suite, buildPurgeCertificate(sha256, { ...content, ...changes }), anchor);
const failing = (changes: Partial<PurgeCertificate>) =>
  verdictOf(changes).checks.flatMap(check => (check.ok ? [] : [check.name]));

const said = (node: string) => ({ node, acknowledgedMs: expect.any(Number), kept: false });

describe('a certificate of purge', () => {
  it('proves who ordered it, who held the file and which of their nodes have deleted it', () => {
    const verdict = verdictOf();
    expect(verdict.checks.filter(check => !check.ok)).toEqual([]);
    expect(verdict).toMatchObject({
      ok: true,
      purge: {
        cid: CID,
        by: 'alice',
        reason: 'asked for',
        holders: [
          { member: 'alice', nodes: [said('alice-1'), said('alice-2')], cardChanged: false },
          // he rotated his keys, and with them his card, after the order
          { member: 'bob', nodes: [said('bob-1'), said('bob-2')], cardChanged: true },
        ],
        complete: true,
      },
    });
    expect(verdict.checks.at(-1)!.detail).toMatch(
      /^by every node of every holder; bob has changed its card since/,
    );
  });

  it('shows each node that has not acknowledged: what one of a member deleted says nothing of its others', () => {
    const verdict = verdictOf({ acks: content.acks.slice(0, 1) });
    expect(verdict.ok).toBe(true);
    expect(verdict.purge).toMatchObject({
      complete: false,
      holders: [
        { member: 'alice', nodes: [said('alice-1'), { ...said('alice-2'), acknowledgedMs: null }] },
        {
          member: 'bob',
          nodes: ['bob-1', 'bob-2'].map(node => ({ node, acknowledgedMs: null, kept: false })),
        },
      ],
    });
    expect(verdict.checks.at(-1)!.detail).toMatch(
      /^not yet by alice, node alice-2; bob, node bob-1; bob, node bob-2;/,
    );
  });

  it('shows a node that acknowledged and was taken off the card, beside those that it names', () => {
    const { purge } = verdictOf({ acks: [prove(dropped)] });
    const bob = purge!.holders.find(({ member }) => member === 'bob')!;
    expect(bob.nodes.map(({ node, acknowledgedMs }) => [node, acknowledgedMs !== null])).toEqual([
      ['bob-1', false],
      ['bob-2', false],
      ['bob-before', true],
    ]);
  });

  it('names what is not as it says: another leaf, another order, another file, another log', () => {
    expect(failing({ order: prove(record) })).toEqual(['order to purge']);
    expect(failing({ cid: `${CID.slice(0, -1)}q` })).toEqual(['order to purge']);
    expect(failing({ phase: other.id })).toEqual(['log of the phase']);
    expect(failing({ acks: [prove(wrongAck)] })).toEqual([`acknowledgement at ${wrongAck}`]);
    expect(failing({ acks: content.receipts })).toHaveLength(2);
    const { order } = content;
    expect(failing({ order: { ...order, path: order.path.slice(1) } })).toEqual(['order to purge']);
    const transaction = order.transaction.slice();
    transaction[transaction.length - 40]! ^= 1;
    expect(failing({ order: { ...order, transaction } })).not.toEqual([]);
  });

  it('[80] is refused when any byte has changed', () => {
    const bytes = buildPurgeCertificate(sha256, content);
    for (const offset of [0, 9, 500, bytes.length - 1]) {
      const changed = bytes.slice();
      changed[offset]! ^= 1;
      expect(verifyPurgeCertificate(suite, changed, anchor).ok).toBe(false);
    }
    expect(verifyPurgeCertificate(suite, new Uint8Array(3), anchor).ok).toBe(false);
  });
});
