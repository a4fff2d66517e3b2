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
  const { chain, system, a, b } = sampleChain(1);
  const commit = (sender: string, kind: KindName, content: Uint8Array, log = a): number => {
    const built = chain.build(sender, 0, kind, [log], [[0, content]]);
    chain.seal(signTransactions(sha256, signerOf(sender), [built]));
    return log.items.length - 1;
  };
  const at = (position: number) => {
    const { leaf } = a.items[position]!;
    return { position, record: sha256(leaf), leaf };
  };
  const record = addRecord(chain, a, 'alice', 'alice', 0);
  const phase = a.id;
  const receipts = [{ ...at(record), cids: [CID] }];
  const receipt = commit('alice', 'fileReceipt', encodeFileReceipt({ phase, receipts }));
  const order = commit(
    'alice',
    'filePurge',
    encodeFilePurge({ phase, cid: CID, reason: 'asked for', references: [at(record)], elsewhere: [] }),
  );
  const acks = [{ ...at(order), cid: CID, kept: false }];
  const ack = commit('alice', 'filePurgeAck', encodeFilePurgeAck({ phase, acks }));
  const others = [{ ...at(record), cid: CID, kept: false }];
  const wrongAck = commit('alice', 'filePurgeAck', encodeFilePurgeAck({ phase, acks: others }));
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
    receipts: [prove(receipt)],
    acks: [prove(ack)],
  };
  return { content, prove, record, wrongAck, anchor: chain.anchor, other: b };
}

const { content, prove, record, wrongAck, anchor, other } = sample();
const verdictOf = (changes: Partial<PurgeCertificate> = {}) =>
  verifyPurgeCertificate(suite, buildPurgeCertificate(sha256, { ...content, ...changes }), anchor);
const failing = (changes: Partial<PurgeCertificate>) =>
  verdictOf(changes).checks.flatMap(check => (check.ok ? [] : [check.name]));

describe('a certificate of purge', () => {
  it('proves who ordered it, who held the file and who has deleted it', () => {
    const verdict = verdictOf();
    expect(verdict.checks.filter(check => !check.ok)).toEqual([]);
    expect(verdict).toMatchObject({
      ok: true,
      purge: {
        cid: CID,
        by: 'alice',
        reason: 'asked for',
        holders: [{ member: 'alice', acknowledgedMs: expect.any(Number), kept: false }],
      },
    });
  });

  it('shows a holder that has not acknowledged', () => {
    const verdict = verdictOf({ acks: [] });
    expect(verdict.ok).toBe(true);
    expect(verdict.purge?.holders).toEqual([{ member: 'alice', acknowledgedMs: null, kept: false }]);
  });

  it('names what is not as it says: another leaf, another order, another file, another log', () => {
    expect(failing({ order: prove(record) })).toEqual(['order to purge']);
    expect(failing({ cid: `${CID.slice(0, -1)}q` })).toEqual(['order to purge']);
    expect(failing({ phase: other.id })).toEqual(['log of the phase']);
    expect(failing({ acks: [prove(wrongAck)] })).toEqual([`acknowledgement at ${wrongAck}`]);
    expect(failing({ acks: content.receipts })).toHaveLength(1);
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
