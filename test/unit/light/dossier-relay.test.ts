import { describe, expect, it } from 'vitest';
import { isReject } from '../../../src/core/base/reject.ts';
import { encodePhaseState } from '../../../src/core/codec/state.ts';
import { decodeLeaf, decodeTransaction } from '../../../src/core/codec/transaction.ts';
import { type Dossier, NOTHING_SHOWN } from '../../../src/core/light/dossier.ts';
import { buildDossier } from '../../../src/core/light/dossier-codec.ts';
import { type DossierVerdict, verifyDossier } from '../../../src/core/light/dossier-verify.ts';
import { locateRecord } from '../../../src/core/light/record.ts';
import type { HandoverItem } from '../../../src/core/types/operation.ts';
import { openPayload } from '../../../src/crypto/record-cipher.ts';
import { hashOf, ok, sampleChain, samplePhase, sha256, signerOf, suite, type TestLog } from './test-chain.ts';
import { addRecord, CID, contentKey, handOver } from './test-records.ts';

const failing = (verdict: DossierVerdict) =>
  verdict.checks.filter(check => !check.ok).map(check => check.name);

describe('a dossier of a phase that got its record over another one', () => {
  /** Only the system log and the last phase: what one of its participants holds. */
  function relayed(change?: (item: HandoverItem) => HandoverItem) {
    const { chain, system, a, b } = sampleChain(1);
    const c = chain.addLog('phase', hashOf('phase c'), encodePhaseState(samplePhase('phase c')));
    const second = handOver(chain, a, b, addRecord(chain, a, 'bob', 'bob', 0));
    const third = handOver(chain, b, c, second, change);
    const place = { logId: c.logId, position: third, item: 0 };
    const dossier: Dossier = {
      setChanges: [],
      head: chain.head,
      map: chain.openMap(system, c),
      members: chain.provenMembers(system),
      logs: [chain.dossierLog(c)],
      ...NOTHING_SHOWN,
      openings: [{ ...place, contentKey }],
      files: [{ ...place, cid: CID, ciphertextBytes: 4096 }],
    };
    const verdict = verifyDossier(suite, buildDossier(sha256, dossier), chain.anchor, { openPayload });
    return { verdict, located: locateRecord(sha256, verifiedItem(c, third), 0) };
  }
  const verifiedItem = (log: TestLog, position: number) => {
    const { leaf, transaction } = log.items[position]!;
    return { leaf: ok(decodeLeaf(leaf)), transaction: ok(decodeTransaction(sha256, transaction)) };
  };

  it('opens the record, names its file, and shows the first author and every handover', () => {
    const { verdict, located } = relayed();
    const item = ok(located);
    expect(failing(verdict)).toEqual([]);
    expect(verdict.summary).toMatchObject({ openedRecords: 1, files: 1 });
    expect(item.transaction.body.sender).toBe('bob');
    expect(item.handed!.steps).toMatchObject([
      { source: hashOf('phase a'), sender: 'alice', position: 2, height: 4 },
      { source: hashOf('phase b'), sender: 'alice', position: 0, height: 5 },
    ]);
  });

  it('[78] does not open a record that is not what the phase before has received', () => {
    const refusal = (change: (item: HandoverItem) => HandoverItem) => {
      const { verdict, located } = relayed(change);
      expect(failing(verdict)).toHaveLength(2);
      return isReject(located) ? located.reject : null;
    };
    const relay = (change: object) => (item: HandoverItem) => {
      return { ...item, relay: { ...item.relay!, ...change } };
    };
    expect(refusal(item => ({ ...item, payload: item.meta }))).toBe('wrong_transaction');
    expect(refusal(item => ({ ...item, meta: item.payload }))).toBe('wrong_transaction');
    expect(refusal(item => ({ ...item, signature: signerOf('mallory').sign(item.body) }))).toBe(
      'wrong_relay',
    );
    expect(refusal(item => ({ ...item, relay: null }))).toBe('wrong_source');
    expect(refusal(item => ({ ...item, relay: null, position: 3 }))).toBe('wrong_source');
    expect(refusal(item => ({ ...item, position: 1 }))).toBe('wrong_source');
    expect(refusal(relay({ item: 1 }))).toBe('wrong_relay');
    expect(refusal(item => relay({ salt: item.salt })(item))).toBe('wrong_relay');
    expect(refusal(item => relay({ leaf: item.leaf })(item))).toBe('wrong_relay');
    expect(refusal(item => relay({ target: item.meta })(item))).not.toBeNull();
  });
});
